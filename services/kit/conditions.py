"""Conditional requests: versions as ETags, and If-Match (RFC 9110, section 13)."""

import re
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from services.kit.errors import BadRequest

_NUMBER: Final = re.compile(r"[0-9]{1,9}")


def number(text: str) -> int | None:
    """The version or sequence number that a text is; None when it is none that there can be."""
    return int(text) if _NUMBER.fullmatch(text) else None


def set_etag(response: Response, version: int) -> None:
    """Say which version an answer shows."""
    response.headers["ETag"] = f'"{version}"'


def _if_match(request: Request) -> int | None:
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    version = number(given.strip().removeprefix("W/").strip('"'))
    if version is None:
        raise BadRequest('If-Match takes the version from the ETag, like "7".', "if_match_malformed")
    return version


IfMatch = Annotated[int | None, Depends(_if_match)]
"""The version a change is meant for; None when any will do."""
