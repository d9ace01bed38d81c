"""Pages of lists: an opaque ``after`` that is only good for the list and organization it was given out for."""

import base64
import hashlib
import json
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from services.kit.errors import BadRequest

Item = TypeVar("Item")

PageSize = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=500)]


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


def decode_after(scope: str, after: str, count: int) -> list[str]:
    """The sort keys of the row a page begins behind.

    Raises:
        BadRequest: ``unknown_after``, when it was not given out for this list.
    """
    try:
        parts = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except (ValueError, UnicodeDecodeError):
        parts = None
    if not isinstance(parts, list) or len(parts) != count + 1 or not all(isinstance(part, str) for part in parts):
        raise _unknown()
    if parts[0] != _digest(scope):
        raise _unknown()
    return [str(part) for part in parts[1:]]


def _digest(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:16]


def _unknown() -> BadRequest:
    return BadRequest("This `after` is not from this list. Start again without it.", "unknown_after")
