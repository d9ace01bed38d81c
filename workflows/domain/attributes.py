"""What an incident says about itself: the attributes that people edit and that engagement looks at."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from workflows.domain.model import Value

MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 20_000
MAX_TAGS: Final = 50
MAX_TAG: Final = 80


def _storable(text: str) -> str:
    # Lone surrogates and NUL can come in by JSON, and neither database can keep them.
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains characters that are not text (NUL or half of a surrogate pair)")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _distinct(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


Text = Annotated[str, AfterValidator(_storable)]
"""Unicode text that every store can keep."""
Trimmed = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_storable)]
"""Text without white space around it: a limit on its length that is put on top counts what is left."""
Title = Annotated[Trimmed, AfterValidator(_one_line), StringConstraints(min_length=1, max_length=MAX_TITLE)]
Description = Annotated[Text, StringConstraints(max_length=MAX_DESCRIPTION)]
Tag = Annotated[Trimmed, StringConstraints(min_length=1, max_length=MAX_TAG)]
Tags = Annotated[tuple[Tag, ...], Field(max_length=MAX_TAGS, fail_fast=True), AfterValidator(_distinct)]


class Choice(Value):
    """A value picked from one of the organization's lists (type, severity, priority), with its name at that time."""

    id: str
    name: str


class Attributes(Value):
    """Everything a term can match on. Tags keep their order and are distinct."""

    title: Title
    description: Description = ""
    type: Choice
    severity: Choice
    priority: Choice
    tags: Tags = ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each attribute's name with its text; every tag is a text of its own, so no phrase crosses from one to the next."""
        yield "title", self.title
        yield "description", self.description
        yield "type", self.type.name
        yield "severity", self.severity.name
        yield "priority", self.priority.name
        for tag in self.tags:
            yield "tags", tag


class AttributeChanges(Value):
    """An edit: only the fields that are given change."""

    title: Title | None = None
    description: Description | None = None
    type: Choice | None = None
    severity: Choice | None = None
    priority: Choice | None = None
    tags: Tags | None = None

    def given(self) -> dict[str, object]:
        """The fields that are to change, with their new values."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}
