"""Addresses that pages lead to."""

from collections.abc import Mapping
from urllib.parse import urlencode


def query_of(given: Mapping[str, str | None]) -> str:
    """The query of an address: those of these that are given."""
    return urlencode({name: value for name, value in given.items() if value})


def next_href(asked: Mapping[str, str], after: str | None) -> str | None:
    """The address of a list's next page, narrowed as this one is; None if this is the last."""
    return None if after is None else f"?{query_of({**asked, 'after': after})}"
