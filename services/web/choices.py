"""What selects offer."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from pydantic import BaseModel

from services.accounts.schemas import Choices
from workflows.domain.events import Visibility

VISIBILITIES: Final[dict[str, str]] = {Visibility.PUBLIC: "Public", Visibility.RESTRICTED: "Restricted"}
"""What it is called who may see an incident."""


class Option(BaseModel):
    """One choice of a select."""

    value: str
    label: str


class Entry(Protocol):
    """An entry of one of the organization's lists."""

    name: str
    is_default: bool


def named(entries: Iterable[Entry]) -> list[Option]:
    """Entries by name, which is what a shared link holds as well."""
    return [Option(value=entry.name, label=entry.name) for entry in entries]


def attribute_options(choices: Choices) -> dict[str, list[Option]]:
    """The options of an incident's type, severity and priority."""
    return {
        "types": named(choices.types),
        "severities": named(choices.severities),
        "priorities": named(choices.priorities),
    }


def default(entries: Sequence[Entry], wanted: str = "") -> str:
    """The name of the entry that is wanted, however it is cased, or else of the default one."""
    known = {entry.name.casefold(): entry.name for entry in entries}
    return known.get(wanted.strip().casefold()) or next((entry.name for entry in entries if entry.is_default), "")
