"""Pages of lists: an opaque ``after`` that is only good for the list and organization it was given out for."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, StringConstraints, TypeAdapter

from services.kit.errors import BadRequest
from workflows.domain.attributes import Text

Item = TypeVar("Item")
Row = TypeVar("Row")
_PARTS = TypeAdapter(list[Text])

PageSize = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=500)]
Filter = Annotated[Text, StringConstraints(max_length=200)]
"""A value to narrow a list by: only text that a database can be asked for."""


class Pagination(BaseModel):
    """Where the next page begins; None on the last."""

    after: str | None
    page_size: int


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    data: list[Item]
    pagination: Pagination


def encode_after(scope: str, keys: list[str]) -> str:
    """The position behind a row, as ``after``. ``scope`` names the list, its organization, sort and filters."""
    return base64.urlsafe_b64encode(json.dumps([_digest(scope), *keys]).encode()).decode().rstrip("=")


def cut(rows: Sequence[Row], page_size: int, scope: str, keys: Callable[[Row], list[str]]) -> tuple[Sequence[Row], Pagination]:
    """A page of rows, of which one more than ``page_size`` was asked for, so that it is known whether there is a next page.

    ``keys`` are the sort keys of a row; see ``encode_after`` for ``scope``.
    """
    shown = rows[:page_size]
    after = encode_after(scope, keys(shown[-1])) if len(rows) > page_size else None
    return shown, Pagination(after=after, page_size=page_size)


def decode_after(scope: str, after: str, count: int) -> list[str]:
    """The sort keys of the row a page begins behind.

    Raises:
        BadRequest: ``unknown_after``, when it was not given out for this list.
    """
    try:
        found = _PARTS.validate_python(json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))))
    except ValueError as error:
        raise unknown_after() from error
    if len(found) != count + 1 or found[0] != _digest(scope):
        raise unknown_after()
    return found[1:]


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:16]


def unknown_after() -> BadRequest:
    """What to raise for an ``after`` that was not given out for this list."""
    return BadRequest("This `after` is not from this list. Start again without it.", "unknown_after")
