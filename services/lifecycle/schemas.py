"""What the lifecycle API takes and shows."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from services.desk.lookup import Person
from services.desk.views import Held
from services.kit.paging import Filter, Pagination
from services.kit.schemas import Body, Named
from workflows.domain.attributes import Text, Trimmed
from workflows.domain.engagement import Evidence
from workflows.domain.events import Mode

Reason = Annotated[Text, StringConstraints(max_length=2000)]
Note = Annotated[Reason, StringConstraints(strip_whitespace=True)] | None
MAX_CHOSEN: Final = 20_000
LongText = Annotated[Trimmed, StringConstraints(min_length=1, max_length=20_000)]


class Transition(Body):
    """Where the incident is to go: a status's id, or a category. ``into`` names the incident to merge into."""

    to: Annotated[Text, StringConstraints(max_length=60)]
    run_learning_flow: bool | None = None
    reason: Reason | None = None
    into: Named | None = None


class CommanderBody(Body):
    """Who is to be commander: an individual's id. ``note`` is what they should know: they are told, and it is in the timeline."""

    individual: Named
    note: Note = None


def _one_fault(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    if value in ([], ()):
        # Not to be taken for "none": whoever is left out stays out, so that is said, and not left unsaid by mistake.
        raise ValueError('names nobody; if nobody is to come in, say "none"')
    try:
        return validate(value)
    except ValidationError as error:
        raise ValueError("is all, none, or the ids of those who come in") from error


BringIn = Annotated[
    Literal["all", "none"] | Annotated[tuple[Named, ...], Field(min_length=1, max_length=MAX_CHOSEN)], WrapValidator(_one_fault)
]


class EngagementAnswerBody(Body):
    """Who comes in of those who are held back: all, none, or these individuals (ids). ``version`` is that of ``held`` as seen."""

    bring_in: BringIn
    version: int | None = None


class HeldPerson(BaseModel):
    """Someone who is held back, and why they match."""

    individual: Person
    evidence: list[Evidence]


class QuestionView(Held):
    """Who is held back, by name."""

    people: list[HeldPerson]


class QuestionPage(QuestionView):
    """The same, a page of them."""

    pagination: Pagination


class NoteBody(Body):
    """Something to write into the timeline."""

    text: LongText


class MessageBody(Body):
    """Something to say in the channel."""

    text: LongText


class MessageView(BaseModel):
    """A message of the channel. ``author`` None is Muster; ``only_you``: nobody else sees it."""

    id: str
    author: Person | None
    text: str
    only_you: bool
    at: datetime


class ListQuery(BaseModel):
    """How to narrow the list of incidents. Severity, type, priority and project by id or name; commander by id or address.

    ``participant`` and ``subscribed``: those in which one takes part, or which one follows.
    """

    status: Filter | None = None
    category: Filter | None = None
    severity: Filter | None = None
    type: Filter | None = None
    priority: Filter | None = None
    project: Filter | None = None
    commander: Filter | None = None
    mode: Mode | None = None
    ongoing: bool | None = None
    participant: Literal["me"] | None = None
    subscribed: Literal["me"] | None = None
    q: Filter | None = None
