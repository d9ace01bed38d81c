"""Forms as browsers send them: each request's is read once, by the same limit for whoever looks into it."""

from typing import Final

from fastapi import Request
from starlette.datastructures import FormData

MAX_FIELDS: Final = 20_100
"""How many fields a form has at most: one each for a crowd of people, and some besides. Its bytes are limited like any body's."""


async def read_form(request: Request) -> FormData:
    """The form that was sent."""
    return await request.form(max_fields=MAX_FIELDS)
