"""The hash chain: whatever is changed, moved or taken out shows; what is redacted leaves it whole (L11, O6)."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from workflows.domain.record import GENESIS, Record, RecordedEvent, commit, faults, link

pytestmark = pytest.mark.feature("L11")

payloads: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["kind", "actor", "body", "ü"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def chain(*payload: Mapping[str, JsonValue]) -> list[RecordedEvent]:
    events: list[RecordedEvent] = []
    previous = GENESIS
    for seq, each in enumerate(payload, start=1):
        salt, at = f"{seq:064x}", f"2026-01-01T00:00:{seq:02}.000000Z"
        commitment = commit(salt, dict(each))
        previous = link(previous, seq, at, commitment)
        events.append(RecordedEvent(seq=seq, at=at, payload=dict(each), salt=salt, commitment=commitment, hash=previous))
    return events


def four() -> list[RecordedEvent]:
    return chain(*({"kind": "note_added", "text": f"note {number}"} for number in range(4)))


@given(st.lists(payloads, min_size=1, max_size=6))
@settings(deadline=None)
def test_a_record_holds_also_after_it_was_written_down_and_read(payload: list[dict[str, JsonValue]]) -> None:
    record = Record(incident="i", reference="INC-1", organization="o", events=tuple(chain(*payload)))
    read = Record.model_validate_json(json.dumps(json.loads(record.model_dump_json()), sort_keys=True, indent=1))
    assert faults(read.events) == []


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize(
    "change",
    [
        {"seq": 9},
        {"at": "2026-01-01T00:00:00.000000Z"},
        {"payload": {"kind": "note_added", "text": "other"}},
        {"payload": {}},
        {"salt": "f" * 64},
        {"salt": None},
        {"commitment": "f" * 64},
        {"hash": "f" * 64},
    ],
    ids=json.dumps,
)
def test_any_field_that_was_changed_shows(index: int, change: dict[str, object]) -> None:
    events = four()
    events[index] = events[index].model_copy(update=change)
    assert faults(events)


@given(st.data())
@settings(deadline=None)
def test_any_payload_that_was_changed_shows(data: st.DataObject) -> None:
    before = data.draw(st.lists(payloads, min_size=1, max_size=4))
    index = data.draw(st.integers(0, len(before) - 1))
    other = data.draw(payloads)
    events = chain(*before)
    events[index] = events[index].model_copy(update={"payload": other})
    same = json.dumps(other, sort_keys=True) == json.dumps(before[index], sort_keys=True)
    assert (faults(events) == []) == same


@given(st.permutations(range(4)))
def test_any_other_order_shows(order: list[int]) -> None:
    events = four()
    assert (faults([events[index] for index in order]) == []) == (order == sorted(order))


@pytest.mark.parametrize("index", range(3))
def test_an_event_that_was_taken_out_shows(index: int) -> None:
    events = four()
    del events[index]
    assert f"event {index + 1} is missing" in faults(events)[0]


@pytest.mark.parametrize("index", range(3))
def test_taking_one_out_and_counting_anew_shows(index: int) -> None:
    events = four()
    del events[index]
    assert faults([event.model_copy(update={"seq": seq}) for seq, event in enumerate(events, start=1)])


def test_an_event_put_in_or_twice_shows() -> None:
    events = four()
    assert faults([*events[:2], events[1], *events[2:]])
    assert faults([]) == ["the record holds no event"]


@pytest.mark.feature("O6")
@given(st.sets(st.integers(0, 3)))
def test_redacting_leaves_the_chain_whole(gone: set[int]) -> None:
    events = four()
    for index in gone:
        events[index] = events[index].model_copy(update={"payload": None, "salt": None})
    assert faults(events) == []


@pytest.mark.parametrize("field", ["salt", "commitment", "hash"])
@pytest.mark.parametrize("nonsense", ["", "zz", "0" * 63, "G" * 64, "0" * 64 + "\n"])
def test_what_is_no_hash_cannot_be_read_as_a_record(field: str, nonsense: str) -> None:
    event = four()[0].model_dump() | {field: nonsense}
    with pytest.raises(ValidationError):
        RecordedEvent.model_validate(event)
