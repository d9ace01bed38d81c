"""What the doubles of providers of on-call services have in common (E10)."""

from abc import ABC, abstractmethod
from datetime import datetime

from services.engagement.oncall.provider import Duty
from services.engagement.rotation import Shift


class Momentary(ABC):
    """A provider that knows one moment: whoever is on call then stays it."""

    @abstractmethod
    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """Who is on call."""

    async def shifts(self, duty: Duty, begin: datetime, end: datetime) -> list[Shift]:
        """The same for a while."""
        told = await self.on_call(duty, begin)
        return [Shift(begin, end, told[0] if told else None)]
