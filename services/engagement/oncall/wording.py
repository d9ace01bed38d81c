"""The layers of a rotation in words (E10)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from services.engagement.rotation import WEEKDAYS, Hours, Layer, Weekday

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def layer_in_words(layer: Layer, called: Mapping[str, str]) -> str:
    """All that a layer says; ``called`` is what its members are called, by their ids."""
    turns = " → ".join(called[member] for member in layer.members)
    only = f", only {', '.join(lines_of(layer.only).splitlines())}" if layer.only else ""
    return f"{layer.name}: {turns}. {cadence(layer)}, {layer.time_zone}, from {layer.starts_at:%Y-%m-%d}{only}"


def cadence(layer: Layer) -> str:
    """When a layer hands over: "Every week, on Monday at 09:00"."""
    days = layer.every.length.days
    at = f"{layer.starts_at:%H:%M}"
    if days % 7:
        return f"Every day at {at}" if days == 1 else f"Every {days} days at {at}"
    weekday = DAYS[layer.starts_at.weekday()]
    return f"Every week, on {weekday} at {at}" if days == 7 else f"Every {days // 7} weeks, on {weekday} at {at}"


def lines_of(only: Iterable[Hours]) -> str:
    """Hours as they are typed: "Mon–Fri 09:00–17:00", one a line."""
    return "\n".join(f"{_weekdays(each.weekdays)} {each.from_:%H:%M}–{each.until:%H:%M}" for each in only)


def _weekdays(given: Sequence[Weekday]) -> str:
    numbers = sorted(WEEKDAYS.index(day) for day in given)
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(_short(run[0]) if len(run) == 1 else f"{_short(run[0])}–{_short(run[-1])}" for run in runs)


def _short(number: int) -> str:
    return WEEKDAYS[number].capitalize()
