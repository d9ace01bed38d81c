"""How an incident is shown, by whichever service answers."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import Person, people, visible_to
from services.kit.auth import Actor
from services.kit.clock import now
from services.store.incidents import Incident
from workflows.domain.attributes import Choice
from workflows.domain.engagement import COMMANDER
from workflows.domain.events import Mode, Resource, ResourceKind, Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.lifecycle import OVER, Status


class Links(BaseModel):
    """Where to go on with an incident."""

    self: str
    page: str
    receipt: str
    stream: str


class StatusTime(BaseModel):
    """A status, and when the incident last entered it."""

    status: Status
    at: datetime


class Held(BaseModel):
    """How many people are held back until the commander says who comes in; without an answer by ``until`` all of them do.

    ``version`` is the last event that added to them.
    """

    count: int
    until: datetime
    version: int


class Awaited(BaseModel):
    """An on-call service that cannot say yet who is on call, the role that person is wanted for, and why it cannot."""

    service: Choice
    role: str
    reason: str | None


class IncidentView(BaseModel):
    """An incident. ``duration_seconds`` runs from its beginning and stops at its end.

    ``version`` is its last event, ``attributes_version`` the last that changed an attribute or the visibility. ``statuses`` are
    those of its lifecycle, in their order. ``commander_stands_in`` until it is found whom the role policies choose.

    ``merged_into`` is None as well while the reader may not see that one.
    """

    id: str
    reference: str
    title: str
    description: str
    status: Status
    type: Choice
    severity: Choice
    priority: Choice
    tags: list[str]
    project: Choice
    mode: Mode
    visibility: Visibility
    commander: Person | None
    commander_stands_in: bool
    reporter: Person
    reported_at: datetime
    started_at: datetime
    stable_at: datetime | None
    closed_at: datetime | None
    duration_seconds: int
    merged_into: str | None
    lifecycle_version: int
    statuses: list[Status]
    status_times: list[StatusTime]
    next_statuses: list[Status]
    resources: list[Resource]
    held: Held | None
    awaited_on_call: list[Awaited]
    awaits_role_policies: bool
    version: int
    attributes_version: int
    links: Links


class Viewer:
    """Shows incidents with links that begin with Muster's public address."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def links(self, slug: str, incident: str, reference: int) -> Links:
        """Where to go on with an incident."""
        api = f"{self._base_url}/api/v1/{slug}/incidents/{incident}"
        page = f"{self._base_url}/{slug}/incidents/INC-{reference}"
        return Links(self=api, page=page, receipt=f"{page}/receipt", stream=f"{api}/stream")

    async def show(self, session: AsyncSession, actor: Actor, states: Sequence[IncidentState]) -> list[IncidentView]:
        """Incidents as views, with one query for all the people in them, and one for what they were merged into."""
        known = await people(session, [person for state in states for person in (state.commander, state.reporter)])
        merged = {state.merged_into for state in states if state.merged_into is not None}
        seen: set[str] = set()
        if merged:
            seen.update(await session.scalars(select(Incident.id).where(Incident.id.in_(merged), visible_to(actor))))
        return [self._show(actor, state, known, seen) for state in states]

    def _show(self, actor: Actor, state: IncidentState, known: dict[str, Person], seen: set[str]) -> IncidentView:
        end = state.ended_at or now()
        entered = sorted(state.stamps.items(), key=lambda stamp: stamp[1])
        return IncidentView(
            id=state.id,
            reference=f"INC-{state.reference}",
            title=state.attributes.title,
            description=state.attributes.description,
            status=state.status,
            type=state.attributes.type,
            severity=state.attributes.severity,
            priority=state.attributes.priority,
            tags=list(state.attributes.tags),
            project=state.project,
            mode=state.mode,
            visibility=state.visibility,
            commander=None if state.commander is None else known[state.commander],
            commander_stands_in=state.stand_in and _looks_for_commander(state),
            reporter=known[state.reporter],
            reported_at=state.reported_at,
            started_at=state.started_at,
            stable_at=state.stable_at,
            closed_at=state.ended_at if state.status.category in OVER else None,
            duration_seconds=max(0, int((end - state.started_at).total_seconds())),
            merged_into=state.merged_into if state.merged_into in seen else None,
            lifecycle_version=state.lifecycle.version,
            statuses=list(state.lifecycle.statuses),
            status_times=[StatusTime(status=state.lifecycle.status(name), at=at) for name, at in entered],
            next_statuses=list(state.reachable()),
            resources=[state.resources[kind] for kind in ResourceKind],
            held=held(state),
            awaited_on_call=awaited(state),
            awaits_role_policies=state.roles_awaited and not state.over,
            version=state.seq,
            attributes_version=state.attributes_seq,
            links=self.links(actor.slug, state.id, state.reference),
        )


def held(state: IncidentState) -> Held | None:
    """The crowd of whom it is asked whether they come in."""
    asked = state.asked()
    if state.held_until is None or not asked:
        return None
    return Held(count=len(asked), until=state.held_until, version=max(asked.values()))


def awaited(state: IncidentState) -> list[Awaited]:
    """The on-call services that are asked until they can tell: each service and role once, though policy and match may wait."""
    waited = {(each.service.id, each.role): each for each in state.asking}
    return [Awaited(service=each.service, role=each.role, reason=each.reason) for each in waited.values()]


def _looks_for_commander(state: IncidentState) -> bool:
    return not state.over and (state.roles_awaited or any(each.role == COMMANDER for each in state.waiting))


def roles(individual: str, commander: str | None, reporter: str, taken: Sequence[str] = ()) -> list[str]:
    """What a participant is in an incident; ``taken`` are the roles they came in with, or took on."""
    return [
        *(["commander"] if individual == commander else []),
        *(["reporter"] if individual == reporter else []),
        *(role for role in taken if role not in {COMMANDER, "reporter", "participant"}),
    ] or ["participant"]
