"""The incident itself: its state, what a command leads to (``decide``), and what an event changes (``evolve``)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import Field

from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import COMMANDER, Match, Waiting, taken_on
from workflows.domain.events import Departure, Edited, Event, Involvement, Mode, Resource, ResourceKind, ResourceState, Visibility
from workflows.domain.lifecycle import OVER, Category, LifecycleSettings, Status
from workflows.domain.model import Value

SEEN_LIMIT: Final = 500
"""How many command ids an incident remembers: a client repeats within seconds, never after hundreds of other commands."""


class Participant(Value):
    """A person in the incident. ``engaged_seq`` is the event that brought them in; ``departed`` tells that and how they went.

    ``roles`` are those taken on besides: who is commander and who reported, the incident says itself.
    """

    individual: str
    engaged_seq: int
    joined: bool = False
    departed: Departure | None = None
    roles: tuple[str, ...] = ()


class Held(Value):
    """Someone whom the storm guard keeps out. ``seq`` is the event that says why they match.

    ``comes_in`` is None as long as that is asked; with no, they are left out by every match.
    """

    seq: int
    comes_in: bool | None = None


class IncidentState(Value):
    """All that later decisions depend on; the fold of the incident's events. Carried when the workflow continues as new.

    ``attributes_seq`` is the last event that changed an attribute or the visibility (and so calls for an evaluation of
    engagement). ``stand_in``: the commander makes way for whom the role policies choose. ``hand_over_seq``: the event that made
    them the commander, if they are told of it by a notice, else 0. ``reopened_seq``: the event that reopened the incident last,
    else 0. ``held_until``: then everyone comes in who is held and was not decided on; None when nothing is asked. ``seen`` maps
    the latest command ids to the last event each led to. ``stamps`` holds when each status was last entered.
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
    stand_in: bool = False
    hand_over_seq: int = 0
    reopened_seq: int = 0
    roles_awaited: bool = False
    stable_at: datetime | None = None
    ended_at: datetime | None = None
    merged_into: str | None = None
    absorbed: tuple[str, ...] = ()
    opened: bool = False
    participants: dict[str, Participant] = Field(default_factory=dict)
    held: dict[str, Held] = Field(default_factory=dict)
    held_until: datetime | None = None
    waiting: tuple[Waiting, ...] = ()
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

    @property
    def asking(self) -> tuple[Waiting, ...]:
        """The on-call services that are asked now: none while the incident is over; they are again when it is reopened."""
        return () if self.over else self.waiting

    def present(self, individual: str) -> bool:
        """Whether this person is in the incident now."""
        participant = self.participants.get(individual)
        return participant is not None and participant.departed is None

    def kept_out(self, individual: str) -> bool:
        """Whether this person was left out when a crowd was held."""
        return individual in self.held and self.held[individual].comes_in is False

    def asked(self) -> dict[str, int]:
        """Those of whom it is asked whether they come in, each with the event that says why they match."""
        return {person: held.seq for person, held in self.held.items() if held.comes_in is None}

    def called(self) -> dict[str, int]:
        """Those who were held and are to come in, each with the event that says why they match."""
        return {person: held.seq for person, held in self.held.items() if held.comes_in}

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
            update |= _edited(state, body) | {"attributes_seq": event.seq}
        case "status_changed":
            update |= _moved(state, body.after, event.at) | {"merged_into": body.into}
            if state.over and state.lifecycle.status(body.after).category not in OVER:
                update["reopened_seq"] = event.seq
        case "commander_changed":
            hand_over_seq = event.seq if body.told else 0
            update |= {"commander": body.after, "stand_in": body.stand_in, "hand_over_seq": hand_over_seq}
            if not body.stand_in:
                # Nobody takes over any more, so nobody is looked for.
                update["waiting"] = tuple(each for each in state.waiting if each.role != COMMANDER)
        case "resource_changed":
            update["resources"] = state.resources | {body.resource.kind: body.resource}
        case "opened":
            update["opened"] = True
        case "absorbed":
            update["absorbed"] = (*state.absorbed, body.incident)
        case "note_added" | "reported" | "no_room":
            pass
        case _:
            update |= _involved(state, body, event.seq)
    return state.model_copy(update=update)


def _involved(state: IncidentState, body: Involvement, seq: int) -> dict[str, object]:
    match body.kind:
        case "participants_engaged":
            return _engaged(state, body.people, seq, joined=body.joined)
        case "participant_left":
            gone = state.participants[body.individual].model_copy(update={"departed": body.how})
            return {"participants": state.participants | {body.individual: gone}}
        case "roles_assigned":
            return {"participants": state.participants | {person.individual: _assigned(state, person) for person in body.people}}
        case "roles_awaited" | "roles_chosen":
            return {"roles_awaited": body.kind == "roles_awaited"}
        case "on_call_awaited":
            return {"waiting": state.waiting + body.waiting}
        case "on_call_resolved":
            by_policy = body.by_policy
            still = [each for each in state.waiting if not each.ends_by(body.service, body.role, by_policy=by_policy)]
            return {"waiting": tuple(still)}
        case "engagement_held":
            held = {person.individual: Held(seq=seq) for person in body.people}
            return {"held": state.held | held, "held_until": body.until}
        case "engagement_answered":
            people = set(body.people)
            answered = {person: Held(seq=held, comes_in=person in people) for person, held in state.asked().items()}
            return {"held": state.held | answered, "held_until": None}


def _edited(state: IncidentState, body: Edited) -> dict[str, object]:
    update: dict[str, object] = {}
    if changes := body.changes.given():
        update["attributes"] = state.attributes.model_copy(update=changes)
    if body.visibility is not None:
        update["visibility"] = body.visibility
    if body.visibility is Visibility.RESTRICTED:
        # What was found for everyone's eyes does not hold; the evaluation that follows finds what does. Policies go on.
        left_out = {person: held for person, held in state.held.items() if held.comes_in is False}
        by_policy = [each for each in state.waiting if each.by_policy]
        update |= {"held": left_out, "held_until": None, "waiting": tuple(by_policy)}
    return update


def _engaged(state: IncidentState, people: Iterable[Match], seq: int, *, joined: bool) -> dict[str, object]:
    engaged = {
        person.individual: Participant(individual=person.individual, engaged_seq=seq, joined=joined, roles=taken_on(person.roles))
        for person in people
    }
    held = {person: each for person, each in state.held.items() if person not in engaged}
    asked = any(each.comes_in is None for each in held.values())
    return {
        "participants": state.participants | engaged,
        "held": held,
        "held_until": state.held_until if asked else None,
    }


def _assigned(state: IncidentState, person: Match) -> Participant:
    before = state.participants[person.individual]
    roles = dict.fromkeys(before.roles + taken_on(person.roles))
    return before.model_copy(update={"roles": tuple(roles)})


def _moved(state: IncidentState, status_id: str, at: datetime) -> dict[str, object]:
    category = state.lifecycle.status(status_id).category
    stable_at, ended_at, held = state.stable_at, None, state.held
    if category in OVER:
        ended_at = at
        # Nobody is asked any more; should it be reopened, the evaluation that follows asks anew.
        held = {person: each for person, each in held.items() if each.comes_in is not None}
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
        "held": held,
        "held_until": None if category in OVER else state.held_until,
    }


def _remember(seen: dict[str, int], event: Event) -> dict[str, int]:
    latest = seen | {event.command_id: event.seq}
    if len(latest) > SEEN_LIMIT:
        # Not the first of the map: a database may have kept its keys in another order.
        del latest[min(latest, key=latest.__getitem__)]
    return latest
