"""Who is engaged in an incident and why (E2, E4, E5, E6)."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from workflows.domain.attributes import Attributes, Choice
from workflows.domain.model import Value
from workflows.domain.text import Phrase, phrases

MAX_EVIDENCE: Final = 20
"""How many pieces of evidence a person gets: enough to see why."""
MAX_QUOTE: Final = 500
"""How many characters a piece of evidence quotes: between two words there can be thousands."""
STORM_LIMIT: Final = 50
"""How many people come into an incident at once without asking, unless the organization says otherwise (E7)."""
COMMANDER: Final = "commander"
"""The role that an incident always has one of, once it is open."""
_ORDINARY: Final = frozenset({COMMANDER, "reporter", "participant", "responder", "observer"})
"""Roles that nobody takes on apart from being in: one is in with them, or the incident itself says who has them."""


ViaKind = Literal["team", "oncall"]


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
    with the ``text`` as it was written (its first ``MAX_QUOTE`` characters). For the other kinds ``text`` is the reason in words,
    for a rule its name. ``via`` is what it engaged the person as, in words: a team, or "on call for" a service; None as
    themselves. ``via_kind`` says which of the two.
    ``evaluated_at`` is when the evaluation looked that found it: by this its record is known. The first release told none.
    """

    kind: EvidenceKind
    text: str
    id: str | None = None
    version: int | None = None
    attribute: str | None = None
    start: int | None = None
    end: int | None = None
    via: str | None = None
    via_kind: ViaKind | None = None
    evaluated_at: datetime | None = None


class Match(Value):
    """One person to engage, with every piece of evidence for it."""

    individual: str
    evidence: tuple[Evidence, ...]
    roles: tuple[str, ...] = ()


class Waiting(Value):
    """An on-call service that could not say who is on call, asked again until it can; the evidence and role are for them.

    ``reason`` is the sentence in which it said why not.
    """

    service: Choice
    evidence: tuple[Evidence, ...]
    role: str = "responder"
    reason: str | None = None

    @property
    def key(self) -> str:
        """By this it is told apart: a service can be asked for several roles, and for one by policies and by a match as well."""
        return f"{self.service.id}:{self.role}:{'policy' if self.by_policy else 'match'}"

    @property
    def by_policy(self) -> bool:
        """Whether role policies wait for it, and not what matches: each wants its own answer, and may end without the other."""
        return any(piece.kind is EvidenceKind.ROLE for piece in self.evidence)

    def ends_by(self, service: Choice, role: str, *, by_policy: bool | None) -> bool:
        """Whether this answer for this role is what is waited for; ``by_policy`` None answers policies and matches alike."""
        return (self.service.id, self.role) == (service.id, role) and by_policy in {None, self.by_policy}


class Roles(Value):
    """Whom the role policies choose as commander and for custom roles, and which on-call services they still wait for (E9)."""

    commander: Match | None = None
    others: tuple[Match, ...] = ()
    waiting: tuple[Waiting, ...] = ()


class Term(Value):
    """A term as matching needs it: whose it is (an individual, or what stands for some), and the normalised phrase."""

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


def merged(matches: Iterable[Match]) -> tuple[Match, ...]:
    """One match a person, with all their evidence and roles, in the order in which they first come."""
    found: dict[str, Match] = {}
    for person in matches:
        before = found.get(person.individual, Match(individual=person.individual, evidence=()))
        evidence = tuple(dict.fromkeys(before.evidence + person.evidence))[:MAX_EVIDENCE]
        roles = tuple(dict.fromkeys(before.roles + person.roles))
        found[person.individual] = before.model_copy(update={"evidence": evidence, "roles": roles})
    return tuple(found.values())


def taken_on(roles: Iterable[str]) -> tuple[str, ...]:
    """Those of the roles that are taken on, and told, apart from being in."""
    return tuple(role for role in roles if role not in _ORDINARY)


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
