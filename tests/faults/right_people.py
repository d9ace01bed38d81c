"""An incident whose people come by a rule, a team, role policies and who is on call; the storm guard asks about a crowd."""

from datetime import timedelta

from services.kit.clock import now
from services.kit.database import Database, sqlite_url
from services.kit.ids import new_id
from services.store.accounts import Account, Token
from services.store.secrets import digest
from tests.faults.story import CLOSE, Client
from workflows.domain.policy import Role, Scope

CROWD = ("Invoice", "Ledger", "Refund", "Statement")
LIMIT = 3
"""As many come in at once as the rule engages; the crowd is larger."""
_BEN = "muster_token_of_ben"
_SEVERE = {"all": [{"attribute": "severity", "operator": "at_least", "values": ["High"]}]}


async def prepare(client: Client) -> None:
    """The people of the story, the rule and the role policy. Dora, who is on call for Ledger, is not active."""
    await client.ask("PATCH", "/settings", {"storm_limit": LIMIT})
    ana, ben, nia, dora = [await _individual(client, name) for name in ("Ana", "Ben", "Nia", "Dora")]
    for word in CROWD:
        await _individual(client, f"{word} Person", word)
    await client.ask("POST", "/teams", {"name": "Team Payments", "members": [ana, ben]})
    await _on_call(client, "Network", nia)
    await _on_call(client, "Ledger", dora)
    await client.ask("PATCH", f"/individuals/{dora}", {"active": False})
    engaged = [{"team": "Team Payments"}, {"oncall": "Network"}]
    await client.ask("POST", "/engagement-rules", {"name": "Severe", "when": _SEVERE, "engage": engaged})
    policy = {"name": "Severe ones", "role": "commander", "assignee": {"oncall": "Ledger"}, "when": _SEVERE}
    await client.ask("POST", "/role-policies", policy)
    await _account(client, ben)


async def tell(client: Client) -> str:
    """Report, be brought in, take command late, ask about a crowd, choose, hand over, go, close; answers the incident's id."""
    made = await client.ask("POST", "/incidents", {"title": "The bank is slow", "severity": "High"})
    incident, path = made["id"], f"/incidents/{made['id']}"
    people = {one["name"]: one["id"] for one in await client.data("/individuals")}

    async def awaited() -> bool:
        return bool((await client.get(f"{path}/receipt"))["awaited_on_call"])

    async def commanded() -> bool:
        commander = (await client.get(path))["commander"]
        return commander is not None and bool(commander["id"] == people["Dora"])

    await client.until(lambda: client.sent(incident, 2 * 4), "reporter, team and on call welcomed")
    await client.until(awaited, "who is on call for Ledger is waited for")
    await client.ask("PATCH", f"/individuals/{people['Dora']}", {"active": True})
    await client.until(commanded, "Dora is commander")
    await client.until(lambda: client.sent(incident, 2 * 5), "the commander welcomed")

    await client.ask("PATCH", path, {"title": "Invoice, ledger, refund and statement are slow", "tags": ["bank"]})
    await client.until(lambda: client.sent(incident, 2 * 6), "the commander asked")
    asked = await client.get(f"{path}/engagement-question")
    chosen = [people["Ledger Person"], people["Refund Person"]]
    await client.ask("POST", f"{path}/engagement-answer", {"bring_in": chosen, "version": asked["version"]})
    await client.until(lambda: client.sent(incident, 2 * 8), "those who were chosen welcomed")

    await client.ask("PUT", f"{path}/commander", {"individual": people["Ana"], "note": "The bank knows. Watch the queue."})
    await client.until(lambda: client.sent(incident, 2 * 9), "the new commander told")
    async with Client(client.muster, _BEN) as ben:
        await ben.ask("POST", f"{path}/not-relevant", {"reason": "I know nothing about banks."})
    await client.ask("POST", f"{path}/transitions", {"to": "stable"})
    await client.ask("POST", f"{path}/transitions", CLOSE)
    return str(incident)


async def _individual(client: Client, name: str, *terms: str) -> str:
    email = f"{name.lower().replace(' ', '.')}@example.org"
    made = await client.ask("POST", "/individuals", {"name": name, "email": email, "terms": list(terms)})
    return str(made["id"])


async def _on_call(client: Client, service: str, individual: str) -> None:
    began = f"{now() - timedelta(days=1):%Y-%m-%d}T00:00"
    layer = {"name": "Primary", "time_zone": "UTC", "starts_at": began, "every": {"days": 1}, "members": [individual]}
    await client.ask("POST", "/oncall-services", {"name": service, "rotation": {"layers": [layer]}})


async def _account(client: Client, individual: str) -> None:
    """An account with a token, which is made in the store, since nobody is there to accept an invitation."""
    organization = (await client.get("/me"))["organization"]["id"]
    database = Database(sqlite_url(client.muster.folder / "muster.db"))
    belongs = {"organization_id": organization, "created_at": now()}
    account = new_id()
    token = {"name": "test", "scopes": list(Scope), "secret_hash": digest(_BEN), "hint": "", "created_by": account}
    async with database.write(organization) as session:
        session.add(Account(id=account, individual_id=individual, role=Role.MEMBER, **belongs))
        await session.flush()
        session.add(Token(id=new_id(), account_id=account, **token, **belongs))
    await database.close()
