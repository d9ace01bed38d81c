"""The base of every value in the core."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Immutable, compared by content; unknown fields are ignored, so that an older process can read a newer record."""

    model_config = ConfigDict(frozen=True, extra="ignore")
