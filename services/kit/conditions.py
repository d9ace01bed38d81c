"""Conditional requests: versions as ETags, and If-Match (RFC 9110, section 13)."""

from typing import Annotated

from fastapi import Depends, Request, Response

from services.kit.errors import BadRequest


def set_etag(response: Response, version: int) -> None:
    """Say which version an answer shows."""
    response.headers["ETag"] = f'"{version}"'


def _if_match(request: Request) -> int | None:
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    tag = given.strip().removeprefix("W/").strip('"')
    if not tag.isascii() or not tag.isdigit():
        raise BadRequest('If-Match takes the version from the ETag, like "7".', "if_match_malformed")
    return int(tag)


IfMatch = Annotated[int | None, Depends(_if_match)]
"""The version a change is meant for; None when any will do."""
