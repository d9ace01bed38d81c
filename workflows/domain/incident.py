"""The incident itself: its state, what a command leads to (``decide``), and what an event changes (``evolve``)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import Field

from workflows.domain.attributes import Attributes, Choice
from workflows.domain.events import Departure, Event, Mode, Resource, ResourceKind, ResourceState, Visibility
from workflows.domain.lifecycle import OVER, Category, LifecycleSettings, Status
from workflows.domain.model import Value

SEEN_LIMIT: Final = 500
"""How many command ids an incident remembers: a client repeats within seconds, never after hundreds of other commands."""


class Participant(Value):
    """A person in the incident. ``engaged_seq`` is the event that brought them in; ``departed`` tells that and how they went."""

    individual: str
    engaged_seq: int
    joined: bool = False
    departed: Departure | None = None


class IncidentState(Value):
    """All that later decisions depend on; the fold of the incident's events. Carried when the workflow continues as new.

    ``attributes_seq`` is the last event that changed an attribute (and so calls for an evaluation of engagement).
    ``seen`` maps the latest command ids to the last event each led to. ``stamps`` holds when each status was last entered.
    """

    id: str
    organization: str
    seq: int
    reference: int
    attributes: Attributes
    attributes_seq: int
    project: Choice
    mode: Mode
    visibility: Visibility
    lifecycle: LifecycleSettings
    status_id: str
    stamps: dict[str, datetime]
    reported_at: datetime
    started_at: datetime
    reporter: str
    requested_commander: str | None = None
    commander: str | None = None
    stable_at: datetime | None = None
    ended_at: datetime | None = None
    merged_into: str | None = None
    absorbed: tuple[str, ...] = ()
    opened: bool = False
    participants: dict[str, Participant] = Field(default_factory=dict)
    resources: dict[ResourceKind, Resource] = Field(default_factory=dict)
    seen: dict[str, int] = Field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The present status."""
        return self.lifecycle.status(self.status_id)

    @property
    def over(self) -> bool:
        """Whether the incident is no longer open."""
        return self.status.category in OVER

    def present(self, individual: str) -> bool:
        """Whether this person is in the incident now."""
        participant = self.participants.get(individual)
        return participant is not None and participant.departed is None

    def unsettled(self) -> list[ResourceKind]:
        """The resources that are still being made, in their fixed order."""
        return [kind for kind in ResourceKind if self.resources[kind].state is ResourceState.PENDING]

    def awaited(self) -> bool:
        """Whether a resource may be ready any moment: one that is being made, and has not failed so far."""
        return any(self.resources[kind].reason is None for kind in self.unsettled())

    def reachable(self) -> tuple[Status, ...]:
        """The statuses the incident may move to now."""
        return self.lifecycle.reachable(self.status)


def fold(incident: str, organization: str, events: Iterable[Event]) -> IncidentState:
    """The state after these events, which must begin with the report.

    Raises:
        ValueError: there is no event.
    """
    state: IncidentState | None = None
    for event in events:
        state = begin(incident, organization, event) if state is None else evolve(state, event)
    if state is None:
        raise ValueError("an incident has at least the event of its report")
    return state


def begin(incident: str, organization: str, event: Event) -> IncidentState:
    """The state after the report."""
    report = event.body
    if report.kind != "reported":
        raise ValueError("the first event of an incident is its report")
    first = report.lifecycle.first(Category.REPORTED)
    return IncidentState(
        id=incident,
        organization=organization,
        seq=event.seq,
        reference=report.reference,
        attributes=report.attributes,
        attributes_seq=event.seq,
        project=report.project,
        mode=report.mode,
        visibility=report.visibility,
        lifecycle=report.lifecycle,
        status_id=first.id,
        stamps={first.id: event.at},
        reported_at=event.at,
        started_at=report.occurred_at or event.at,
        reporter=report.reporter,
        requested_commander=report.commander,
        resources={kind: Resource(kind=kind) for kind in ResourceKind},
        seen={event.command_id: event.seq},
    )


def evolve(state: IncidentState, event: Event) -> IncidentState:
    """The state after one more event. Never refuses: what is in the log has happened."""
    update: dict[str, object] = {"seq": event.seq, "seen": _remember(state.seen, event)}
    body = event.body
    match body.kind:
        case "edited":
            changes = body.changes.given()
            if changes:
                update |= {"attributes": state.attributes.model_copy(update=changes), "attributes_seq": event.seq}
            if body.visibility is not None:
                update["visibility"] = body.visibility
        case "status_changed":
            update |= _moved(state, body.after, event.at) | {"merged_into": body.into}
        case "commander_changed":
            update["commander"] = body.after
        case "participants_engaged":
            people = {
                person.individual: Participant(individual=person.individual, engaged_seq=event.seq, joined=body.joined)
                for person in body.people
            }
            update["participants"] = state.participants | people
        case "participant_left":
            gone = state.participants[body.individual].model_copy(update={"departed": body.how})
            update["participants"] = state.participants | {body.individual: gone}
        case "resource_changed":
            update["resources"] = state.resources | {body.resource.kind: body.resource}
        case "opened":
            update["opened"] = True
        case "absorbed":
            update["absorbed"] = (*state.absorbed, body.incident)
        case "note_added" | "reported":
            pass
    return state.model_copy(update=update)


def _moved(state: IncidentState, status_id: str, at: datetime) -> dict[str, object]:
    category = state.lifecycle.status(status_id).category
    stable_at, ended_at = state.stable_at, None
    if category in OVER:
        ended_at = at
    if category is Category.ACTIVE:
        stable_at = None
    elif category in {Category.STABLE, Category.LEARNING, Category.CLOSED}:
        # Skipping stable on the way to closed stamps it too.
        stable_at = stable_at or at
    return {
        "status_id": status_id,
        "stamps": state.stamps | {status_id: at},
        "stable_at": stable_at,
        "ended_at": ended_at,
    }


def _remember(seen: dict[str, int], event: Event) -> dict[str, int]:
    latest = seen | {event.command_id: event.seq}
    if len(latest) > SEEN_LIMIT:
        # Not the first of the map: a database may have kept its keys in another order.
        del latest[min(latest, key=latest.__getitem__)]
    return latest
