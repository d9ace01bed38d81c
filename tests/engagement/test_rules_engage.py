"""Rules, teams and on-call services engage people in incidents, each once, with the evidence (E1, E3, E4, E6, E10)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.engagement.oncall.provider import Duty, ProviderFailed
from services.kit.clock import now
from services.kit.temporal_server import EmbeddedTemporal
from services.store.teams import OnCallService
from tests.conftest import new_muster
from tests.kit.problems import problem
from tests.support.providers import Momentary
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML

SEVERE = {"attribute": "severity", "operator": "at_least", "values": ["High"]}
PAYMENTS = {"attribute": "tag", "operator": "is", "values": ["payments"]}


class Told(Momentary):
    """A provider that can be told who is on call, that it fails, or that it takes its time."""

    def __init__(self) -> None:
        self.on_call_for: dict[str, tuple[str, ...]] = {}
        self.fails: dict[str, str] = {}
        self.is_slow: set[str] = set()

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """What it was told."""
        if duty.name in self.is_slow:
            await asyncio.sleep(3600)
        if duty.name in self.fails:
            raise ProviderFailed(self.fails[duty.name])
        return self.on_call_for.get(duty.name, ())


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
async def muster(
    database_kind: str,
    temporal: EmbeddedTemporal,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    told: Told,
) -> AsyncIterator[RunningMuster]:
    async with new_muster(database_kind, temporal, tmp_path_factory, request, told=told) as running:
        yield running


async def rule(org: Organization, *engage: dict[str, str], **more: Any) -> dict[str, Any]:
    body = {"name": "Severe payments", "when": {"all": [SEVERE, PAYMENTS]}, "engage": list(engage)}
    return await org.post("/engagement-rules", body | more)


async def service(muster: RunningMuster, org: Organization, name: str, *terms: str) -> dict[str, Any]:
    """An on-call service of the provider that can be told."""
    made = await org.post("/oncall-services", {"name": name, "terms": list(terms)})
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.write(organization) as session:
        (await session.get_one(OnCallService, made["id"])).provider = "told"
    return made


def on_duty(*members: str) -> dict[str, Any]:
    """A layer in which the first member is on call today and all year, nearly."""
    every = {"days": 365}
    starts_at = f"{now() - timedelta(days=1):%Y-%m-%d}T00:00:00"
    return {"name": "Primary", "time_zone": "UTC", "starts_at": starts_at, "every": every, "members": list(members)}


async def came(org: Organization, incident: str, *names: str) -> bool:
    return {"Olive Owner", *names} <= (await org.participants(incident)).keys()


async def mailed(org: Organization, incident: str, *names: str) -> bool:
    """Whether these were written to, each once."""
    return sorted(each["recipient"]["name"] for each in await org.deliveries(incident) if each["channel"] == "email") == [*names]


async def answered(org: Organization, incident: str) -> bool:
    return not (await org.get(f"/incidents/{incident}"))["awaited_on_call"]


async def trouble(org: Organization) -> str:
    """What the page of the first incident says that does not work just now."""
    answer = await org.api.get(f"{org.base_url}/{org.slug}/incidents/INC-1/fragments/trouble", headers=HTML)
    assert answer.status_code == 200
    return answer.text


@pytest.mark.feature("E3", "E9", "E10")
@pytest.mark.parametrize("late", [False, True])
async def test_who_reported_and_is_on_call_gets_the_role_of_the_rule(
    muster: RunningMuster, org: Organization, told: Told, late: bool
) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    await org.post("/incident-roles", {"name": "Scribe", "description": "Writes."})
    ledger = await service(muster, org, "Ledger")
    told.on_call_for, told.fails = {"Ledger": (me,)}, {"Ledger": "The provider is away."} if late else {}
    made = await rule(org, {"oncall": ledger["id"]}, role="Scribe")
    incident = (await org.report("Slow", severity="High", tags=["payments"]))["id"]
    if late:
        told.fails = {}

    async def writes() -> bool:
        return "Scribe" in (await org.participants(incident))["Olive Owner"]["roles"]

    await org.until(writes)
    evidence = (await org.participants(incident))["Olive Owner"]["evidence"]
    assert [piece["id"] for piece in evidence if piece["kind"] == "rule"] == [made["id"]]
    # Looked at again, there is nothing new about it.
    await org.patch(f"/incidents/{incident}", {"title": "Slower"})
    await org.until(lambda: came(org, incident))
    entries = (await org.get(f"/incidents/{incident}/timeline"))["data"]
    assert [entry["text"] for entry in entries].count("Olive Owner is now Scribe") == 1


@pytest.mark.feature("E3", "E4", "E6", "E10")
async def test_a_rule_engages_a_team_and_whoever_is_on_call(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben, cai = [await org.individual(name) for name in ("Ana", "Ben", "Cai")]
    team = await org.post("/teams", {"name": "Team Payments", "members": [ana["id"], ben["id"]]})
    ledger = await service(muster, org, "Ledger")
    told.on_call_for["Ledger"] = (cai["id"], ben["id"])
    made = await rule(org, {"team": team["id"]}, {"oncall": ledger["id"]})
    incident = (await org.report("Odd", severity="Low", tags=["Payments"]))["id"]
    assert set(await org.participants(incident)) == {"Olive Owner"}
    await org.patch(f"/incidents/{incident}", {"severity": "Critical"})
    await org.until(lambda: came(org, incident, "Ana", "Ben", "Cai"))
    people = await org.participants(incident)
    came_by = {name: person["evidence"] for name, person in people.items() if name != "Olive Owner"}
    assert set(came_by) == {"Ana", "Ben", "Cai"}
    for pieces in came_by.values():
        assert [(each["kind"], each["text"], each["id"], each["version"]) for each in pieces] == [
            ("rule", "Severe payments", made["id"], 1)
        ]
    via = {name: (pieces[0]["via"], pieces[0]["via_kind"]) for name, pieces in came_by.items()}
    by_team = ("Team Payments", "team")
    assert via == {"Ana": by_team, "Ben": by_team, "Cai": ("on call for Ledger", "oncall")}
    assert all("responder" in people[name]["roles"] for name in came_by)
    await org.until(lambda: mailed(org, incident, "Ana", "Ben", "Cai", "Olive Owner"))
    counted = await org.get(f"/engagement-rules/{made['id']}")
    assert counted["matches"] == 1
    await org.patch(f"/engagement-rules/{made['id']}", {"enabled": False})
    quiet = (await org.report("Again", severity="High", tags=["payments"]))["id"]
    assert set(await org.participants(quiet)) == {"Olive Owner"}


@pytest.mark.feature("E1", "E2")
async def test_terms_of_teams_and_services_engage_whom_they_stand_for(
    muster: RunningMuster, org: Organization, told: Told
) -> None:
    ana, ben = await org.individual("Ana", "double booking"), await org.individual("Ben")
    await org.post("/teams", {"name": "Team Payments", "members": [ana["id"]], "terms": ["refund"]})
    await service(muster, org, "Booking", "double booking")
    told.on_call_for["Booking"] = (ben["id"],)
    incident = await org.report("A double booking", description="and its refund")
    people = await org.participants(incident["id"])
    pieces = {
        name: {(each["text"], each["via"], each["via_kind"]) for each in person["evidence"]} for name, person in people.items()
    }
    assert pieces["Ana"] == {("double booking", None, None), ("refund", "Team Payments", "team")}
    assert pieces["Ben"] == {("double booking", "on call for Booking", "oncall")}


@pytest.mark.feature("E10")
@pytest.mark.parametrize("slow", [False, True])
async def test_a_provider_that_fails_delays_only_its_own(
    muster: RunningMuster, org: Organization, told: Told, slow: bool
) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    failing = await service(muster, org, "Failing")
    told.on_call_for["Failing"] = (ben["id"],)
    told.fails["Failing"] = "The provider answers 503."
    if slow:
        told.is_slow.add("Failing")
    await rule(org, {"individual": ana["id"]}, {"oncall": failing["id"]})
    incident = (await org.report("Odd", severity="High", tags=["payments"]))["id"]
    assert set(await org.participants(incident)) == {"Olive Owner", "Ana"}
    awaited = (await org.get(f"/incidents/{incident}"))["awaited_on_call"]
    assert [(each["service"]["name"], each["role"]) for each in awaited] == [("Failing", "responder")]
    # Everybody else is welcomed meanwhile; whoever looks is told what is missing, and why.
    await org.until(lambda: mailed(org, incident, "Ana", "Olive Owner"))
    _, reason, rest = (await trouble(org)).partition("Failing cannot say who is on call: “")
    assert reason
    assert rest.startswith("It took longer than" if slow else "The provider answers 503”. Muster keeps asking; everyone else was")
    told.fails.clear()
    told.is_slow.clear()
    await org.until(lambda: came(org, incident, "Ben"))
    person = (await org.participants(incident))["Ben"]
    assert [(each["text"], each["via"]) for each in person["evidence"]] == [("Severe payments", "on call for Failing")]
    await org.until(lambda: answered(org, incident))
    await org.until(lambda: mailed(org, incident, "Ana", "Ben", "Olive Owner"))
    assert "cannot say" not in await trouble(org)
    # It is known now, so that what is evaluated again finds nobody new.
    await org.patch(f"/incidents/{incident}", {"title": "Odder"})
    zoe = await org.individual("Zoe", "oddest")
    await org.patch(f"/incidents/{incident}", {"title": "The oddest"})
    await org.until(lambda: mailed(org, incident, "Ana", "Ben", "Olive Owner", zoe["name"]))


@pytest.mark.feature("E1")
async def test_a_team_by_its_list_gets_one_mail(org: Organization) -> None:
    ana = await org.individual("Ana")
    await org.post(
        "/teams",
        {
            "name": "Team Payments",
            "members": [ana["id"]],
            "notify": "list",
            "list_address": "payments@example.org",
            "terms": ["refund"],
        },
    )
    incident = (await org.report("The refund", tags=["refund"]))["id"]
    people = await org.participants(incident)
    assert set(people) == {"Olive Owner", "Team Payments (list)"}
    await org.until(lambda: mailed(org, incident, "Olive Owner", "Team Payments (list)"))
    its_own = [each for each in await org.deliveries(incident) if each["recipient"]["name"] == "Team Payments (list)"]
    assert [(each["kind"], each["channel"]) for each in its_own] == [("welcome", "email")]
    mailing_list = people["Team Payments (list)"]["individual"]["id"]
    answer = await org.api.put(f"/incidents/{incident}/commander", json={"individual": mailing_list})
    problem(answer, 409, "list_commands_nothing")


@pytest.mark.feature("E3", "R7")
async def test_rules_engage_in_restricted_incidents(org: Organization) -> None:
    ana = await org.individual("Ana")
    hidden = {"all": [{"attribute": "visibility", "operator": "is", "values": ["restricted"]}]}
    await rule(org, {"individual": ana["id"]}, when=hidden)
    assert "Ana" not in await org.participants((await org.report("Known to all"))["id"])
    assert "Ana" in await org.participants((await org.report("Layoffs", visibility="restricted"))["id"])


@pytest.mark.feature("E6")
async def test_why_and_why_not_are_told_of_any_moment(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    team = await org.post("/teams", {"name": "Team Payments", "members": [ana["id"]]})
    ledger = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [on_duty(ana["id"], ben["id"])]}})
    made = await rule(org, {"team": team["id"]}, {"oncall": ledger["id"]})
    incident = (await org.report("Odd", severity="Low", tags=["payments"]))["id"]
    why = f"/incidents/{incident}/engagements/why"
    before = (await org.get(why, individual=ana["id"]))["rules"]
    assert [(each["name"], each["holds"], each["via"]) for each in before] == [("Severe payments", False, "Team Payments")]
    low = now().isoformat()
    await org.patch(f"/incidents/{incident}", {"severity": "Critical"})
    await org.until(lambda: came(org, incident, "Ana"))
    found = await org.get(why, individual=ana["id"])
    assert (found["reason"], found["engaged"]) == ("engaged", True)
    [held] = found["rules"]
    assert (held["id"], held["version"], held["stood_for_them"]) == (made["id"], 1, True)
    assert held["sentence"].startswith("when severity is at least High and any tag is payments, engage Team Payments")
    assert held["conditions"] == [
        {"asked": "severity is at least High", "found": ["Critical"], "holds": True},
        {"asked": "any tag is payments", "found": ["payments"], "holds": True},
    ]
    not_on_duty = await org.get(why, individual=ben["id"])
    assert (not_on_duty["reason"], not_on_duty["engaged"]) == ("not_on_call", False)
    # What comes later changes nothing about back then.
    await org.patch(f"/engagement-rules/{made['id']}", {"when": {"all": [PAYMENTS]}})
    await org.patch(f"/teams/{team['id']}", {"members": []})
    then = await org.get(why, individual=ana["id"], at=low)
    assert (then["reason"], then["engaged"], then["at"]) == ("no_match", False, None)
    assert then["explanation"] == "The rule that would engage Ana does not hold."
    assert [(each["asked"], each["found"], each["holds"]) for each in then["rules"][0]["conditions"]] == [
        ("severity is at least High", ["Low"], False),
        ("any tag is payments", ["payments"], True),
    ]
    assert (await org.get(why, individual=ana["id"], at=now().isoformat()))["rules"] == [held]
    problem(await org.api.get(why, params={"individual": ana["id"], "at": "2020-01-01T00:00:00Z"}), 404, "not_found")


@pytest.mark.feature("E6", "E10")
async def test_why_names_the_service_that_cannot_tell(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana = await org.individual("Ana")
    await service(muster, org, "Mute", "booking")
    told.fails["Mute"] = "The provider answers 503."
    incident = (await org.report("The booking"))["id"]
    found = await org.get(f"/incidents/{incident}/engagements/why", individual=ana["id"])
    assert found["failures"] == ["Mute: The provider answers 503."]
    told.fails.clear()
    await org.until(lambda: answered(org, incident))
