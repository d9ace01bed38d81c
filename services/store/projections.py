"""What lists and pages read, brought up to date with each batch of events, in the same transaction."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.base import organization_of
from services.store.incidents import Incident, ParticipantRow
from services.store.matches import Causes, note_not_relevant
from workflows.domain.engagement import EvidenceKind
from workflows.domain.events import Departure, Event, ParticipantLeft, ParticipantsEngaged, RolesAssigned
from workflows.domain.incident import IncidentState


async def project(session: AsyncSession, incident: Incident, state: IncidentState, written: Sequence[Event]) -> None:
    """Bring the incident's row to ``state``, and the participants' rows up to date with the events that led there."""
    _show(incident, state)
    for event in written:
        if isinstance(event.body, ParticipantsEngaged):
            await _engaged(session, state, event, event.body)
        elif isinstance(event.body, ParticipantLeft):
            row = await session.get_one(ParticipantRow, (state.id, event.body.individual))
            row.departed, row.departed_reason, row.departed_at = event.body.how, event.body.reason, event.at
            if event.body.how is Departure.NOT_RELEVANT:
                await note_not_relevant(session, state.id, _causes(row), event.at)
        elif isinstance(event.body, RolesAssigned):
            for person in event.body.people:
                row = await session.get_one(ParticipantRow, (state.id, person.individual))
                row.roles = list(dict.fromkeys([*row.roles, *person.roles]))
                row.evidence = [*row.evidence, *(piece.model_dump(mode="json") for piece in person.evidence)]


def _show(row: Incident, state: IncidentState) -> None:
    row.reference = state.reference
    row.seq = state.seq
    row.title = state.attributes.title
    row.description = state.attributes.description
    row.type_id = state.attributes.type.id
    row.severity_id = state.attributes.severity.id
    row.priority_id = state.attributes.priority.id
    row.project_id = state.project.id
    row.visibility = state.visibility
    row.mode = state.mode
    row.status_id = state.status_id
    row.category = state.status.category
    row.is_open = not state.over
    row.reporter_id = state.reporter
    row.commander_id = state.commander
    row.reported_at = state.reported_at
    row.state = state.model_dump(mode="json")


def _causes(row: ParticipantRow) -> Causes:
    """What engaged somebody."""
    named = {kind: [each["id"] for each in row.evidence if each["kind"] == kind] for kind in EvidenceKind}
    return Causes(rules=named[EvidenceKind.RULE], terms=named[EvidenceKind.TERM])


async def _engaged(session: AsyncSession, state: IncidentState, event: Event, body: ParticipantsEngaged) -> None:
    people = [person.individual for person in body.people]
    # Someone who comes back has a row already.
    query = select(ParticipantRow).where(ParticipantRow.incident_id == state.id, ParticipantRow.individual_id.in_(people))
    known = {row.individual_id: row for row in await session.scalars(query)}
    for person in body.people:
        row = known.get(person.individual)
        if row is None:
            row = ParticipantRow(organization_id=organization_of(session), incident_id=state.id, individual_id=person.individual)
            session.add(row)
        row.roles = list(person.roles)
        row.joined = body.joined
        row.departed = row.departed_reason = row.departed_at = None
        row.engaged_at = event.at
        row.evidence = [piece.model_dump(mode="json") for piece in person.evidence]
