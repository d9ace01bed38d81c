"""The event log: one transaction, one chain, and the projections are its fold."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.accounts.organizations import Organizations
from services.kit.clock import now, rfc3339
from services.kit.database import Database
from services.kit.ids import new_id
from services.store import event_log
from services.store.contacts import Individual
from services.store.incidents import EventRow, Incident, ParticipantRow
from services.store.organizations import Organization, Project
from tests.store.commands import COMMANDS, PEOPLE
from workflows.domain import events as did
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.commands import Command
from workflows.domain.decide import drafts
from workflows.domain.errors import Refused
from workflows.domain.incident import IncidentState, fold
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE
from workflows.domain.record import faults

CHOICE = Choice(id="c", name="Some")
NOTE = did.Draft(command_id="note", actor=None, body=did.NoteAdded(text="a note"))


class Log:
    """An organization with people, whose incidents are written into the log as the workflow would."""

    def __init__(self, database: Database, organization: str, project: str, people: list[str]) -> None:
        self.database, self.organization, self.project, self.people = database, organization, project, people
        self.references = 0

    async def report(self) -> str:
        self.references += 1
        incident = new_id()
        body = did.Reported(
            reference=self.references,
            attributes=Attributes(title="A title", type=CHOICE, severity=CHOICE, priority=CHOICE),
            project=Choice(id=self.project, name="Default"),
            reporter=self.people[0],
            lifecycle=DEFAULT_LIFECYCLE,
        )
        async with self.database.write(self.organization) as session:
            await event_log.begin_incident(session, incident, did.Draft(command_id=new_id(), actor=self.people[0], body=body))
        return incident

    async def append(self, incident: str, expected: int, *bodies: did.Draft) -> list[did.Event]:
        async with self.database.write(self.organization) as session:
            return await event_log.append(session, incident, expected, bodies)

    async def state(self, incident: str) -> IncidentState:
        async with self.database.read(self.organization) as session:
            return IncidentState.model_validate((await session.get_one(Incident, incident)).state)

    async def folded(self, incident: str) -> IncidentState:
        async with self.database.read(self.organization) as session:
            return fold(incident, self.organization, await event_log.events(session, incident))

    async def give(self, incident: str, command: Command) -> None:
        state = await self.state(incident)
        try:
            await self.append(incident, state.seq, *drafts(command, state))
        except Refused:
            return

    async def faults(self, incident: str) -> list[str]:
        async with self.database.read(self.organization) as session:
            return faults(await event_log.recorded(session, incident))


@pytest.fixture
async def log(database: Database) -> Log:
    await Organizations(database).begin("log", "Log")
    async with database.read() as session:
        organization = (await session.scalars(select(Organization))).one().id
    people = list(PEOPLE)
    async with database.write(organization) as session:
        project = (await session.scalars(select(Project))).one().id
        for person in people:
            session.add(
                Individual(id=person, organization_id=organization, name=person, email=f"{person}@x.example", created_at=now())
            )
    return Log(database, organization, project, people)


@pytest.mark.feature("L11")
async def test_projections_are_the_fold_of_the_events(log: Log) -> None:
    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(commands=st.lists(COMMANDS, max_size=12))
    def holds(commands: list[Command]) -> None:
        asyncio.run_coroutine_threadsafe(check(commands), loop).result()

    async def check(commands: list[Command]) -> None:
        incident = await log.report()
        for number, command in enumerate(commands):
            await log.give(incident, command.model_copy(update={"command_id": f"{number}"}))
        await agrees(log, incident)

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(holds)


async def agrees(log: Log, incident: str) -> None:
    """State, columns and participants say what the events say, and the chain holds."""
    state = await log.folded(incident)
    assert await log.state(incident) == state
    assert await log.faults(incident) == []
    async with log.database.read(log.organization) as session:
        row = await session.get_one(Incident, incident)
        rows = (await session.scalars(select(ParticipantRow).where(ParticipantRow.incident_id == incident))).all()
        stamps = (await session.scalars(select(EventRow.at).where(EventRow.incident_id == incident).order_by(EventRow.seq))).all()
    assert (row.seq, row.title, row.description) == (state.seq, state.attributes.title, state.attributes.description)
    assert (row.status_id, row.category, row.is_open) == (state.status_id, state.status.category, not state.over)
    assert (row.commander_id, row.visibility) == (state.commander, state.visibility)
    assert {(each.individual_id, each.departed, each.joined) for each in rows} == {
        (each.individual, each.departed, each.joined) for each in state.participants.values()
    }
    assert list(stamps) == sorted(stamps)


@pytest.mark.feature("L11")
async def test_who_is_behind_learns_what_it_missed_and_writes_nothing(log: Log) -> None:
    incident = await log.report()
    await log.append(incident, 1, NOTE, NOTE)
    answered = await log.append(incident, 1, NOTE)
    assert [event.seq for event in answered] == [2, 3]
    assert [event.seq for event in await log.append(incident, 2)] == [3]
    assert await log.append(incident, 3) == []
    assert (await log.state(incident)).seq == 3


@pytest.mark.feature("L11")
async def test_of_writers_at_the_same_time_one_writes(log: Log) -> None:
    incident = await log.report()
    answers = await asyncio.gather(*(log.append(incident, 1, NOTE.model_copy(update={"command_id": f"{n}"})) for n in range(10)))
    assert len({answer[0].command_id for answer in answers}) == 1
    assert {len(answer) for answer in answers} == {1}
    await agrees(log, incident)


@pytest.mark.feature("L11", "R4")
async def test_a_batch_is_written_whole_or_not_at_all(log: Log) -> None:
    incident = await log.report()
    stranger = did.Draft(command_id="x", actor=None, body=did.CommanderChanged(before=None, after="nobody"))
    with pytest.raises(SQLAlchemyError):
        await log.append(incident, 1, NOTE, stranger, NOTE)
    assert (await log.state(incident)).seq == 1
    async with log.database.read(log.organization) as session:
        assert await session.scalar(select(func.count()).select_from(EventRow).where(EventRow.incident_id == incident)) == 1


@pytest.mark.feature("L11")
async def test_moments_never_go_back(log: Log) -> None:
    incident = await log.report()
    ahead = rfc3339(now() + timedelta(hours=1))
    async with log.database.write(log.organization) as session:
        await session.execute(update(EventRow).where(EventRow.incident_id == incident).values(at=ahead))
    (event,) = await log.append(incident, 1, NOTE)
    assert rfc3339(event.at) == ahead


@pytest.mark.feature("L11")
async def test_what_is_changed_in_the_database_shows_in_the_chain(log: Log) -> None:
    incident = await log.report()
    await log.append(incident, 1, NOTE, NOTE, NOTE)
    assert await log.faults(incident) == []
    changes = [
        update(EventRow).where(EventRow.seq == 2).values(payload={"command_id": "note", "actor": None, "body": {}}),
        update(EventRow).where(EventRow.seq == 3).values(at=rfc3339(now())),
        delete(EventRow).where(EventRow.seq == 2),
    ]
    for change in changes:
        async with log.database.write(log.organization) as session:
            await session.execute(change)
            assert faults(await event_log.recorded(session, incident))
            await session.rollback()
    async with log.database.write(log.organization) as session:
        await session.execute(update(EventRow).where(EventRow.seq == 2).values(payload=None, salt=None))
        assert faults(await event_log.recorded(session, incident)) == []
        await session.rollback()


async def test_an_unknown_incident_is_an_error(log: Log) -> None:
    with pytest.raises(LookupError):
        await log.append(new_id(), 1, NOTE)
