"""Forms: what was typed, and what is wrong with it in words for people."""

from typing import Annotated, Final

from fastapi import Depends, Request
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.kit.conditions import number
from services.kit.errors import Invalid
from services.kit.forms import read_form

_SENTENCES: Final = {
    "missing": "This is needed.",
    "string_too_short": "This is needed.",
    "string_too_long": "This is too long: at most {max_length} characters.",
    "too_long": "These are too many: at most {max_length}.",
    "int_type": "Give a whole number.",
    "enum": "Choose one of those offered.",
    "datetime_from_date_parsing": "Give a date and a time, like 2026-03-01T09:30.",
    "datetime_parsing": "Give a date and a time, like 2026-03-01T09:30.",
}


async def _fields(request: Request) -> dict[str, str]:
    # Browsers end lines with CR LF (WHATWG HTML, section 4.10.21.7); nothing else here does.
    form = await read_form(request)
    return {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}


Fields = Annotated[dict[str, str], Depends(_fields)]
"""The text fields of the form that was sent."""


def typed(fields: dict[str, str], *names: str) -> dict[str, str]:
    """These fields as they were typed; "" for one that was not sent."""
    return {name: fields.get(name, "") for name in names}


def given(fields: dict[str, str], *names: str) -> dict[str, str]:
    """Those of these fields that are not empty."""
    return {name: value for name, value in typed(fields, *names).items() if value.strip()}


def whole(text: str) -> int | str:
    """The number that was typed, as bodies take it; what is none stays as it is, and is told there."""
    value = number(text.strip())
    return text if value is None else value


def address(fields: dict[str, str]) -> str:
    """The e-mail address that was typed, without what no address has and no database takes."""
    return "".join(character for character in fields.get("email", "") if character.isprintable()).strip()[:320]


def split(text: str, separator: str) -> list[str]:
    """The entries of a list that was typed into one field; empty ones do not count."""
    return [entry.strip() for entry in text.split(separator) if entry.strip()]


def faults(error: ValidationError | Invalid) -> dict[str, str]:
    """Each field's first fault as a sentence; "" stands for the form as a whole."""
    if isinstance(error, Invalid):
        found = [(fault.field, fault.message) for fault in error.errors] or [("", error.detail)]
    else:
        found = [(str(fault["loc"][0]) if fault["loc"] else "", _sentence(fault)) for fault in error.errors()]
    return dict(reversed(found))


def at_fields(error: ValidationError | Invalid) -> dict[str, str]:
    """The same, where an entry of a list is at fault, at the field into which the whole list is typed."""
    found: dict[str, str] = {}
    for path, message in faults(error).items():
        found.setdefault(path.partition(".")[0], message)
    return found


def _sentence(fault: ErrorDetails) -> str:
    if fault["type"] == "value_error":
        # These begin with their verb, so that they can be said of an entry as well as of a field.
        subject = f"“{fault['input']}”" if len(fault["loc"]) > 1 else "This"
        return f"{subject} {fault['msg'].removeprefix('Value error, ')}."
    # The length of a text counts as a string's or as a collection's, depending on what else is checked.
    kind = f"string_{fault['type']}" if isinstance(fault["input"], str) and fault["type"].startswith("too_") else fault["type"]
    template = _SENTENCES.get(kind)
    return f"{fault['msg']}." if template is None else template.format_map(fault.get("ctx", {}))
