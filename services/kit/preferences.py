"""What people set for themselves."""

from datetime import time
from functools import cache
from typing import Annotated, Final, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, StringConstraints, model_validator

from workflows.domain.attributes import Trimmed

_NO_PLACES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""What stands among a machine's time zones and says where that machine is, or that nobody has said so."""


@cache
def time_zones() -> frozenset[str]:
    """Every time zone there is, and none that is another on another machine, or nowhere.

    To look for them takes a while, and preferences are read with every request.
    """
    return frozenset(available_timezones()) - _NO_PLACES


def _known(zone: str) -> str:
    if zone not in time_zones():
        raise ValueError("is not a time zone; they are called like Europe/Berlin")
    return zone


TimeZone = Annotated[str, AfterValidator(_known)]
"""A time zone by its name in the IANA database."""


def _portable(zone: object) -> object:
    # The first release kept these too, and whoever chose one is to get in still.
    return None if zone in _NO_PLACES else zone


class Preferences(BaseModel):
    """How someone wants Muster to look and to reach them. ``time_zone`` None: whatever the browser says.

    Quiet hours are times of day in that zone, and may go over midnight. ``channel`` None: every channel there is.
    """

    time_zone: Annotated[TimeZone | None, BeforeValidator(_portable)] = None
    theme: Literal["light", "dark", "system"] = "system"
    chat_identity: Annotated[Trimmed, StringConstraints(max_length=200)] = ""
    quiet_from: time | None = None
    quiet_until: time | None = None
    channel: Literal["email", "chat"] | None = None

    @model_validator(mode="after")
    def _both_ends(self) -> "Preferences":
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("has only one end of the quiet hours: give both, or neither")
        return self
