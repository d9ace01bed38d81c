"""What the lifecycle API takes and shows."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, StringConstraints

from services.desk.lookup import Person
from services.kit.paging import Filter
from services.kit.schemas import Body, Named
from workflows.domain.attributes import Description, Tags, Text, Title, Trimmed
from workflows.domain.events import Mode, Visibility

Reason = Annotated[Text, StringConstraints(max_length=2000)]
LongText = Annotated[Trimmed, StringConstraints(min_length=1, max_length=20_000)]


class IncidentEdit(Body):
    """What is to change. Type, severity and priority by id or name."""

    title: Title | None = None
    description: Description | None = None
    type: Named | None = None
    severity: Named | None = None
    priority: Named | None = None
    tags: Tags | None = None
    visibility: Visibility | None = None


class Transition(Body):
    """Where the incident is to go: a status's id, or a category. ``into`` names the incident to merge into."""

    to: Annotated[Text, StringConstraints(max_length=60)]
    run_learning_flow: bool | None = None
    reason: Reason | None = None
    into: Named | None = None


class CommanderBody(Body):
    """Who is to be commander: an individual's id."""

    individual: Named


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
    """How to narrow the list of incidents. Severity, type, priority and project by id or name; commander by id or address."""

    status: Filter | None = None
    category: Filter | None = None
    severity: Filter | None = None
    type: Filter | None = None
    priority: Filter | None = None
    project: Filter | None = None
    commander: Filter | None = None
    mode: Mode | None = None
    ongoing: bool | None = None
    q: Filter | None = None
