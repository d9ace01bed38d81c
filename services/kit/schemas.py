"""What all request bodies share."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from workflows.domain.attributes import Trimmed

Named = Annotated[Trimmed, StringConstraints(min_length=1, max_length=200)]
"""Something the organization has, by id or by name."""
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
