"""Ids sort by when they were made; a key stands for one command of one actor."""

import uuid

import pytest

from services.kit.ids import command_id, is_id, new_id

# The same in every process: pytest-xdist compares the names of the tests.
ID = "01a1fcc7-c9a8-7698-a883-ef367aefdf28"


def test_ids_are_version_7_and_sort_by_time() -> None:
    made = [new_id() for _ in range(1_000)]
    assert made == sorted(made)
    assert len(set(made)) == 1_000
    assert {uuid.UUID(each).version for each in made} == {7}


def test_a_key_is_one_command_for_one_actor() -> None:
    assert command_id("org", "ana", "key") == command_id("org", "ana", "key")
    assert (
        len({command_id(*of) for of in [("o", "a", "k"), ("o", "b", "k"), ("p", "a", "k"), ("o", "a", "l"), ("oa", "", "k")]})
        == 5
    )


@pytest.mark.parametrize("text", ["", "7", "INC-7", ID.upper(), f"{{{ID}}}", ID.replace("-", ""), "é" * 36, ID + "\n"])
def test_only_the_canonical_form_is_an_id(text: str) -> None:
    assert not is_id(text)
    assert is_id(new_id())
