"""Who is on call, by a rotation: for any layers, over every change of clocks (E10)."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.engagement.rotation import (
    WEEKDAYS,
    Hours,
    Layer,
    Override,
    Rotation,
    layer_shifts,
    moment_of,
    on_call,
    shifts,
)

pytestmark = pytest.mark.feature("E10")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",  # puts its clocks forward by half an hour
    "Africa/Casablanca",  # puts them back for Ramadan
    "Asia/Kathmandu",
    "Pacific/Apia",  # left out a whole day, 30 December 2011
    "Pacific/Chatham",
)
MINUTES = st.datetimes(at("2010-01-01"), at("2030-01-01")).map(lambda each: each.replace(second=0, microsecond=0))
MOMENTS = st.datetimes(at("2011-06-01"), at("2030-01-01"), timezones=st.just(UTC))
TIMES = st.times().map(lambda each: each.replace(second=0, microsecond=0))
MEMBERS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5)


@st.composite
def layers(draw: st.DrawFn, *, restricted: bool = True) -> Layer:
    hours = st.builds(
        Hours,
        weekdays=st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True),
        from_=TIMES,
        until=TIMES,
    )
    return Layer.model_validate(
        {
            "name": "layer",
            "time_zone": draw(st.sampled_from(ZONES)),
            "starts_at": draw(MINUTES),
            "every": draw(
                st.fixed_dictionaries({"days": st.integers(1, 10)}) | st.fixed_dictionaries({"weeks": st.integers(1, 3)})
            ),
            "members": draw(MEMBERS),
            "only": draw(st.lists(hours, max_size=3)) if restricted else [],
        }
    )


@st.composite
def overrides(draw: st.DrawFn, begin: datetime) -> list[Override]:
    minutes = st.lists(st.tuples(st.integers(-20_000, 20_000), st.integers(1, 20_000)), max_size=4)
    return [
        Override(f"o{number}", f"over{number}", begin + timedelta(minutes=first), begin + timedelta(minutes=first + length))
        for number, (first, length) in enumerate(draw(minutes))
    ]


RANGES = st.tuples(MOMENTS, st.integers(1, 30 * 24 * 60)).map(lambda each: (each[0], each[0] + timedelta(minutes=each[1])))


def layer(zone: str, starts_at: str, members: Sequence[str] = ("ana", "ben"), **more: Any) -> Layer:
    given = {"name": "Primary", "time_zone": zone, "starts_at": starts_at, "every": {"days": 1}, "members": members}
    return Layer.model_validate(given | more)


@given(layers(restricted=False), RANGES)
def test_the_turns_of_a_layer_leave_no_gap_and_never_overlap(one: Layer, within: tuple[datetime, datetime]) -> None:
    begin, end = within
    found = layer_shifts(one, 0, begin, end)
    first = one.hand_over(0)
    if end <= first:
        assert found == []
        return
    assert found[0].begin == max(begin, first)
    assert found[-1].end == end
    assert all(before.end == after.begin for before, after in pairwise(found))
    assert all(shift.begin < shift.end for shift in found)


@given(layers(restricted=False), RANGES)
def test_every_turn_is_handed_over_at_the_same_time_of_day(one: Layer, within: tuple[datetime, datetime]) -> None:
    for shift in layer_shifts(one, 0, *within)[1:]:
        shown = shift.begin.astimezone(one.zone)
        days = (shown.date() - one.starts_at.date()).days
        expected = datetime.combine(shown.date(), one.starts_at.time())
        if _is_shown(expected, one.zone):
            assert shown.time() == one.starts_at.time()
            assert shown.fold == 0, "what comes twice is the first of both"
            assert days % one.every.length.days == 0
            assert shift.individual == one.members[days // one.every.length.days % len(one.members)]


def _is_shown(local: datetime, zone: ZoneInfo) -> bool:
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local


@given(st.lists(layers(), max_size=3), RANGES, st.data())
def test_shifts_are_who_is_on_call_at_every_moment(
    several: list[Layer], within: tuple[datetime, datetime], data: st.DataObject
) -> None:
    begin, end = within
    over = data.draw(overrides(begin))
    rotation = Rotation(layers=tuple(several))
    found = shifts(rotation, over, begin, end)
    assert (found[0].begin, found[-1].end) == (begin, end)
    assert all(before.end == after.begin and before[2:] != after[2:] for before, after in pairwise(found))
    moment = begin + (end - begin) * data.draw(st.floats(0, 0.999_999))
    expected = _by_hand(several, over, moment)
    assert on_call(rotation, over, moment) == expected
    assert [shift.individual for shift in found if shift.begin <= moment < shift.end] == [expected]


def _by_hand(several: Sequence[Layer], over: Sequence[Override], moment: datetime) -> str | None:
    """The same, told without shifts: by counting turns one by one, and looking at the clock on the wall."""
    for each in reversed(over):
        if each.begin <= moment < each.end:
            return each.individual
    for one in reversed(several):
        if moment < one.hand_over(0) or (one.only and not any(_counts(hours, one, moment) for hours in one.only)):
            continue
        passed = (moment.astimezone(one.zone).replace(tzinfo=None) - one.starts_at) // one.every.length
        turn = next(turn for turn in range(passed + 2, -1, -1) if one.hand_over(turn) <= moment)
        return one.members[turn % len(one.members)]
    return None


def _counts(hours: Hours, one: Layer, moment: datetime) -> bool:
    today = moment.astimezone(one.zone).date()
    for day in (today - timedelta(days=2), today - timedelta(days=1), today, today + timedelta(days=1)):
        last = day + timedelta(days=hours.until <= hours.from_)
        begins, ends = datetime.combine(day, hours.from_), datetime.combine(last, hours.until)
        if WEEKDAYS[day.weekday()] in hours.weekdays and moment_of(begins, one.zone) <= moment < moment_of(ends, one.zone):
            return True
    return False


@given(layers(restricted=False), layers(), RANGES)
def test_a_later_layer_lies_over_an_earlier_one(under: Layer, over: Layer, within: tuple[datetime, datetime]) -> None:
    found = shifts(Rotation(layers=(under, over)), (), *within)
    alone = shifts(Rotation(layers=(over,)), (), *within)
    assert [shift[:3] for shift in found if shift.layer == 1] == [shift[:3] for shift in alone if shift.layer == 0]
    hidden = layer_shifts(under, 0, *within)
    for shift in found:
        if shift.layer != 1:
            cause = [turn for turn in hidden if turn.begin < shift.end and turn.end > shift.begin]
            assert {turn.individual for turn in cause} == (set() if shift.individual is None else {shift.individual})


@given(st.sampled_from(ZONES), MINUTES)
@example("Europe/Berlin", at("2026-03-29T02:30"))
@example("Pacific/Apia", at("2011-12-30T12:00"))
def test_a_time_that_clocks_skip_is_when_they_are_put_forward(zone: str, local: datetime) -> None:
    moment = moment_of(local, ZoneInfo(zone))
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if shown == local:
        earlier = (moment - timedelta(hours=24)).timestamp()
        before = range(int(earlier), int(moment.timestamp()), 300)
        assert local not in {datetime.fromtimestamp(each, ZoneInfo(zone)).replace(tzinfo=None) for each in before}
    else:
        assert shown > local
        assert (moment - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None) < local


@pytest.mark.parametrize(
    ("zone", "starts_at", "around", "handed_over"),
    [
        # Put forward: 02:30 is skipped on the 29th, and is 02:30 again on the 30th.
        ("Europe/Berlin", "2026-01-01T02:30", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"]),
        # Put back: 02:30 comes twice on the 25th, and the first counts.
        ("Europe/Berlin", "2026-01-01T02:30", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"]),
        ("Europe/Berlin", "2026-01-01T09:00", "2026-03-28T12:00", ["2026-03-29T07:00", "2026-03-30T07:00", "2026-03-31T07:00"]),
        (
            "America/New_York",
            "2026-01-01T02:15",
            "2026-03-07T12:00",
            ["2026-03-08T07:00", "2026-03-09T06:15", "2026-03-10T06:15"],
        ),
        (
            "America/New_York",
            "2026-01-01T01:15",
            "2026-10-31T12:00",
            ["2026-11-01T05:15", "2026-11-02T06:15", "2026-11-03T06:15"],
        ),
        # Half an hour: 02:15 is skipped in October, and 01:45 comes twice in April.
        (
            "Australia/Lord_Howe",
            "2026-01-01T02:15",
            "2026-10-03T00:00",
            ["2026-10-03T15:30", "2026-10-04T15:15", "2026-10-05T15:15"],
        ),
        (
            "Australia/Lord_Howe",
            "2026-01-01T01:45",
            "2026-04-04T00:00",
            ["2026-04-04T14:45", "2026-04-05T15:15", "2026-04-06T15:15"],
        ),
        # Clocks are the other way round in the south.
        ("Pacific/Chatham", "2026-01-01T02:50", "2026-09-26T00:00", ["2026-09-26T14:00", "2026-09-27T13:05", "2026-09-28T13:05"]),
    ],
)
def test_over_a_change_of_clocks(zone: str, starts_at: str, around: str, handed_over: list[str]) -> None:
    begin = at(f"{around}+00:00")
    found = layer_shifts(layer(zone, starts_at), 0, begin, begin + timedelta(days=3))
    assert [f"{shift.begin:%Y-%m-%dT%H:%M}" for shift in found[1:]] == handed_over
    assert len({shift.individual for shift in found[:2]}) == 2


def test_a_turn_whose_day_a_zone_leaves_out_is_left_out() -> None:
    one = layer("Pacific/Apia", "2011-12-28T00:00", ("mon", "tue", "wed", "thu", "fri"))
    found = layer_shifts(one, 0, at("2011-12-28T12:00+00:00"), at("2012-01-01T10:00+00:00"))
    assert [shift.individual for shift in found] == ["mon", "tue", "thu", "fri"]


def test_hours_are_on_the_clocks_of_the_layer_and_may_go_over_midnight() -> None:
    night = {"weekdays": ["fri"], "from": "22:00", "until": "06:00"}
    one = layer("Europe/Berlin", "2026-01-02T00:00", ("ana",), every={"weeks": 1}, only=[night])
    found = layer_shifts(one, 0, at("2026-10-23T00:00+00:00"), at("2026-11-01T00:00+00:00"))
    assert [(f"{shift.begin:%d %H:%M}", f"{shift.end:%d %H:%M}") for shift in found] == [
        ("23 20:00", "24 04:00"),
        ("30 21:00", "31 05:00"),
    ]


def test_the_later_of_two_overrides_counts() -> None:
    first = Override("1", "cai", at("2026-11-21T10:00+00:00"), at("2026-11-21T14:00+00:00"))
    second = Override("2", "dee", at("2026-11-21T12:00+00:00"), at("2026-11-21T13:00+00:00"))
    rotation = Rotation(layers=(layer("UTC", "2026-11-01T00:00", ("ana",)),))
    found = shifts(rotation, (first, second), at("2026-11-21T00:00+00:00"), at("2026-11-22T00:00+00:00"))
    assert [shift.individual for shift in found] == ["ana", "cai", "dee", "cai", "ana"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_zone": "Mars/Olympus"},
        {"starts_at": "1999-12-31T23:59"},
        {"starts_at": "2026-01-01T00:00Z"},
        {"every": {}},
        {"every": {"days": 1, "weeks": 1}},
        {"every": {"days": 0}},
        {"members": []},
        {"only": [{"weekdays": [], "from": "09:00", "until": "17:00"}]},
        {"only": [{"weekdays": ["mon"], "from": "09:00Z", "until": "17:00"}]},
        {"shoe_size": 7},
    ],
)
def test_a_layer_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Layer.model_validate(layer("UTC", "2026-01-01T00:00").model_dump(by_alias=True) | wrong)


def test_it_is_kept_and_read_as_the_same_json() -> None:
    one = Rotation(layers=(layer("UTC", "2026-01-01T00:00", only=[{"weekdays": ["mon"], "from": "09:00", "until": "17:00"}]),))
    kept = one.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert kept["layers"][0]["only"] == [{"weekdays": ["mon"], "from": "09:00:00", "until": "17:00:00"}]
    assert Rotation.model_validate(kept | {"colour": "a newer version's"}, extra="ignore") == one
    assert one.layers[0].only[0].from_ == time(9)
