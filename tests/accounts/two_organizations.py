"""An organization with something of everything, and another one full of what looks alike (O1)."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.accounts import Account, Attempt, Credential, Provider, Token
from services.store.base import Base
from services.store.contacts import Individual
from services.store.organizations import Project, Setting
from services.store.outbox import Errand, OutboxRow
from services.store.secrets import new_secret
from services.store.subscriptions import Subscription
from services.store.teams import OverrideRow
from tests.store.rows import ORGANIZATION_TABLES
from tests.support.running import Organization, RunningMuster

MARKER = "zanzibar"
"""What is in every text that one organization has and the other has not."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LATER = datetime(2099, 1, 1, tzinfo=UTC)
_SHORTEST = 12
"""How long a text must be to be known again."""

Dump = dict[str, list[dict[str, Any]]]


@dataclass
class Place:
    """An organization, with everything there is in it to ask about."""

    muster: RunningMuster
    org: Organization
    id: str
    account: str
    session: str
    """The secret of the owner's session in a browser."""
    fixed: dict[str, str] = field(default_factory=dict)
    keys: "itertools.count[int]" = field(default_factory=itertools.count)
    busy: set[str] = field(default_factory=set)
    """Things that were made a moment ago, and of which more is to come."""
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def database(self) -> Database:
        """Where it is kept."""
        return self.muster.muster.database

    @property
    def cookie(self) -> str:
        """The name of the cookie with a session."""
        return self.muster.muster.accounts.cookie(self.org.slug)

    async def thing(self, name: str) -> str:
        """Something of this organization to ask about, by what it is; what a request may change or end is made anew."""
        if name in self.fixed:
            return self.fixed[name]
        if name.startswith("was_"):
            # What a form says that an attribute of the incident was when it was opened.
            incident = await self.org.get(f"/incidents/{self.fixed['incident']}")
            return str(incident[name.removeprefix("was_")]["name"])
        make = getattr(self, f"_new_{name}", None)
        if make is None:
            pytest.fail(f"Say in Place of tests/accounts/two_organizations.py what “{name}” of an organization is: _new_{name}.")
        made: str = await make()
        return made

    async def dump(self) -> Dump:
        """Every row of this organization, but not when a token was last used."""
        found = {}
        async with self.database.engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                owner = table.c.id if table.name == "organizations" else table.c.organization_id
                columns = [column for column in table.c if column.name != "last_used_at"]
                rows = await connection.execute(select(*columns).where(owner == self.id).order_by(*table.primary_key))
                found[table.name] = [dict(row._mapping) for row in rows]
        return found

    async def settled(self) -> Dump:
        """The same, once nothing goes on any more."""
        before: Dump = {}
        async with asyncio.timeout(60):
            while True:
                now_ = await self.dump()
                under_way = [row for row in now_["deliveries"] if row["state"] == "pending"]
                under_way += [row for row in now_["outbox"] if row["next_at"] < _LATER]
                if now_ == before and not under_way:
                    self.busy.clear()
                    return now_
                before = now_
                await asyncio.sleep(0.3)

    async def _new_new(self) -> str:
        return f"n{next(self._count)}x{new_id()[-6:]}"

    async def _new_status(self) -> str:
        incident = await self.org.get(f"/incidents/{self.fixed['incident']}")
        return "fixing" if incident["status"]["id"] == "monitoring" else "monitoring"

    async def _new_individual(self) -> str:
        person = new_id()
        await self._add(Individual(id=person, name="Cleo", email=f"{person}@example.org", **self._belongs))
        return person

    async def _new_newcomer(self) -> str:
        person = await self._new_individual()
        await self.org.post(f"/incidents/{self.fixed['incident']}/participants", {"individual": person})
        self.busy.add(person)
        return person

    async def _new_account(self) -> str:
        account = new_id()
        person = await self._new_individual()
        row = {"role": "member", "password_hash": "of nothing"}
        await self._add(Account(id=account, individual_id=person, **row, **self._belongs))
        return account

    async def _new_invited(self) -> str:
        made = await self.org.post("/members", {"name": "Nia", "email": f"{new_id()}@example.org"})
        self.busy.add(made["id"])
        return str(made["id"])

    async def _new_person(self) -> str:
        """Somebody who has an account."""
        account = await self._new_account()
        async with self.database.read(self.id) as session:
            return (await session.get_one(Account, account)).individual_id

    async def _new_spare_team(self) -> str:
        made = await self.org.post("/teams", {"name": f"Team {new_id()}", "members": [self.fixed["participant"]]})
        return str(made["id"])

    async def _new_spare_service(self) -> str:
        return str((await self.org.post("/oncall-services", {"name": f"Service {new_id()}"}))["id"])

    async def _new_override(self) -> str:
        override, begin = new_id(), datetime(2098, 1, 1, tzinfo=UTC)
        row = {"service_id": self.fixed["service"], "individual_id": self.fixed["participant"]}
        await self._add(OverrideRow(id=override, from_at=begin, until_at=_LATER, **row, **self._belongs))
        return override

    async def _new_spare_layer(self) -> str:
        """The number of one that may go."""
        here = f"/oncall-services/{self.fixed['service']}"
        rotation = (await self.org.get(here))["rotation"]
        spare = layer("Spare", self.fixed["participant"])
        await self.org.patch(here, {"rotation": {"layers": [*rotation["layers"][:1], spare]}})
        return "1"

    async def _new_service_version(self) -> str:
        return str((await self.org.get(f"/oncall-services/{self.fixed['service']}"))["version"])

    async def _new_spare_rule(self) -> str:
        body = rule(f"Rule {new_id()}", "disk", {"individual": self.fixed["participant"]})
        return str((await self.org.post("/engagement-rules", body))["id"])

    async def _new_spare_policy(self) -> str:
        body = policy(f"Policy {new_id()}", "disk", self.fixed["participant"])
        return str((await self.org.post("/role-policies", body))["id"])

    async def _new_spare_role(self) -> str:
        return str((await self.org.post("/incident-roles", {"name": f"Role {new_id()}"}))["id"])

    async def _new_session(self) -> str:
        session = new_id()
        _, secret_hash = new_secret("session")
        row = {"kind": "session", "secret_hash": secret_hash, "expires_at": _LATER}
        await self._add(Credential(id=session, account_id=self.account, **row, **self._belongs))
        return session

    async def _new_project(self) -> str:
        project = new_id()
        await self._add(Project(id=project, organization_id=self.id, name=f"Project {project}"))
        return project

    async def _new_token(self) -> str:
        """That of a service."""
        person, account, token = await self._new_individual(), new_id(), new_id()
        _, secret_hash = new_secret("token")
        await self._add(Account(id=account, kind="service", individual_id=person, role="member", **self._belongs))
        row = {"name": "service", "scopes": ["read"], "secret_hash": secret_hash, "hint": "last", "created_by": self.account}
        await self._add(Token(id=token, account_id=account, **row, **self._belongs))
        return token

    @property
    def _belongs(self) -> dict[str, Any]:
        return {"organization_id": self.id, "created_at": now()}

    async def _add(self, row: Any) -> None:
        async with self.database.write(self.id) as session:
            session.add(row)


