"""A verifier written from docs/events.md alone, without Muster's code, agrees with Muster about records."""

import hashlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from workflows.domain.record import commit, link

SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


def canonical(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return '"' + "".join(map(escaped, value)) + '"'
        case list():
            return "[" + ",".join(map(canonical, value)) + "]"
    return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"


def escaped(character: str) -> str:
    if character in SHORT:
        return SHORT[character]
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def sha256(before: str, value: Any) -> str:
    return hashlib.sha256(bytes.fromhex(before) + canonical(value).encode()).hexdigest()


@given(some.binary(min_size=32, max_size=32), some.dictionaries(some.text(), VALUES))
def test_the_documented_commitment_is_the_one_that_is_made(salt: bytes, payload: dict[str, Any]) -> None:
    assert sha256(salt.hex(), payload) == commit(salt.hex(), payload)


def test_the_documented_link_is_the_one_that_is_made() -> None:
    at, commitment, previous = "2026-11-21T06:21:18.000123Z", "ab" * 32, "00" * 32
    assert sha256(previous, {"seq": 1, "at": at, "commitment": commitment}) == link(previous, 1, at, commitment)
