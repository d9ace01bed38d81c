"""What a report holds, and what its receipt shows."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from services.desk.lookup import Person, PersonText
from services.desk.views import Awaited, Held, Links
from services.kit.clock import Moment
from services.kit.schemas import Body, Named
from workflows.domain.attributes import Description, Tags, Title
from workflows.domain.engagement import Evidence
from workflows.domain.events import Mode, Resource, Visibility


class ReportBody(Body):
    """A report. Whatever is left out takes the project's default, or else the organization's.

    ``occurred_at`` is for one that is back-dated (R7).
    """

    title: Title
    description: Description = ""
    project: Named | None = None
    type: Named | None = None
    severity: Named | None = None
    priority: Named | None = None
    tags: Tags = ()
    commander: PersonText | None = None
    occurred_at: Moment | None = None
    mode: Mode = Mode.STANDARD
    visibility: Visibility = Visibility.PUBLIC


class ReceiptParticipant(BaseModel):
    """Someone who was engaged, and why."""

    individual: Person
    roles: list[str]
    evidence: list[Evidence]
    at: datetime


class Receipt(BaseModel):
    """How far Muster has come with a report (R3).

    ``starting``: written down, its workflow not begun; ``working``; ``ready``: everything that follows by itself is done.
    Who is ``held`` has not come in: the commander is asked first. ``awaited_on_call`` are the services that cannot say who comes.
    """

    incident: str
    reference: str
    title: str
    state: Literal["starting", "working", "ready"]
    commander: Person | None
    resources: list[Resource]
    participants: list[ReceiptParticipant]
    held: Held | None
    awaited_on_call: list[Awaited]
    links: Links