def layer(name: str, member: str) -> dict[str, Any]:
    """A layer of a rotation in which one is always on call."""
    starts = {"time_zone": "UTC", "starts_at": "2026-01-05T09:00", "every": {"weeks": 1}}
    return {"name": name, "members": [member], **starts}


def rule(name: str, tag: str, *engage: dict[str, str]) -> dict[str, Any]:
    """A rule about incidents with a tag."""
    when = {"all": [{"attribute": "tag", "operator": "is", "values": [tag]}]}
    return {"name": name, "when": when, "engage": list(engage), "role": "responder"}


def policy(name: str, tag: str, assignee: str, role: str = "commander") -> dict[str, Any]:
    """A policy that chooses somebody for a role in incidents with a tag."""
    when = {"all": [{"attribute": "tag", "operator": "is", "values": [tag]}]}
    return {"name": name, "role": role, "when": when, "assignee": {"individual": assignee}}


def texts(value: Any) -> set[str]:
    """Every text in a value, however deep, and every id in those."""
    if isinstance(value, dict):
        return {found for each in value.values() for found in texts(each)}
    if isinstance(value, list | tuple):
        return {found for each in value for found in texts(each)}
    return {value, *UUID.findall(value)} if isinstance(value, str) else set()


def telling(theirs: Dump, ours: Dump) -> set[str]:
    """The texts that are in one organization only, and long enough to be known again; of sentences, those with the marker.

    The others are Muster's own, about what happened to be sent late or not at all.
    """
    own = texts(theirs) - texts(ours)
    return {text for text in own if len(text) >= _SHORTEST and (MARKER in text or " " not in text)}


@asynccontextmanager
async def closing(*places: Place) -> AsyncIterator[None]:
    """Close their clients at the end."""
    yield
    for place in places:
        await place.org.api.aclose()


