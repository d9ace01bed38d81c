"""People who are named in one field, one a line."""

from typing import Final

from services.desk.lookup import resolve_person
from services.kit.errors import Invalid
from services.kit.routing import CurrentSession
from services.web.forms import split

MAX_LINES: Final = 200
"""How many people are looked up for one form."""


async def people_of(session: CurrentSession, field: str, text: str) -> list[str]:
    """The ids of the people whom the lines of a text name, in their order and each once; see ``resolve_person``.

    Raises:
        Invalid: ``too_many``, ``unknown`` or ``ambiguous``, at this field.
    """
    lines = split(text, "\n")
    if len(lines) > MAX_LINES:
        raise Invalid.of(field, "too_many", f"These are {len(lines)} people; at most {MAX_LINES} can be named at once.")
    return list(dict.fromkeys([(await resolve_person(session, field, line)).id for line in lines]))
