"""Who takes part in an incident, and why (E5, E6)."""

import asyncio
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.commands import Desk
from services.desk.lookup import Person, find_incident, find_individual
from services.desk.views import roles
from services.engagement import repository
from services.engagement.schemas import EngagementView, ParticipantView, WhyView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import Conflict
from services.store.contacts import Individual, TermRow
from services.store.incidents import EventRow, Incident, ParticipantRow
from workflows.domain.commands import Add, Leave
from workflows.domain.engagement import Evidence, EvidenceKind, Match, candidates
from workflows.domain.events import Departure, Visibility
from workflows.domain.incident import IncidentState

LATE = timedelta(seconds=15)
"""How long an evaluation may take before the incident's page says that it is missing."""

State = Literal["engaged", "joined", "left", "removed"]

_GONE = {
    Departure.LEFT: "left the incident",
    Departure.REMOVED: "was removed from the incident",
    Departure.NOT_RELEVANT: "said that the incident is not relevant to them",
}


class EngagementService:
    """Participation, by people and by matching."""

    def __init__(self, database: Database, desk: Desk) -> None:
        self._database = database
        self._desk = desk

    async def participants(self, session: AsyncSession, actor: Actor, reference: str) -> list[ParticipantView]:
        """Everyone who is or was in an incident.

        Raises:
            NotFound: no such incident for this actor.
        """
        incident = await find_incident(session, actor, reference)
        found = await repository.participants(session, incident.id)
        return [_participant(row, person, incident) for row, person in found]

    async def participant(self, session: AsyncSession, incident: str, individual: str) -> ParticipantView:
        """One person's participation, for whoever has just changed it. ``incident`` is an id."""
        row = await session.get_one(ParticipantRow, (incident, individual))
        person = await session.get_one(Individual, individual)
        return _participant(row, person, await session.get_one(Incident, incident))

    async def engagements(self, session: AsyncSession, actor: Actor, reference: str) -> list[EngagementView]:
        """Why each person was engaged, in the order they came.

        Raises:
            NotFound: no such incident for this actor.
        """
        incident = await find_incident(session, actor, reference)
        found = await repository.participants(session, incident.id)
        return [
            EngagementView(individual=_person(person), state=_state(row), at=row.engaged_at, evidence=_evidence(row))
            for row, person in found
        ]

    async def why(self, session: AsyncSession, actor: Actor, reference: str, individual: str) -> WhyView:
        """Why a person is, or is not, in an incident.

        Raises:
            NotFound: no such incident for this actor, or no such individual.
        """
        incident = await find_incident(session, actor, reference)
        person = await find_individual(session, individual)
        row = await session.get(ParticipantRow, (incident.id, person.id))
        terms = (await repository.terms_of(session, [person.id]))[person.id]
        state = IncidentState.model_validate(incident.state)
        if row is not None:
            reason, explanation = _why_in(row, person)
        else:
            longest = max((term.words for term in terms), default=0)
            occurring = await asyncio.to_thread(candidates, state.attributes, longest)
            matching = [term for term in terms if term.normalised in occurring]
            looked = await repository.last_evaluated_seq(session, incident.id) >= state.attributes_seq
            reason, explanation = _why_not(person, bool(terms), matching, state, looked)
        return WhyView(
            individual=_person(person),
            engaged=row is not None and row.departed is None,
            at=None if row is None else row.engaged_at,
            reason=reason,
            explanation=explanation,
            evidence=[] if row is None else _evidence(row),
            terms=[term.phrase for term in terms],
        )

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
        """End a person's participation; the same match will not bring them back (E5). Answers the incident's id.

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


def _participant(row: ParticipantRow, person: Individual, incident: Incident) -> ParticipantView:
    return ParticipantView(
        individual=_person(person),
        roles=roles(person.id, incident.commander_id, incident.reporter_id),
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


def _why_in(row: ParticipantRow, person: Individual) -> tuple[str, str]:
    if row.departed is None:
        return "engaged", f"{person.name} is in the incident."
    departure = Departure(row.departed)
    return departure.value, f"{person.name} {_GONE[departure]}, so no match brings them in again."


def _why_not(person: Individual, has_terms: bool, matching: list[TermRow], state: IncidentState, looked: bool) -> tuple[str, str]:
    name = person.name
    if not person.active:
        return "inactive", f"{name} is not active, and only active people are engaged."
    if not has_terms:
        return "no_terms", f"{name} has no terms, so nothing in an incident can match."
    if not matching:
        return "no_match", f"None of {name}'s terms occurs in the title, description, type, severity, priority or tags."
    if state.visibility is Visibility.RESTRICTED and all(term.self_set for term in matching):
        return "self_set_term", (
            f"{name}'s own term matches, but a restricted incident is joined only by terms that an administrator set: "
            "one can remove the term and set it again."
        )
    if state.over:
        return "over", "The incident is over; people are engaged only while it is open."
    if not looked:
        return "not_evaluated_yet", f"{name} matches, and Muster is about to look for people again."
    return "term_is_newer", (
        f"{name}'s term is newer than the last change of the incident, or did not count while it was restricted; "
        f"the next change will engage {name}."
    )
