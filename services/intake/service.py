"""Taking reports, and showing what becomes of them."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.choices import SETTINGS, pick_project, pick_settings, unknown
from services.desk.lookup import Person, find_incident, people, resolve_person
from services.desk.views import IncidentView, Viewer, awaited, held, roles
from services.intake import repository
from services.intake.schemas import Receipt, ReceiptParticipant, ReportBody
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import FieldError, Invalid
from services.kit.ids import new_id
from services.kit.telemetry import traceparent
from services.store import event_log, outbox
from services.store.contacts import Individual
from services.store.incidents import Incident, ParticipantRow
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Evidence
from workflows.domain.events import Draft, Reported, ResourceKind
from workflows.domain.incident import IncidentState
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE
from workflows.domain.policy import Action


class IntakeService:
    """Takes reports. ``wake`` is called after one was taken, so that its workflow starts at once."""

    def __init__(self, viewer: Viewer, wake: Callable[[], None]) -> None:
        self._viewer = viewer
        self._wake = wake

    async def report(self, session: AsyncSession, actor: Actor, body: ReportBody, command_id: str) -> IncidentView:
        """Write the incident, its first event and the errand to start it, all in the caller's transaction.

        Raises:
            Invalid: a field names something the organization does not have.
        """
        actor.require(Action.REPORT)
        report = await self._resolve(session, actor, body)
        incident = new_id()
        draft = Draft(command_id=command_id, actor=actor.individual, body=report)
        state = await event_log.begin_incident(session, incident, draft)
        await outbox.put(session, actor.organization, incident, outbox.Errand.START, traceparent())
        session.info["after_commit"] = self._wake
        return (await self._viewer.show(session, actor, [state]))[0]

    async def receipt(self, session: AsyncSession, actor: Actor, reference: str) -> Receipt:
        """How far Muster has come with a report.

        Raises:
            NotFound: no such incident for this actor.
        """
        row = await find_incident(session, actor, reference)
        state = IncidentState.model_validate(row.state)
        found = await repository.participants(session, row.id)
        started = state.seq > 1 or await repository.is_started(session, row.id)
        commander = None
        if state.commander is not None:
            commander = (await people(session, [state.commander])).get(state.commander)
        return Receipt(
            incident=row.id,
            reference=f"INC-{row.reference}",
            title=row.title,
            state="ready" if state.opened or state.over else "working" if started else "starting",
            commander=commander,
            resources=[state.resources[kind] for kind in ResourceKind],
            participants=[_engaged(entry, person, row) for entry, person in found],
            held=held(state),
            awaited_on_call=awaited(state),
            links=self._viewer.links(actor.slug, row.id, row.reference),
        )

    async def _resolve(self, session: AsyncSession, actor: Actor, body: ReportBody) -> Reported:
        faults: list[FieldError] = []
        project = await pick_project(session, body.project)
        if project is None:
            faults.append(unknown("project", body.project))
        picked, missing = await pick_settings(session, {kind: getattr(body, kind) for kind in SETTINGS}, project)
        faults += missing
        try:
            commander = None if body.commander is None else await _active_person(session, "commander", body.commander)
        except Invalid as error:
            commander = None
            faults += error.errors
        if body.occurred_at is not None and body.occurred_at > now():
            faults.append(
                FieldError(field="occurred_at", code="in_future", message="An incident cannot have begun in the future.")
            )
        if faults or project is None:
            raise Invalid("Some fields are not valid.", errors=faults)
        return Reported(
            reference=await repository.next_reference(session),
            attributes=Attributes(
                title=body.title,
                description=body.description,
                type=picked["type"],
                severity=picked["severity"],
                priority=picked["priority"],
                tags=body.tags,
            ),
            project=Choice(id=project.id, name=project.name),
            reporter=actor.individual,
            commander=None if commander is None else commander.id,
            mode=body.mode,
            visibility=body.visibility,
            occurred_at=body.occurred_at,
            lifecycle=DEFAULT_LIFECYCLE,
        )


async def _active_person(session: AsyncSession, field: str, text: str) -> Individual:
    person = await resolve_person(session, field, text)
    if not person.active:
        raise Invalid.of(field, "inactive", f"{person.name} is no longer active. Make the contact active again first.")
    return person


def _engaged(row: ParticipantRow, person: Individual, incident: Incident) -> ReceiptParticipant:
    return ReceiptParticipant(
        individual=Person(id=person.id, name=person.name, email=person.email),
        roles=roles(person.id, incident.commander_id, incident.reporter_id),
        evidence=[Evidence.model_validate(piece) for piece in row.evidence],
        at=row.engaged_at,
    )
