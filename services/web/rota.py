"""A rotation as people write and see it: its hours from lines, and its shifts as bars."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from services.engagement.oncall.wording import DAYS
from services.engagement.rotation import MAX_HOURS, WEEKDAYS
from services.engagement.schemas import ShiftView
from services.kit.errors import Invalid

TONES: Final = 5
"""How many tones bars have; each also bears its name."""
# The days end with a letter, so that there is one way only to read a row of spaces.
_LINE: Final = re.compile(r"(?P<days>[A-Za-z ,–-]*[A-Za-z])\s+(?P<begin>\d\d?:\d\d)\s*[–-]\s*(?P<end>\d\d?:\d\d)")
_MAX_LINE: Final = 100
"""How long a line of hours is at most, in characters: all seven days, one by one, take less."""


class Bar(NamedTuple):
    """A shift as a bar, placed in percent of the whole stretch."""

    x: str
    width: str
    name: str
    tone: int | None
    title: str


class Mark(NamedTuple):
    """A day on the axis."""

    x: str
    text: str


def hours_of(field: str, lines: Sequence[str]) -> list[dict[str, Any]]:
    """Hours from how they were typed, to be validated.

    Raises:
        Invalid: ``unreadable`` or ``too_many``, at this field.
    """
    if len(lines) > MAX_HOURS:
        raise Invalid.of(field, "too_many", f"These are {len(lines)} lines; a layer has at most {MAX_HOURS}.")
    found = []
    for line in lines:
        read = _LINE.fullmatch(line.strip()) if len(line) <= _MAX_LINE else None
        days = None if read is None else _read_days(read["days"])
        if read is None or days is None:
            raise Invalid.of(field, "unreadable", f"“{line[:60]}” cannot be read. Write it like Mon–Fri 09:00–17:00.")
        found.append({"weekdays": days, "from": read["begin"].zfill(5), "until": read["end"].zfill(5)})
    return found


def bars(shifts: Iterable[ShiftView], begin: datetime, end: datetime, tones: Sequence[str]) -> list[Bar]:
    """Shifts as bars; who has which tone is told by the order of ``tones``, ids of individuals."""
    found = []
    for shift in shifts:
        person = shift.individual
        found.append(
            Bar(
                x=_percent(shift.from_ - begin, end - begin),
                width=_percent(shift.until - shift.from_, end - begin),
                name="" if person is None else person.name,
                tone=None if person is None else (tones.index(person.id) if person.id in tones else 0) % TONES,
                title="Nobody" if person is None else f"{person.name}{'' if shift.override is None else ', by an override'}",
            )
        )
    return found


def axis(begin: datetime, end: datetime, zone: ZoneInfo) -> list[Mark]:
    """Every second day from ``begin`` to ``end``, where it begins in a zone."""
    marks = []
    day = begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day < end:
        marks.append(Mark(_percent(day - begin, end - begin), f"{day:%a} {day.day}"))
        day += timedelta(days=2)
    return marks


def _read_days(text: str) -> list[str] | None:
    found: list[str] = []
    for part in text.replace("–", "-").split(","):
        ends = [_read_day(end) for end in part.split("-")]
        if None in ends or len(ends) > 2:
            return None
        first, last = ends[0] or 0, ends[-1] or 0
        found += [WEEKDAYS[(first + number) % 7] for number in range((last - first) % 7 + 1)]
    return list(dict.fromkeys(found))


def _read_day(text: str) -> int | None:
    word = text.strip().lower()
    full = [day.lower() for day in DAYS]
    return next((number for number, day in enumerate(full) if len(word) >= 3 and day.startswith(word)), None)


def _percent(part: timedelta, whole: timedelta) -> str:
    return f"{part / whole:.3%}"
