"""A thousand people whom one report engages: each comes in and is told once, in bounded parallel, while pages go on (E4, N6)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import event, func, inspect, select

from services.kit.clock import now
from services.kit.ids import new_id
from services.kit.temporal_server import EmbeddedTemporal
from services.lifecycle.stream import TICK
from services.store.contacts import Individual, TermRow
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from tests.conftest import new_muster
from tests.lifecycle.crowds import crowd, held
from tests.support.ports import free_port
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.definitions.notification import WINDOW

CROWD: Final = 1_000
LONG: Final = 240.0
"""Seconds for all of it on a machine that has much else to do."""
LARGE: Final = 250_000
"""Bytes that no page reaches, however many people there are; asking about them with all their names is larger."""


class Connection(SMTP):
    """A connection to the mail server, which counts those that are open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """One more."""
        self.event_handler.opened(1)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """One less."""
        self.event_handler.opened(-1)
        super().connection_lost(error)


@dataclass
class Mails:
    """A mail server that takes its moment for each mail: to whom they went, and how many connections were open at most."""

    port: int = field(default_factory=free_port)
    to: Counter[str] = field(default_factory=Counter)
    most: int = 0
    open: int = 0

    def opened(self, more: int) -> None:
        """A connection was opened, or closed."""
        self.open += more
        self.most = max(self.most, self.open)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook."""
        await asyncio.sleep(0.05)
        self.to.update(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture(scope="module")
async def mails() -> AsyncIterator[Mails]:
    made = Mails()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(made, hostname="mail.test", loop=loop), "127.0.0.1", made.port)
    yield made
    server.close()


@pytest.fixture(scope="module")
async def muster(
    temporal: EmbeddedTemporal, mails: Mails, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[RunningMuster]:
    """A Muster that sends mail. On SQLite, where writers take turns."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MUSTER_SMTP_HOST", "127.0.0.1")
        environment.setenv("MUSTER_SMTP_PORT", str(mails.port))
        environment.setenv("MUSTER_SMTP_SECURITY", "none")
        async with new_muster("sqlite", temporal, tmp_path_factory, request) as running:
            yield running


async def gather_crowd(muster: RunningMuster, organization: str) -> None:
    """So many contacts with the term "pump"."""
    common = {"organization_id": organization, "version": 1, "created_at": now()}
    ids = [new_id() for _ in range(CROWD)]
    async with muster.muster.database.write(organization) as session:
        session.add_all(
            Individual(id=each, name=f"Person {number:04}", email=f"p{number}@x.example", **common)
            for number, each in enumerate(ids)
        )
        await session.flush()
        session.add_all(
            TermRow(id=new_id(), individual_id=each, phrase="Pump", normalised="pump", words=1, self_set=False, **common)
            for each in ids
        )


@dataclass
class Watcher:
    """Somebody who looks at pages again and again: how they were answered, and how large they became."""

    statuses: set[int] = field(default_factory=set)
    largest: Counter[str] = field(default_factory=Counter)
    looks: int = 0

    async def look(self, org: Organization, *pages: str) -> None:
        """Until cancelled; each has to answer within the client's patience."""
        while True:
            for page in pages:
                answer = await org.api.get(page, headers=HTML)
                self.statuses.add(answer.status_code)
                self.largest[page] = max(self.largest[page], len(answer.content))
                self.looks += 1
            await asyncio.sleep(1)


async def ledger(muster: RunningMuster, organization: str, incident: str) -> Counter[tuple[str, str]]:
    """How many welcomes to an incident there are, by channel and state."""
    query = select(Delivery.channel, Delivery.state, func.count())
    query = query.where(Delivery.incident_id == incident, Delivery.kind == "welcome")
    async with muster.muster.database.read(organization) as session:
        found = await session.execute(query.group_by(Delivery.channel, Delivery.state))
        return Counter({(channel, state): number for channel, state, number in found})


async def in_doubt(muster: RunningMuster, organization: str, incident: str) -> set[str]:
    """The addresses for which a worker was so slow, on a machine that has much else to do, that it was taken for dead."""
    query = select(Delivery.address).where(Delivery.incident_id == incident, Delivery.in_doubt)
    async with muster.muster.database.read(organization) as session:
        return set(await session.scalars(query))


async def follow(org: Organization, path: str, said: Counter[str]) -> None:
    """Count what the stream says, until cancelled."""
    async with org.api.stream("GET", path) as response:
        async for line in response.aiter_lines():
            kind, _, name = line.partition(": ")
            said[name] += kind == "event"


