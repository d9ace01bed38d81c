"""What a provider of on-call services is asked, and what it answers (E10)."""

from datetime import datetime
from typing import Any, NamedTuple, Protocol

from services.engagement.rotation import Override


class Duty(NamedTuple):
    """An on-call service as its provider sees it. ``definition`` is what the provider goes by, as it is kept."""

    id: str
    name: str
    definition: dict[str, Any]
    overrides: tuple[Override, ...]


class ProviderFailed(Exception):
    """A provider cannot tell who is on call; ``reason`` is a sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OnCallProvider(Protocol):
    """Knows who is on call. Whoever asks limits the time and asks again later, so a provider tries once."""

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """The ids of the individuals who are on call at a moment; none, if nobody is.

        Raises:
            ProviderFailed: it cannot tell.
        """
        ...
