"""What Muster asks of a chat platform. Everything above knows only this."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession


class ChannelNotReady(Exception):
    """The incident has no channel yet, or making it failed; posting is tried again later."""


@dataclass(frozen=True)
class Post:
    """A message in an incident's channel. ``author`` None is Muster; ``only_to`` is the one person who sees it."""

    id: str
    author: str | None
    only_to: str | None
    text: str
    created_at: datetime


class ChatPlatform(Protocol):
    """The conversation of an incident. ``token`` names a message for ever: posting it again finds the first one."""

    async def create(self, organization: str, incident: str, name: str) -> str | None:
        """Make the incident's channel, or find it; answers its address, or None when it is on the incident's page."""

    async def post(self, organization: str, incident: str, token: str, text: str, author: str | None) -> str:
        """Post a message; answers its id."""

    async def post_only_to(self, organization: str, incident: str, token: str, text: str, person: str) -> str:
        """Post a message that one person sees; answers its id. Raises ChannelNotReady."""

    async def history(self, session: AsyncSession, incident: str, reader: str, limit: int) -> list[Post]:
        """The latest messages this reader may see, oldest first. In the session of whoever asks: a request that held one
        while it waited for another could wait for ever."""
