"""Who is on call when, by a rotation (E10). Pure: it looks at no clock and no database.

A rotation has layers; each hands over from member to member at a time of day in its own zone, which stays that time when clocks
are put forward or back. A later layer lies over the earlier ones wherever it counts, and overrides lie over all of them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from typing import Annotated, Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NaiveDatetime, StringConstraints, model_validator

from services.kit.preferences import TimeZone
from services.kit.schemas import Name

MAX_LAYERS: Final = 10
MAX_MEMBERS: Final = 100
MAX_HOURS: Final = 20
FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Between which moments there are rotations: far from the end of the calendar, where there is nothing to add days to."""
_DAY: Final = timedelta(days=1)

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)


def _local(moment: datetime) -> datetime:
    if not FIRST <= moment.replace(tzinfo=UTC) < LAST:
        raise ValueError("is not between the years 2000 and 2099")
    return moment


def _of_day(given: time) -> time:
    if given.tzinfo is not None:
        raise ValueError("has a zone, but counts in the layer's zone")
    return given


TimeOfDay = Annotated[time, AfterValidator(_of_day)]


class Part(BaseModel):
    """A part of a rotation, which is given, kept and read as the same JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Every(Part):
    """How long a turn is: a number of days, or of weeks."""

    days: Annotated[int, Field(strict=True, ge=1, le=365)] | None = None
    weeks: Annotated[int, Field(strict=True, ge=1, le=52)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Every":
        if (self.days is None) == (self.weeks is None):
            raise ValueError("Give a number of days, or of weeks.")
        return self

    @property
    def length(self) -> timedelta:
        """It, on the calendar."""
        return timedelta(days=self.days or 0, weeks=self.weeks or 0)


class Hours(Part):
    """Hours of some weekdays. If they end no later than they begin, they end on the day after."""

    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)]
    from_: Annotated[TimeOfDay, Field(alias="from")]
    until: TimeOfDay


class Layer(Part):
    """People who take turns, the first from ``starts_at`` on: a time on the clocks of ``time_zone``.

    ``only``: the hours in which the layer counts; none are all hours. ``members`` are ids of individuals.
    """

    name: Annotated[Name, StringConstraints(max_length=80)]
    time_zone: TimeZone
    starts_at: Annotated[NaiveDatetime, AfterValidator(_local)]
    every: Every
    members: Annotated[tuple[Annotated[str, StringConstraints(max_length=36)], ...], Field(min_length=1, max_length=MAX_MEMBERS)]
    only: Annotated[tuple[Hours, ...], Field(max_length=MAX_HOURS)] = ()

    @property
    def zone(self) -> ZoneInfo:
        """Its zone."""
        return ZoneInfo(self.time_zone)

    def hand_over(self, turn: int) -> datetime:
        """When a turn begins; the first is 0."""
        return moment_of(self.starts_at + turn * self.every.length, self.zone)


class Rotation(Part):
    """All of it; without a layer nobody is ever on call."""

    layers: Annotated[tuple[Layer, ...], Field(max_length=MAX_LAYERS)] = ()


class Override(NamedTuple):
    """Somebody is on call from ``begin`` until ``end``, whatever the rotation says."""

    id: str
    individual: str
    begin: datetime
    end: datetime


class Shift(NamedTuple):
    """From ``begin`` until ``end`` this individual is on call, or nobody: by the layer of this number, or by this override."""

    begin: datetime
    end: datetime
    individual: str | None = None
    layer: int | None = None
    override: str | None = None


def on_call(rotation: Rotation, overrides: Iterable[Override], at: datetime) -> str | None:
    """The individual who is on call at a moment; None: nobody is. Of two overrides the later one in order counts."""
    return shifts(rotation, overrides, at, at + timedelta(microseconds=1))[0].individual


def shifts(rotation: Rotation, overrides: Iterable[Override], begin: datetime, end: datetime) -> list[Shift]:
    """Who is on call from ``begin`` until ``end``, in order: without gaps, since nobody has shifts as well."""
    seen: list[Shift] = []
    for each in reversed(tuple(overrides)):
        first, last = max(each.begin, begin), min(each.end, end)
        if first < last:
            seen = _lay([Shift(first, last, each.individual, override=each.id)], seen)
    for number in reversed(range(len(rotation.layers))):
        if sum((shift.end - shift.begin for shift in seen), timedelta()) == end - begin:
            # All that is under it is hidden, so it need not be worked out.
            break
        seen = _lay(layer_shifts(rotation.layers[number], number, begin, end), seen)
    return _joined(_lay([Shift(begin, end)], seen))


def layer_shifts(layer: Layer, number: int, begin: datetime, end: datetime) -> list[Shift]:
    """The shifts of one layer alone, with gaps where it does not count."""
    turns = _turns(layer, number, begin, end)
    if not layer.only:
        return list(turns)
    windows = _windows(layer, begin, end)
    found = []
    for turn in turns:
        for opens, closes in windows[bisect_right(windows, turn.begin, key=itemgetter(1)) :]:
            if opens >= turn.end:
                break
            found.append(turn._replace(begin=max(turn.begin, opens), end=min(turn.end, closes)))
    return found


def moment_of(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the clocks of a zone show this.

    What they show twice, because they are put back, is the first time; what they skip, because they are put forward, is when they
    are.
    """
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    # Read with the offset from before (fold 0) it is after the change, and with the one from after (fold 1) before it (PEP 495).
    low, high = int(local.replace(tzinfo=zone, fold=1).timestamp()), int(found.timestamp())
    before = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def _turns(layer: Layer, number: int, begin: datetime, end: datetime) -> Iterator[Shift]:
    passed = begin.astimezone(layer.zone).replace(tzinfo=None) - layer.starts_at
    # What clocks that were put back show has perhaps been there before: that is never more than one turn.
    turn = max(passed // layer.every.length + 1, 0)
    while turn > 0 and layer.hand_over(turn) > begin:
        turn -= 1
    opens = layer.hand_over(turn)
    while opens < end:
        closes = layer.hand_over(turn + 1)
        if max(opens, begin) < min(closes, end):
            yield Shift(max(opens, begin), min(closes, end), layer.members[turn % len(layer.members)], number)
        turn, opens = turn + 1, closes


def _windows(layer: Layer, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """When a layer counts: in order, and each behind the end of the one before."""
    found: list[tuple[datetime, datetime]] = []
    hours = _hours(layer, begin.astimezone(layer.zone).date() - _DAY, end.astimezone(layer.zone).date())
    for opens, closes in sorted((opens, closes) for opens, closes in hours if opens < closes):
        if found and opens <= found[-1][1]:
            found[-1] = (found[-1][0], max(closes, found[-1][1]))
        else:
            found.append((opens, closes))
    return found


def _hours(layer: Layer, first: date, last: date) -> Iterator[tuple[datetime, datetime]]:
    zone = layer.zone
    for day in (first + number * _DAY for number in range((last - first).days + 1)):
        for hours in layer.only:
            if WEEKDAYS[day.weekday()] in hours.weekdays:
                until = day + _DAY if hours.until <= hours.from_ else day
                yield (
                    moment_of(datetime.combine(day, hours.from_), zone),
                    moment_of(datetime.combine(until, hours.until), zone),
                )


def _lay(under: Sequence[Shift], over: Sequence[Shift]) -> list[Shift]:
    """Two rows of shifts as one: what is over hides what is under it."""
    ends = [shift.end for shift in over]
    seen = list(over)
    for shift in under:
        begin = shift.begin
        for cover in over[bisect_right(ends, shift.begin) :]:
            if cover.begin >= shift.end:
                break
            if begin < cover.begin:
                seen.append(shift._replace(begin=begin, end=cover.begin))
            begin = cover.end
        if begin < shift.end:
            seen.append(shift._replace(begin=begin))
    return sorted(seen, key=lambda shift: shift.begin)


def _joined(row: Iterable[Shift]) -> list[Shift]:
    """The same shifts, with those that only go on as one."""
    found: list[Shift] = []
    for shift in row:
        if found and found[-1][2:] == shift[2:]:
            found[-1] = found[-1]._replace(end=shift.end)
        else:
            found.append(shift)
    return found
