"""Everything that can happen to an incident. The state is the fold of these, so they are complete and never change meaning."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from workflows.domain.attributes import AttributeChanges, Attributes, Choice
from workflows.domain.engagement import Match, Waiting
from workflows.domain.lifecycle import LifecycleSettings
from workflows.domain.model import Value


class Mode(StrEnum):
    """Why the incident exists: for real, as an exercise, or recorded afterwards (R7)."""

    STANDARD = "standard"
    PRACTICE = "practice"
    RETROSPECTIVE = "retrospective"


class Visibility(StrEnum):
    """Who may see the incident: everyone in the organization, or its participants and administrators (R7)."""

    PUBLIC = "public"
    RESTRICTED = "restricted"


class ResourceKind(StrEnum):
    """What an incident gathers around itself."""

    CHANNEL = "channel"
    CALL = "call"
    DOCUMENT = "document"
    TICKET = "ticket"


class ResourceState(StrEnum):
    """How far a resource is (R3)."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    NOT_CONFIGURED = "not_configured"


class Departure(StrEnum):
    """How a participant went."""

    LEFT = "left"
    REMOVED = "removed"
    NOT_RELEVANT = "not_relevant"


class HeldAnswer(StrEnum):
    """What was answered to whether a crowd is to come in."""

    ALL = "all"
    CHOSEN = "chosen"
    NONE = "none"
    NO_ANSWER = "no_answer"


class Resource(Value):
    """One incident resource. ``reason`` says in words why it failed; while it is pending: why the last try did."""

    kind: ResourceKind
    state: ResourceState = ResourceState.PENDING
    url: str | None = None
    reason: str | None = None


class Reported(Value):
    """The first event: everything the report said. ``commander`` is the one the reporter asked for."""

    kind: Literal["reported"] = "reported"
    reference: int
    attributes: Attributes
    project: Choice
    reporter: str
    commander: str | None = None
    mode: Mode = Mode.STANDARD
    visibility: Visibility = Visibility.PUBLIC
    occurred_at: datetime | None = None
    lifecycle: LifecycleSettings


class Edited(Value):
    """Attributes or visibility changed; ``before`` holds the old values of the same fields."""

    kind: Literal["edited"] = "edited"
    changes: AttributeChanges
    before: AttributeChanges
    visibility: Visibility | None = None
    visibility_before: Visibility | None = None


class StatusChanged(Value):
    """The incident moved. ``into`` is the incident it was merged into."""

    kind: Literal["status_changed"] = "status_changed"
    before: str
    after: str
    reason: str | None = None
    into: str | None = None


class CommanderChanged(Value):
    """Another participant became the commander. ``note`` is what was said on handing over, or why a policy chose them.

    If a stand-in stays it, ``before`` is the same as ``after``. A ``stand_in`` makes way for whom the role policies choose, as
    soon as that can be found. ``told``: they get a notice of it; nobody does of what they did themselves, nor whoever comes in as
    the commander, whose welcome says it.
    """

    kind: Literal["commander_changed"] = "commander_changed"
    before: str | None
    after: str
    note: str | None = None
    stand_in: bool = False
    told: bool = False


class ParticipantsEngaged(Value):
    """A wave of people, each with the reasons. ``joined`` tells those who came by themselves from those who were called."""

    kind: Literal["participants_engaged"] = "participants_engaged"
    people: tuple[Match, ...]
    joined: bool = False


class ParticipantLeft(Value):
    """Someone is no longer in; the same match will not engage them again (E5)."""

    kind: Literal["participant_left"] = "participant_left"
    individual: str
    how: Departure
    reason: str | None = None


class RolesAssigned(Value):
    """People who are in already took on roles besides, or have one for one more reason, or command; with the reasons."""

    kind: Literal["roles_assigned"] = "roles_assigned"
    people: tuple[Match, ...]


class RolesAwaited(Value):
    """The role policies could not be asked in time; they are asked until they answer."""

    kind: Literal["roles_awaited"] = "roles_awaited"


class RolesChosen(Value):
    """The role policies have answered after all; what they say was done."""

    kind: Literal["roles_chosen"] = "roles_chosen"


class OnCallAwaited(Value):
    """On-call services that cannot say who is on call; each is asked until it can."""

    kind: Literal["on_call_awaited"] = "on_call_awaited"
    waiting: tuple[Waiting, ...]


class OnCallResolved(Value):
    """An on-call service is waited for no longer. ``people`` are on call; ``reason`` says why it is not asked again.

    ``by_policy`` tells whether role policies waited, or what matches; None is whichever did.
    """

    kind: Literal["on_call_resolved"] = "on_call_resolved"
    service: Choice
    role: str
    by_policy: bool | None = None
    people: tuple[str, ...] = ()
    reason: str | None = None


class EngagementHeld(Value):
    """So many match that the commander is asked first: until then they are not in. ``limit`` is how many would have come in.

    A crowd can take several of these, as can changes made while the question is open; they share the deadline ``until``.
    """

    kind: Literal["engagement_held"] = "engagement_held"
    people: tuple[Match, ...]
    attributes_seq: int
    limit: int
    until: datetime


class EngagementAnswered(Value):
    """Of all who are held ``people`` come in, and ``left_out`` do not, by any match. Without an answer everyone comes in."""

    kind: Literal["engagement_answered"] = "engagement_answered"
    how: HeldAnswer
    people: tuple[str, ...]
    left_out: tuple[str, ...] = ()


class ResourceChanged(Value):
    """A resource became ready, failed, takes longer, or is tried again by hand."""

    kind: Literal["resource_changed"] = "resource_changed"
    resource: Resource


class Opened(Value):
    """Muster has done all that follows a report by itself: the receipt is complete (R3)."""

    kind: Literal["opened"] = "opened"


class NoteAdded(Value):
    """A timeline entry written by a person."""

    kind: Literal["note_added"] = "note_added"
    text: str


class Absorbed(Value):
    """Another incident was merged into this one; its people were engaged here.

    ``unanswered`` are left out: so many of whom it was still asked there whether they come in.
    """

    kind: Literal["absorbed"] = "absorbed"
    incident: str
    reference: int
    unanswered: int = 0


class NoRoom(Value):
    """So many people, roles and on-call services to wait for were left out, since the incident has no room for them."""

    kind: Literal["no_room"] = "no_room"
    people: int = 0
    roles: int = 0
    services: int = 0


Involvement = (
    ParticipantsEngaged
    | ParticipantLeft
    | RolesAssigned
    | RolesAwaited
    | RolesChosen
    | OnCallAwaited
    | OnCallResolved
    | EngagementHeld
    | EngagementAnswered
)
"""What happened to who is in, who may yet come in, and with which roles."""

Body = Annotated[
    Reported | Edited | StatusChanged | CommanderChanged | ResourceChanged | Opened | NoteAdded | Absorbed | NoRoom | Involvement,
    Field(discriminator="kind"),
]
"""What happened."""

BODY: TypeAdapter[Body] = TypeAdapter(Body)
"""Reads a body back from its JSON."""


class Draft(Value):
    """An event that was decided and is not in the log yet. ``actor`` is an individual's id; None is Muster itself."""

    command_id: str
    actor: str | None
    body: Body


class Event(Draft):
    """An event in the log: the ``seq``-th of its incident (from 1), at a moment in UTC."""

    seq: int
    at: datetime
