"""Who takes part in an incident, and why (E5, E6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.commands import Desk
from services.desk.lookup import Person, find_incident, find_individual
from services.desk.views import roles
from services.engagement import repository
from services.engagement.schemas import EngagementView, ParticipantView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import Conflict
from services.kit.paging import Page, Pagination, cut, decode_after
from services.store.contacts import Individual
from services.store.incidents import EventRow, Incident, ParticipantRow
from workflows.domain.commands import Add, Leave
from workflows.domain.engagement import Evidence, EvidenceKind, Match
from workflows.domain.events import Departure
from workflows.domain.incident import IncidentState

LATE = timedelta(seconds=15)
"""How long an evaluation may take before the incident's page says that it is missing."""

SHOWN = 50
"""How many people are shown at once."""

State = Literal["engaged", "joined", "left", "removed"]


class Crowd(NamedTuple):
    """Those who are in an incident (``here``: some of them, the commander and the reader first), and those who went.

    ``lists`` is how many of those present are mailing lists, and ``inside`` whether the reader is in.
    """

    present: int
    lists: int
    gone: int
    inside: bool
    here: list[ParticipantView]
    went: list[ParticipantView]


class EngagementService:
    """Participation, by people and by matching."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._desk = desk

    async def participants(
        self, session: AsyncSession, actor: Actor, reference: str, after: str | None, page_size: int
    ) -> Page[ParticipantView]:
        """A page of everyone who is or was in an incident, by name.

        Raises:
            NotFound: no such incident for this actor.
            BadRequest: ``unknown_after``.
        """
        incident = await find_incident(session, actor, reference)
        shown, pagination = await _named(session, f"everyone {incident.id}", incident, after, page_size, gone=True)
        return Page(data=[_participant(row, person, incident) for row, person in shown], pagination=pagination)

    async def crowd(self, session: AsyncSession, actor: Actor, reference: str) -> Crowd:
        """How many are and were in an incident, and some of them: it is read in the same time however many they are.

        Raises:
            NotFound: no such incident for this actor.
        """
        incident = await find_incident(session, actor, reference)
        first = [each for each in (incident.commander_id, actor.individual) if each is not None]
        present, lists, gone = await repository.count_participants(session, incident.id)
        here, went = [
            await repository.some_participants(session, incident.id, departed=departed, first=first, limit=SHOWN)
            for departed in (False, True)
        ]
        return Crowd(
            present=present,
            lists=lists,
            gone=gone,
            inside=any(person.id == actor.individual for _, person in here),
            here=[_participant(row, person, incident) for row, person in here],
            went=[_participant(row, person, incident) for row, person in went],
        )

    async def named(
        self, session: AsyncSession, actor: Actor, reference: str, q: str = "", after: str | None = None
    ) -> Page[ParticipantView]:
        """A page of those who are in an incident, by name; the words of ``q`` begin words of the name or the address.

        Raises:
            NotFound: no such incident for this actor.
            BadRequest: ``unknown_after``.
        """
        incident = await find_incident(session, actor, reference)
        shown, pagination = await _named(session, f"participants {incident.id} {q}", incident, after, SHOWN, gone=False, q=q)
        return Page(data=[_participant(row, person, incident) for row, person in shown], pagination=pagination)

    async def participant(self, session: AsyncSession, incident: str, individual: str) -> ParticipantView:
        """One person's participation, for whoever has just changed it. ``incident`` is an id."""
        row = await session.get_one(ParticipantRow, (incident, individual))
        person = await session.get_one(Individual, individual)
        return _participant(row, person, await session.get_one(Incident, incident))

    async def engagements(
        self, session: AsyncSession, actor: Actor, reference: str, after: str | None, page_size: int
    ) -> Page[EngagementView]:
        """Why each person was engaged: a page of them, by name.

        Raises:
            NotFound: no such incident for this actor.
            BadRequest: ``unknown_after``.
        """
        incident = await find_incident(session, actor, reference)
        shown, pagination = await _named(session, f"engagements {incident.id}", incident, after, page_size, gone=True)
        data = [
            EngagementView(individual=_person(person), state=_state(row), at=row.engaged_at, evidence=_evidence(row))
            for row, person in shown
        ]
        return Page(data=data, pagination=pagination)

    async def is_late(self, session: AsyncSession, actor: Actor, reference: str) -> bool:
        """Whether the attributes changed a while ago and nobody could look for people since: the page must say so.

        Raises:
            NotFound: no such incident for this actor.
        """
        incident = await find_incident(session, actor, reference)
        state = IncidentState.model_validate(incident.state)
        looked = await repository.last_evaluated_seq(session, incident.id)
        if state.over or looked >= state.attributes_seq:
            return False
        changed = await session.get_one(EventRow, (incident.id, state.attributes_seq))
        return datetime.fromisoformat(changed.at) < now() - LATE

    async def add(self, actor: Actor, reference: str, individual: str, command_id: str) -> str:
        """Bring a person in by hand; also someone who went. Answers the incident's id.

        Raises:
            NotFound, Conflict: no such person or incident; the person is no longer active, or the incident is over.
            Pending, Unavailable: see ``Desk.command``.
        """
        async with self._database.read(actor.organization) as session:
            person = await find_individual(session, individual)
        if not person.active:
            raise Conflict(f"{person.name} is no longer active. Make the contact active again first.", "individual_inactive")
        evidence = Evidence(kind=EvidenceKind.MANUAL, text=f"added by {actor.name}")
        return await self._bring(actor, reference, person.id, evidence, command_id)

    async def join(self, actor: Actor, reference: str, command_id: str) -> str:
        """Join an incident one can see; answers its id.

        Raises:
            NotFound, Conflict, Pending, Unavailable: see ``Desk.command``.
        """
        evidence = Evidence(kind=EvidenceKind.SELF_JOIN, text="joined")
        return await self._bring(actor, reference, actor.individual, evidence, command_id)

    async def leave(
        self, actor: Actor, reference: str, individual: str, how: Departure, command_id: str, reason: str | None = None
    ) -> str:
        """End a person's participation; no match brings them back (E5). Answers the incident's id.

        Raises:
            NotFound, Conflict, Pending, Unavailable: see ``Desk.command``.
        """
        return await self._desk.command(
            actor,
            reference,
            lambda _: Leave(command_id=command_id, actor=actor.individual, individual=individual, how=how, reason=reason or None),
        )

    async def _bring(self, actor: Actor, reference: str, individual: str, evidence: Evidence, command_id: str) -> str:
        person = Match(individual=individual, evidence=(evidence,), roles=("participant",))
        joined = evidence.kind is EvidenceKind.SELF_JOIN
        return await self._desk.command(
            actor,
            reference,
            lambda _: Add(command_id=command_id, actor=actor.individual, match=person, joined=joined),
        )


