"""The opaque `after`: good for one list only, and for nothing else."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import BadRequest
from services.kit.paging import decode_after, encode_after

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@given(scope=TEXT, keys=st.lists(TEXT, max_size=3))
def test_what_was_given_out_can_be_read(scope: str, keys: list[str]) -> None:
    assert decode_after(scope, encode_after(scope, keys), len(keys)) == keys


@given(scope=TEXT, other=TEXT, keys=st.lists(TEXT, min_size=1, max_size=3))
def test_it_is_good_for_its_own_list_only(scope: str, other: str, keys: list[str]) -> None:
    after = encode_after(scope, keys)
    if scope != other:
        with pytest.raises(BadRequest):
            decode_after(other, after, len(keys))
    with pytest.raises(BadRequest):
        decode_after(scope, after, len(keys) + 1)


@given(after=st.text(max_size=500), count=st.integers(1, 2))
def test_anything_else_is_refused(after: str, count: int) -> None:
    with pytest.raises(BadRequest) as refused:
        decode_after("incidents", after, count)
    assert refused.value.code == "unknown_after"


@pytest.mark.parametrize("key", ["nul \x00", "half \ud800"])
def test_a_forged_key_that_is_no_text_is_refused(key: str) -> None:
    digest = json.loads(base64.urlsafe_b64decode(encode_after("inbox", []) + "=="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([digest, key]).encode()).decode().rstrip("=")
    with pytest.raises(BadRequest):
        decode_after("inbox", forged, 1)