async def new_place(muster: RunningMuster) -> Place:
    """An organization with nothing in it yet."""
    org = await muster.organization()
    me = await org.get("/me")
    secret, secret_hash = new_secret("session")
    place = Place(muster, org, me["organization"]["id"], me["account"], secret)
    row = {"kind": "session", "label": "Firefox", "secret_hash": secret_hash, "expires_at": now() + timedelta(days=1)}
    async with muster.muster.database.write(place.id) as session:
        session.add(Credential(id=new_id(), account_id=place.account, organization_id=place.id, created_at=now(), **row))
    return place


async def fill(place: Place, word: str = "") -> None:
    """Put something of everything into an organization; ``word`` is in every text of it. May be done again with another one."""
    org, name, dot = place.org, f" {word}".rstrip(), f".{word}".rstrip(".")
    reached = {"email": f"ana{dot}@example.org", "addresses": [f"ana{dot}@home.example.org"]}
    ana = await _post(place, "/individuals", {"name": f"Ana{name}", "terms": [f"Drive{name}"], **reached})
    response = await org.api.put(f"/individuals/{ana['id']}/terms", json={"terms": [f"Disk{name}"]})
    assert response.is_success, response.text
    ben = await _post(place, "/individuals", {"name": f"Ben{name}", "email": f"ben{dot}@example.org", "terms": ["full"]})
    project = await _post(place, "/projects", {"name": f"Payments{name}", "self_join": True})
    await _post(place, "/tokens", {"name": f"deploys{name}", "scopes": ["read"]})
    await _post(place, "/tokens", {"name": f"alerts{name}", "scopes": ["report"], "kind": "service"})
    mia = {"name": f"Mia{name}", "email": f"mia{dot}@example.org", "projects": [project["id"]]}
    invited = await _post(place, "/members", mia)
    for each in (invited["id"], place.account):
        response = await org.api.put(f"/projects/{project['id']}/members/{each}")
        assert response.is_success, response.text
    await org.patch("/me", {"preferences": {"chat_identity": f"@olive{dot}"}})
    engaging = await _put_groups(place, ana["id"], ben["id"], name, dot)
    title, body = f"The disk{name} is full", {"description": f"Nothing goes{name}", "tags": [f"tag{dot}"]}
    kinds: tuple[dict[str, str], ...] = ({}, {"visibility": "restricted", "project": project["id"]})
    for number, more in enumerate(kinds):
        made = await org.report(title, **body, **more)
        here = f"/incidents/{made['id']}"
        await _post(place, f"{here}/participants", {"individual": ben["id"]})
        await _post(place, f"{here}/timeline", {"text": f"A note{name}"})
        await _post(place, f"{here}/messages", {"text": f"Hello there{name}"})
        await _post(place, f"{here}/subscribe", {})
        response = await org.api.put(f"{here}/commander", json={"individual": ben["id"]})
        assert response.is_success, response.text
        if number == 0:
            incident = made["id"]
            # Somebody else follows it too.
            follows = {"incident_id": incident, "individual_id": invited["individual"]["id"], "at": now()}
            async with place.database.write(place.id) as session:
                session.add(Subscription(organization_id=place.id, **follows))
            await _post(place, f"{here}/participants", {"individual": invited["individual"]["id"]})
            response = await org.api.delete(f"{here}/participants/{invited['individual']['id']}")
            assert response.is_success, response.text
    async with httpx.AsyncClient(base_url=org.base_url) as browser:
        wrong = {"email": f"guess{dot}@example.org", "password": "wrong"}
        assert (await browser.post(f"/{org.slug}/sign-in", data=wrong)).status_code == 401
    await _put_rows(place, name, dot)
    rows = await place.settled()
    chosen = {row["list"]: row["id"] for row in rows["settings"]}
    place.fixed = {
        **{"participant": ben["id"], "payments": project["id"], "kind": "channel", "name": "about"},
        **{each: chosen[each] for each in ("type", "severity", "priority")},
        **engaging,
        **of_incident(rows, incident),
    }


def of_incident(rows: Dump, incident: str) -> dict[str, str]:
    """An incident, and what there is of it to ask about."""
    mails = (row["id"] for row in rows["deliveries"] if row["incident_id"] == incident and row["channel"] == "email")
    delivery = next(mails)
    message = next(row["id"] for row in rows["inbox_messages"] if row["delivery_id"] == delivery)
    return {"incident": incident, "delivery": delivery, "message": message}


