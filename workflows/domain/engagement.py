"""Who is engaged in an incident and why (E2, E4, E5, E6)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from workflows.domain.attributes import Attributes
from workflows.domain.model import Value
from workflows.domain.text import Phrase, phrases

MAX_EVIDENCE: Final = 20
"""How many pieces of evidence a person gets: enough to see why."""
MAX_QUOTE: Final = 500
"""How many characters a piece of evidence quotes: between two words there can be thousands."""


class EvidenceKind(StrEnum):
    """What led to an engagement."""

    TERM = "term"
    RULE = "rule"
    ROLE = "role"
    MANUAL = "manual"
    SELF_JOIN = "self_join"


class Evidence(Value):
    """Why a person was engaged.

    For a term: its id and version, the attribute, and the half-open span ``[start, end)`` of the attribute's text (in characters)
    with the ``text`` as it was written (its first ``MAX_QUOTE`` characters). For the other kinds ``text`` is the reason in words.
    """

    kind: EvidenceKind
    text: str
    id: str | None = None
    version: int | None = None
    attribute: str | None = None
    start: int | None = None
    end: int | None = None


class Match(Value):
    """One person to engage, with every piece of evidence for it."""

    individual: str
    evidence: tuple[Evidence, ...]
    roles: tuple[str, ...] = ()


class Term(Value):
    """A term as matching needs it: whose it is, and the normalised phrase."""

    id: str
    version: int
    individual: str
    normalised: str


def candidates(attributes: Attributes, longest: int) -> set[str]:
    """Every phrase of up to ``longest`` words that occurs in an attribute: what is looked up among the stored terms."""
    return {phrase.text for _, text in attributes.texts() for phrase in phrases(text, longest)}


def match(attributes: Attributes, terms: Iterable[Term]) -> list[Match]:
    """The people whose terms occur in the attributes, with the first occurrence of each term in each attribute.

    A term matches when it occurs as whole words; phrases never cross from one attribute (or tag) to another. The order is by
    individual, so the same input always gives the same answer. Nobody gets more than ``MAX_EVIDENCE`` pieces.
    """
    wanted: dict[str, list[Term]] = {}
    for term in terms:
        wanted.setdefault(term.normalised, []).append(term)
    longest = max((phrase.count(" ") + 1 for phrase in wanted), default=0)
    found: dict[str, list[Evidence]] = {}
    seen: set[tuple[str, str]] = set()
    for attribute, text in attributes.texts():
        for phrase in phrases(text, longest):
            if phrase.text not in wanted or (attribute, phrase.text) in seen:
                continue
            seen.add((attribute, phrase.text))
            for term in wanted[phrase.text]:
                pieces = found.setdefault(term.individual, [])
                if len(pieces) < MAX_EVIDENCE:
                    pieces.append(_evidence(term, attribute, text, phrase))
    return [Match(individual=person, evidence=tuple(found[person])) for person in sorted(found)]


def _evidence(term: Term, attribute: str, text: str, phrase: Phrase) -> Evidence:
    return Evidence(
        kind=EvidenceKind.TERM,
        id=term.id,
        version=term.version,
        attribute=attribute,
        start=phrase.start,
        end=phrase.end,
        text=text[phrase.start : min(phrase.end, phrase.start + MAX_QUOTE)],
    )