async def _named(
    session: AsyncSession, scope: str, incident: Incident, after: str | None, page_size: int, *, gone: bool, q: str = ""
) -> tuple[Sequence[tuple[ParticipantRow, Individual]], Pagination]:
    position = None if after is None else decode_after(scope, after, 2)
    rows = await repository.named_participants(session, incident.id, position, page_size + 1, gone=gone, q=q)
    return cut(rows, page_size, scope, lambda row: [row[1].name, row[1].id])


def _participant(row: ParticipantRow, person: Individual, incident: Incident) -> ParticipantView:
    return ParticipantView(
        individual=_person(person),
        is_list=person.kind == "list",
        roles=roles(person.id, incident.commander_id, incident.reporter_id, row.roles),
        state=_state(row),
        joined_at=row.engaged_at,
        left_reason=row.departed_reason,
        evidence=_evidence(row),
    )


def _person(person: Individual) -> Person:
    return Person(id=person.id, name=person.name, email=person.email)


def _evidence(row: ParticipantRow) -> list[Evidence]:
    return [Evidence.model_validate(piece) for piece in row.evidence]


def _state(row: ParticipantRow) -> State:
    if row.departed is not None:
        return "removed" if row.departed == Departure.REMOVED else "left"
    return "joined" if row.joined else "engaged"
