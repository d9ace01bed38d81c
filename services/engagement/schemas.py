"""What the engagement API takes and shows."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from services.desk.lookup import Person
from services.kit.schemas import Body, Email, Name, Named
from workflows.domain.attributes import Text, Trimmed
from workflows.domain.engagement import Evidence
from workflows.domain.text import MAX_PHRASE_WORDS, normalise

MAX_TERMS: Final = 200
MAX_NORMALISED: Final = 400


def _phrase(text: str) -> str:
    words = normalise(text).split()
    if not words:
        raise ValueError("has no word in it")
    if len(words) > MAX_PHRASE_WORDS:
        raise ValueError(f"has {len(words)} words; a term or phrase has at most {MAX_PHRASE_WORDS}")
    # One character can stand for a whole word, so what was short enough to type can still be too long to keep.
    if len(" ".join(words)) > MAX_NORMALISED:
        raise ValueError(f"is longer than {MAX_NORMALISED} characters when written out")
    return text


TermText = Annotated[Trimmed, StringConstraints(max_length=200), AfterValidator(_phrase)]
Terms = Annotated[list[TermText], Field(max_length=MAX_TERMS, fail_fast=True)]


class NewIndividual(Body):
    """Someone who can be engaged."""

    name: Name
    email: Email
    terms: Terms = Field(default_factory=list)
    active: bool = True


class IndividualChanges(Body):
    """What is to change about an individual."""

    name: Name | None = None
    email: Email | None = None
    active: bool | None = None


class TermsBody(Body):
    """All the terms of an individual, in place of the ones before."""

    terms: Terms


class TermView(BaseModel):
    """A term as it was typed."""

    id: str
    phrase: str
    version: int


class IndividualView(BaseModel):
    """An individual. ``terms`` are the phrases; ``term_details`` have their ids and versions, which evidence refers to."""

    id: str
    name: str
    email: str
    active: bool
    terms: list[str]
    term_details: list[TermView]
    version: int


class ParticipantView(BaseModel):
    """A person's participation."""

    individual: Person
    roles: list[str]
    state: Literal["engaged", "joined", "left", "removed"]
    joined_at: datetime
    left_reason: str | None
    evidence: list[Evidence]


class EngagementView(BaseModel):
    """Why a person was engaged."""

    individual: Person
    state: Literal["engaged", "joined", "left", "removed"]
    at: datetime
    evidence: list[Evidence]


class WhyView(BaseModel):
    """Why a person is, or is not, in an incident: in words, with the evidence or the terms that did not occur.

    ``at`` is when they were engaged, None if they never were.
    """

    individual: Person
    engaged: bool
    at: datetime | None
    reason: str
    explanation: str
    evidence: list[Evidence]
    terms: list[str]


class NewParticipant(Body):
    """Someone to bring in."""

    individual: Named


class Going(Body):
    """Why someone goes."""

    reason: Annotated[Text, StringConstraints(max_length=1000)] | None = None
