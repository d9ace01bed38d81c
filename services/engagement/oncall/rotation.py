"""The provider that is built in: it goes by a rotation that is kept in Muster (E10)."""

from datetime import datetime

from services.engagement import rotation
from services.engagement.oncall.provider import Duty


class RotationProvider:
    """Looks into the rotation; there is nothing in it that can fail or take long."""

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """Whom the rotation or an override names."""
        kept = rotation.Rotation.model_validate(duty.definition, extra="ignore")
        individual = rotation.on_call(kept, duty.overrides, at)
        return () if individual is None else (individual,)