@contextmanager
def counted(muster: RunningMuster) -> Iterator[list[str]]:
    """The statements that reach the database, but for what the relay and the tail ask by themselves."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("SELECT") and "FROM outbox" not in statement:
            statements.append(statement)

    engine = muster.muster.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def whole_states() -> Iterator[list[str]]:
    """The incidents whose whole state is read, each time it is: everyone who is in them is in it."""
    read: list[str] = []

    def note(incident: Incident, _: Any) -> None:
        if "state" not in inspect(incident).unloaded:
            read.append(incident.id)

    event.listen(Incident, "load", note)
    try:
        yield read
    finally:
        event.remove(Incident, "load", note)


@pytest.mark.feature("E4", "N6")
async def test_to_welcome_one_of_a_crowd_the_others_are_not_read(muster: RunningMuster, org: Organization) -> None:
    organization = (await org.get("/me"))["organization"]["id"]
    people = len(await crowd(muster, org)) + 1
    incident = await held(org)
    everybody = Counter({("email", "sent"): people, ("chat", "sent"): people})
    with whole_states() as read:
        await org.post(f"/incidents/{incident['id']}/engagement-answer", {"bring_in": "all"})
        async with asyncio.timeout(PATIENCE):
            while await ledger(muster, organization, incident["id"]) != everybody:
                await asyncio.sleep(0.1)
    assert 0 < len(read) < people / 2, "for the answer and its few events, not for each message"


@pytest.mark.timeout(300)
@pytest.mark.feature("E4", "E5", "E7", "N6")
async def test_a_thousand_people_are_welcomed_once_each_while_pages_go_on(
    muster: RunningMuster, org: Organization, mails: Mails
) -> None:
    organization = (await org.get("/me"))["organization"]["id"]
    await gather_crowd(muster, organization)
    incident = await held(org)
    path, page = f"/incidents/{incident['id']}", f"{muster.base_url}/{org.slug}/incidents/{incident['reference']}"
    pages = (
        page,
        f"{page}?tab=channel",
        f"{page}?tab=deliveries",
        f"{page}/fragments/people",
        f"{page}/people",
        f"{page}/receipt",
    )
    lists = (f"{muster.base_url}/{org.slug}", "/incidents", path)
    everybody = Counter({("email", "sent"): CROWD + 1, ("chat", "sent"): CROWD + 1})

    watcher, said, clock = Watcher(), Counter[str](), asyncio.get_running_loop().time
    watching = [asyncio.create_task(each) for each in (watcher.look(org, *pages, *lists), follow(org, f"{path}/stream", said))]
    await org.post(f"{path}/engagement-answer", {"bring_in": "all"})
    began = clock()
    while (told := await ledger(muster, organization, incident["id"])) != everybody and clock() < began + LONG:
        await asyncio.sleep(1)
    took = clock() - began
    print(f"{CROWD:,} people: {took:.0f} s, {watcher.looks} looks, at most {mails.most} mails at once")  # noqa: T201
    assert told == everybody
    for task in watching:
        task.cancel()
    ended = await asyncio.gather(*watching, return_exceptions=True)
    assert [repr(error) for error in ended if not isinstance(error, asyncio.CancelledError)] == []

    again = {address for number in range(CROWD) if mails.to[address := f"p{number}@x.example"] != 1}
    assert again <= await in_doubt(muster, organization, incident["id"]), "one mail each, unless the ledger says so"
    assert 1 < mails.most <= WINDOW
    people = await org.every(f"{path}/participants")
    assert len({each["individual"]["id"] for each in people}) == len(people) == CROWD + 1
    # A page that nobody could look at while it all happened would not have been looked at often.
    assert watcher.statuses == {200}
    assert watcher.looks >= len(pages) + len(lists)
    assert {page: length for page, length in watcher.largest.items() if length > LARGE} == {}
    assert max(said.values()) <= took / TICK + 2, "the stream says once a tick at most that something changed"

    # With three people on it, the same statements lead to a page.
    small = await org.report("A quiet one")
    await org.until(lambda: org.all_sent(small["id"]))
    for each in pages:
        costs = []
        for reference in (incident["reference"], small["reference"]):
            with counted(muster) as statements:
                assert (await org.api.get(each.replace(incident["reference"], reference), headers=HTML)).status_code == 200
            costs.append(len(statements))
        assert costs[0] <= costs[1] + 1, each

    everyone = await org.api.get(pages[4], headers=HTML)
    assert f"{CROWD + 1:,} people" in everyone.text
    assert 'rel="next"' in everyone.text
    found = await org.api.get(pages[4], params={"q": "Person 0777"}, headers=HTML)
    assert (found.text.count('<li id="person-'), "Person 0777" in found.text) == (1, True)
