"""Everything that can happen to an incident. The state is the fold of these, so they are complete and never change meaning."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from workflows.domain.attributes import AttributeChanges, Attributes, Choice
from workflows.domain.engagement import Match
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
    """Another participant became the commander."""

    kind: Literal["commander_changed"] = "commander_changed"
    before: str | None
    after: str


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
    """Another incident was merged into this one; its people were engaged here."""

    kind: Literal["absorbed"] = "absorbed"
    incident: str
    reference: int


Body = Annotated[
    Reported
    | Edited
    | StatusChanged
    | CommanderChanged
    | ParticipantsEngaged
    | ParticipantLeft
    | ResourceChanged
    | Opened
    | NoteAdded
    | Absorbed,
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
