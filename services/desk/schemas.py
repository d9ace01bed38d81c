"""What more than one service takes."""

from services.kit.schemas import Body, Named
from workflows.domain.attributes import Description, Tags, Title
from workflows.domain.events import Visibility


class IncidentEdit(Body):
    """What is to change of an incident, or is tried. Type, severity and priority by id or name."""

    title: Title | None = None
    description: Description | None = None
    type: Named | None = None
    severity: Named | None = None
    priority: Named | None = None
    tags: Tags | None = None
    visibility: Visibility | None = None
