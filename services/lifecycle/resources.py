"""What makes an incident's resources. Slack, documents and tickets will be further providers; what has none is not configured."""

import hashlib
import re
from typing import Final, Protocol

from services.chat.platform import ChatPlatform
from workflows.domain.events import Resource, ResourceKind, ResourceState
from workflows.domain.incident import IncidentState

_NAME: Final = re.compile(r"[^a-z0-9]+")
_MAX_NAME: Final = 64


class ResourceProvider(Protocol):
    """Makes one kind of resource. Asked again for the same incident, it finds what it made."""

    async def open(self, slug: str, incident: IncidentState) -> Resource:
        """Make the resource, or find it. Raising means: try again; the last error becomes the reason of the failure."""


class ChannelProvider:
    """The incident's channel, on whatever chat platform there is."""

    def __init__(self, platform: ChatPlatform, base_url: str) -> None:
        self._platform = platform
        self._base_url = base_url

    async def open(self, slug: str, incident: IncidentState) -> Resource:
        """See ``ResourceProvider``."""
        title = _NAME.sub("-", incident.attributes.title.lower()).strip("-")
        name = f"inc-{incident.reference}-{title}"[:_MAX_NAME].rstrip("-")
        address = await self._platform.create(incident.organization, incident.id, name)
        url = address or f"{self._base_url}/{slug}/incidents/INC-{incident.reference}?tab=channel"
        return Resource(kind=ResourceKind.CHANNEL, state=ResourceState.READY, url=url)


class CallProvider:
    """A call link from a template. Its secret part follows from the incident's id, so nobody else can guess the room."""

    def __init__(self, template: str) -> None:
        self._template = template

    async def open(self, slug: str, incident: IncidentState) -> Resource:
        """See ``ResourceProvider``."""
        secret = hashlib.sha256(f"call:{incident.organization}:{incident.id}".encode()).hexdigest()[:20]
        reference = f"inc-{incident.reference}"
        url = self._template.format(organization=slug, reference=reference, secret=secret)
        return Resource(kind=ResourceKind.CALL, state=ResourceState.READY, url=url)
