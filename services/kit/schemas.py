"""What all request bodies share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from workflows.domain.attributes import Trimmed

Named = Annotated[Trimmed, StringConstraints(min_length=1, max_length=200)]
"""Something the organization has, by id or by name."""


class Body(BaseModel):
    """A request's body: a field that is not known is an error, not silence."""

    model_config = ConfigDict(extra="forbid")
