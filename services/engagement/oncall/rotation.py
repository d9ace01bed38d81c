"""The provider that is built in: it goes by a rotation that is kept in Muster (E10)."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from services.engagement import rotation
from services.engagement.oncall.provider import Duty
from services.engagement.rotation import Rotation, Shift

_ENGAGING: Final = ThreadPoolExecutor(2, "on-call")
_SHOWING: Final = ThreadPoolExecutor(2, "shifts")
"""Others than those in which it is found who comes into an incident: weeks of a large rotation take their time."""


class RotationProvider:
    """Looks into the rotation; there is nothing in it that can fail."""

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """Whom the rotation or an override names."""
        return await asyncio.get_running_loop().run_in_executor(_ENGAGING, _on_call, duty, at)

    async def shifts(self, duty: Duty, begin: datetime, end: datetime) -> list[Shift]:
        """The same for a while; a shift has the number of the layer it is by."""
        return await asyncio.get_running_loop().run_in_executor(_SHOWING, _shifts, duty, begin, end)


def _kept(duty: Duty) -> Rotation:
    return Rotation.model_validate(duty.definition, extra="ignore")


def _on_call(duty: Duty, at: datetime) -> tuple[str, ...]:
    individual = rotation.on_call(_kept(duty), duty.overrides, at)
    return () if individual is None else (individual,)


def _shifts(duty: Duty, begin: datetime, end: datetime) -> list[Shift]:
    return rotation.shifts(_kept(duty), duty.overrides, begin, end)