async def _post(place: Place, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """With a key that another organization uses as well."""
    return await place.org.post(path, body, headers={"Idempotency-Key": f"look-alike {next(place.keys)}"})


async def _put_groups(place: Place, ana: str, ben: str, name: str, dot: str) -> dict[str, str]:
    """Teams, an on-call service, a rule that engages them, and a role with a policy that gives it."""
    team = await _post(place, "/teams", {"name": f"Keepers{name}", "members": [ana], "terms": [f"ledger{name}"]})
    listed = {"notify": "list", "list_address": f"keepers{dot}@lists.example.org"}
    await _post(place, "/teams", {"name": f"Readers{name}", "members": [ana, ben], **listed})
    rotation = {"layers": [layer(f"Primary{name}", ana)]}
    service = await _post(place, "/oncall-services", {"name": f"Pager{name}", "rotation": rotation, "terms": [f"pager{name}"]})
    ahead = {"individual": ben, "from": "2098-01-01T09:00:00Z", "until": "2098-01-02T09:00:00Z"}
    await _post(place, f"/oncall-services/{service['id']}/overrides", ahead)
    made = rule(f"Full disks{name}", f"tag{dot}", {"individual": ben}, {"team": team["id"]}, {"oncall": service["id"]})
    kept = await _post(place, "/engagement-rules", made)
    await place.org.patch(f"/engagement-rules/{kept['id']}", {"name": f"Full disks, again{name}"})
    role = await _post(place, "/incident-roles", {"name": f"Scribe{name}", "description": f"Writes it down{name}"})
    chooses = await _post(place, "/role-policies", policy(f"Notes{name}", f"tag{dot}", ben, role["name"]))
    await place.org.patch(f"/role-policies/{chooses['id']}", {"name": f"Notes, again{name}"})
    return {
        **{"team": team["id"], "service": service["id"], "layer": "0"},
        **{"rule": kept["id"], "role": role["id"], "policy": chooses["id"]},
    }


async def _put_rows(place: Place, name: str, dot: str) -> None:
    """What no API makes, or not for long enough to be looked at."""
    belongs = {"organization_id": place.id}
    attempt = {"nonce": f"nonce{dot}", "code_verifier": f"verifier{dot}", "after": f"/{place.org.slug}{name}"}
    errand = {"subject_id": new_id(), "errand": Errand.CATCH_UP, "created_at": now(), "next_at": _LATER}
    link = {"account_id": place.account, "kind": "link", "secret_hash": new_id(), "expires_at": _LATER, "created_at": now()}
    setting = {"list": "type", "name": f"Flood{name}", "rank": 90 + bool(name)}
    async with place.database.write(place.id) as session:
        session.add(Attempt(id=new_id(), state_hash=new_id(), expires_at=_LATER, **attempt, **belongs))
        session.add(OutboxRow(id=new_id(), last_error=f"It was down{name}", **errand, **belongs))
        session.add(Credential(id=new_id(), label=f"link{name}", **link, **belongs))
        session.add(Setting(id=new_id(), **setting, **belongs))
    await put_provider(place, name, dot)


async def put_provider(place: Place, name: str = "", dot: str = "") -> None:
    """Give an organization a provider to sign in by, whether or not it has one."""
    provider = {"issuer": f"http://127.0.0.1:1/idp{dot}", "client_id": f"muster{dot}", "client_secret": f"very secret{name}"}
    async with place.database.write(place.id) as session:
        await session.merge(Provider(name=f"Corporate{name}", version=1, organization_id=place.id, **provider))


def require_rows(*dumps: Dump) -> None:
    """Make sure that there is something to tell apart in every table."""
    for table in ORGANIZATION_TABLES:
        for rows in dumps:
            if not rows[table.__tablename__]:
                pytest.fail(
                    f"Table “{table.__tablename__}” has no row: make some in fill() of tests/accounts/two_organizations.py."
                )
        counts = [len(rows[table.__tablename__]) for rows in dumps]
        assert len(set(counts)) == len(counts) or table is Provider, f"{table.__tablename__}: {counts} rows tell nobody apart"


@asynccontextmanager
async def nothing_changes(what: str, *places: Place) -> AsyncIterator[None]:
    """That organizations are the same, row by row, at the end of the block."""
    before = [await place.settled() if place.busy else await place.dump() for place in places]
    yield
    for place, was in zip(places, before, strict=True):
        now_ = await place.dump()
        changed = {table: [row for row in now_[table] if row not in was[table]] for table in was if was[table] != now_[table]}
        assert not changed, f"{what} changed {changed or 'rows away'} of {place.org.slug}"
