"""What a provider of on-call services is asked, and what it answers (E10)."""

from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from services.engagement.rotation import Override, Shift


class Duty(NamedTuple):
    """An on-call service as its provider sees it. ``definition`` is what the provider goes by, as it is kept."""

    id: str
    name: str
    provider: str
    definition: dict[str, Any]
    overrides: tuple[Override, ...]


class ProviderFailed(Exception):
    """A provider cannot tell who is on call; ``reason`` is a sentence for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OnCallProvider(Protocol):
    """Knows who is on call. Whoever asks limits the time and asks again later, so a provider tries once.

    It never holds up the loop that answers requests: what takes a processor is for threads.
    """

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """The ids of the individuals who are on call at a moment; none, if nobody is.

        Raises:
            ProviderFailed: it cannot tell.
        """
        ...

    async def shifts(self, duty: Duty, begin: datetime, end: datetime) -> list[Shift]:
        """Who is on call from ``begin`` until ``end``, to be shown: in order and without gaps, since nobody has shifts as well.

        Raises:
            ProviderFailed: it cannot tell.
        """
        ...


class _Absent:
    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        raise _nobody_to_ask(duty)

    async def shifts(self, duty: Duty, begin: datetime, end: datetime) -> list[Shift]:
        raise _nobody_to_ask(duty)


def _nobody_to_ask(duty: Duty) -> ProviderFailed:
    return ProviderFailed(f"Nothing here can tell who is on call for {duty.name}.")


ABSENT: Final[OnCallProvider] = _Absent()
"""Answers for a provider that is not here."""
