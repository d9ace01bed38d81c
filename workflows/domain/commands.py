"""Everything that can be asked of an incident. ``command_id`` makes asking twice the same as asking once."""

from datetime import datetime
from typing import Literal

from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.engagement import Match, Roles, Waiting
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
    """Muster's first act: the reporter and the commander are participants, and the incident is active (E9).

    ``roles`` are whom the role policies choose, None when they could not be asked in time.
    """

    roles: Roles | None = Roles()


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
    """Make a participant the commander; ``note`` is what they should know."""

    individual: str
    note: str | None = None


class AssignRoles(Command):
    """Do what the role policies say, that could not be asked at the opening."""

    roles: Roles


class Engage(Command):
    """Add the people whom an evaluation found: adds only, and leaves those alone who went (E4, E5).

    Who is in already takes on the roles that are new. ``found_for`` is the visibility they were found for; None is whatever it
    is.
    """

    matches: tuple[Match, ...]
    found_for: Visibility | None = None


class Hold(Command):
    """Ask before these people are added, since they are more than ``limit``. While one question is open, its deadline stays.

    Of who is in already nothing is asked: they take on the roles that are new.
    """

    matches: tuple[Match, ...]
    found_for: Visibility | None = None
    limit: int
    until: datetime


class AnswerEngagement(Command):
    """Say who comes in of those who are held; Muster itself, without an actor, does when nobody has.

    ``expected_seq`` is the latest event of the question that is answered: of whom a later one asks, it says nothing. None is
    whatever it is.
    """

    bring_in: Literal["all", "none"] | tuple[str, ...]
    expected_seq: int | None = None


class BringIn(Command):
    """Add people who were held, as was answered."""

    matches: tuple[Match, ...]


class AwaitOnCall(Command):
    """On-call services an evaluation needs, and that could not say who is on call."""

    waiting: tuple[Waiting, ...]
    found_for: Visibility | None = None


class ResolveOnCall(Command):
    """Who is on call, according to a service that was waited for; ``reason``: why it is not asked again.

    ``by_policy``: the role policies answer that waited for it, not the service itself.
    """

    service: Choice
    role: str
    by_policy: bool
    matches: tuple[Match, ...] = ()
    reason: str | None = None


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
    """Take over the people of an incident that is merged into this one, and the on-call services that it waited for.

    ``unanswered``: of how many it was still asked there whether they come in; they are not taken over.
    """

    incident: str
    reference: int
    matches: tuple[Match, ...]
    waiting: tuple[Waiting, ...] = ()
    unanswered: int = 0
