"""Everything that can be asked of an incident. ``command_id`` makes asking twice the same as asking once."""

from workflows.domain.attributes import AttributeChanges
from workflows.domain.engagement import Match
from workflows.domain.events import Departure, Reported, Resource, ResourceKind, Visibility
from workflows.domain.model import Value
from workflows.domain.policy import Authority


class Command(Value):
    """What all commands carry: an id chosen by the caller, and who asks (an individual's id; None is Muster itself).

    ``authority`` is what the policy needs to know of who asks; None needs no permission.
    """

    command_id: str
    actor: str | None = None
    authority: Authority | None = None


class Report(Command):
    """Begin an incident."""

    report: Reported


class Open(Command):
    """Muster's first act: the reporter and the commander are participants, and the incident is active (E9)."""


class Edit(Command):
    """Change attributes or visibility.

    ``expected_seq`` and ``expected_attributes_seq`` are the incident's last event, and the last that changed an attribute, for
    which the change is meant; None is whatever they are.
    """

    changes: AttributeChanges = AttributeChanges()
    visibility: Visibility | None = None
    expected_seq: int | None = None
    expected_attributes_seq: int | None = None


class ChangeStatus(Command):
    """Move to a status, named by its id or its category. ``into`` is needed to merge: the other incident's id.

    ``run_learning_flow`` answers the question asked on closing: yes goes to the first learning status instead.
    """

    to: str
    reason: str | None = None
    into: str | None = None
    run_learning_flow: bool | None = None


class AssignCommander(Command):
    """Make a participant the commander."""

    individual: str


class Engage(Command):
    """Add the people whom an evaluation found: adds only, and leaves those alone who went (E4, E5)."""

    matches: tuple[Match, ...]


class Add(Command):
    """Bring one person in on purpose: by hand or by joining; this also brings back someone who went."""

    match: Match
    joined: bool = False


class Leave(Command):
    """End one person's participation."""

    individual: str
    how: Departure
    reason: str | None = None


class SetResource(Command):
    """What became of a resource."""

    resource: Resource


class RetryResource(Command):
    """Try again to make a resource that failed."""

    kind: ResourceKind


class Complete(Command):
    """The opening is done."""


class AddNote(Command):
    """Write into the timeline."""

    text: str


class Absorb(Command):
    """Take over the people of an incident that is merged into this one."""

    incident: str
    reference: int
    matches: tuple[Match, ...]
