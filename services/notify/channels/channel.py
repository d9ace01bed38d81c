"""What every channel offers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncSession


class ChannelName(StrEnum):
    """The channels of the ledger."""

    EMAIL = "email"
    CHAT = "chat"


@dataclass(frozen=True)
class Outgoing:
    """One rendered message. ``delivery`` names it for ever: a channel that can, uses it to send only once.

    ``incident`` is None for a letter, which has no chat form. ``recipient`` is the individual's id; ``name`` and ``address`` are
    what mail is addressed to. ``secret`` is what the message must hold and nothing else may.
    """

    organization: str
    incident: str | None
    delivery: str
    recipient: str
    name: str
    address: str
    subject: str
    text: str
    html: str
    chat: str
    secret: str | None = None

    def without_secret(self, words: str) -> str:
        """What somebody said of this message, as a mail server that quotes the link it objects to."""
        return words if self.secret is None else words.replace(self.secret, "…")


class NotSent(Exception):
    """The message surely did not go out; it is worth trying again."""


class Rejected(Exception):
    """The message surely did not go out and never will, as it is."""


@runtime_checkable
class StoredChannel(Protocol):
    """A way to send that ends in the database: the message is kept together with its entry in the ledger, or not at all."""

    provider: str

    async def keep(self, session: AsyncSession, message: Outgoing) -> str:
        """Keep the message in the caller's transaction, and answer its id.

        Raises:
            NotSent: see there.
        """


class Channel(Protocol):
    """A way to send. ``provider`` is who carries it; ``idempotent``: sending a delivery twice is sending it once."""

    provider: str
    idempotent: bool

    async def send(self, message: Outgoing) -> str:
        """Send, and answer the provider's id of the message.

        Raises:
            NotSent, Rejected: see there. Anything else leaves open whether it went out.
        """
