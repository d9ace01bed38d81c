"""What all request bodies share."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from workflows.domain.attributes import Trimmed

_EMAIL: Final = re.compile(r"[^@\s<>\"(),:;\\\[\]]+@[^@\s<>\"(),:;\\\[\]]+")


def _address(text: str) -> str:
    # An encoded word ("=?utf-8?q?…") could decode to another address in a mail's header.
    if not _EMAIL.fullmatch(text) or not text.isprintable() or "=?" in text:
        raise ValueError("is not an e-mail address like ana@example.org")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


Named = Annotated[Trimmed, StringConstraints(min_length=1, max_length=200)]
"""Something the organization has, by id or by name."""
Name = Annotated[Trimmed, StringConstraints(min_length=1, max_length=200), AfterValidator(_one_line)]
"""What a person is called."""
Email = Annotated[Trimmed, StringConstraints(max_length=320), AfterValidator(_address)]
MAX_FIELDS: Final = 100
"""How many fields a body is looked at with: an error for each of ten thousands would take seconds."""


class Body(BaseModel):
    """A request's body: a field that is not known is an error, not silence."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _not_too_many(cls, given: object) -> object:
        if isinstance(given, dict) and len(given) > MAX_FIELDS:
            raise ValueError(f"has {len(given)} fields; at most {MAX_FIELDS} are looked at")
        return given
