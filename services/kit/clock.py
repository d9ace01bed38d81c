"""The time."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, TypeAdapter


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """A moment as the API writes it: UTC, microseconds, ``Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is before the first or after the last year there is") from error


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment someone gave, with its zone, in UTC."""
MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)
"""Reads one from text."""
