"""Whom an incident engages: by terms and rules, of individuals, teams and on-call services, with all evidence (E2–E4, E6)."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement import repository
from services.engagement.conditions.naming import target_names
from services.engagement.decision import DecisionRecord, record_of
from services.engagement.oncall.provider import OnCallProvider
from services.engagement.rules import evaluation as rules
from services.engagement.targets import resolve, via
from services.kit.clock import now
from services.store.matches import Causes
from workflows.contracts.engagement import Evaluation, EvaluationRequest
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import MAX_EVIDENCE, Evidence, EvidenceKind, Match, Term, ViaKind, Waiting, match, taken_on
from workflows.domain.rules import RESPONDER, Rule, Target, TargetKind

PAGE_PEOPLE: Final = 500
PAGE_BYTES: Final = 250_000
"""How large a page may become: the event that engages it has to pass through Temporal, which takes two megabytes."""
_RULES_TOLD: Final = MAX_EVIDENCE // 2
"""How many rules one person is told as evidence, so that there is room for terms."""
_VIA: Final[dict[TargetKind, ViaKind]] = {TargetKind.TEAM: "team", TargetKind.ONCALL: "oncall"}
_WAITING_TOLD: Final = 3
"""How many pieces of evidence an on-call service is waited for with: the incident's state keeps them."""


_Known = Mapping[str, frozenset[str] | None]
"""Whom an incident knows, as ``repository.known_to`` tells it."""


class _Found(NamedTuple):
    """What engages: the terms and the rules that hold, by whom they engage; what those are called; and the storm limit.

    ``at`` is when it was found, if a record of it is kept.
    """

    attributes: Attributes
    terms: Mapping[Target, list[Term]]
    rules: Mapping[Target, list[Rule]]
    names: Mapping[str, str]
    limit: int
    at: datetime | None


class _Grounds(NamedTuple):
    """The evidence for whomever a target stands for: of rules, each with its role, and of terms."""

    rules: list[tuple[str, Evidence]]
    terms: list[Evidence]


async def evaluate(
    session: AsyncSession, request: EvaluationRequest, providers: Mapping[str, OnCallProvider], at: datetime | None = None
) -> tuple[Evaluation, DecisionRecord, Causes]:
    """A page of those whom an incident engages, the record of how they were found, and all that matches.

    They are new to the incident, or to a role in it. Their evidence names the record by ``at``, if it is kept. An on-call service
    that cannot tell who is on call delays nobody else: it is in ``Evaluation.waiting``.
    """
    terms = await repository.find_terms(session, request.attributes, request.visibility)
    project = request.project or await repository.project_of(session, request.incident)
    facts = await rules.facts(session, request.attributes, project, request.visibility)
    judged = await rules.judged(session, facts)
    ruling: dict[Target, list[Rule]] = {}
    for rule, said in judged:
        for target in rule.engage if said.holds else ():
            ruling.setdefault(target, []).append(rule)
    # Whose terms were found is active, and stands for themselves.
    own = {target: [target.id] for target in terms if target.kind is TargetKind.INDIVIDUAL}
    asked = [target for target in {**terms, **ruling} if target not in own]
    resolved = await resolve(session, asked, at or now(), providers)
    people = own | resolved.people
    known = await repository.known_to(session, request.incident) if people else {}
    names = await target_names(session, [target for target in asked if target.kind is not TargetKind.INDIVIDUAL])
    found = _Found(request.attributes, terms, ruling, names, await repository.storm_limit(session), at)
    engaged = await asyncio.to_thread(_engaged, people, ruling, known, request.after or "")
    page = await asyncio.to_thread(_page, found, engaged, resolved.failed, known)
    every = [term for each in terms.values() for term in each]
    causes = Causes(rules=[rule.id for rule, said in judged if said.holds], terms=[term.id for term in every])
    return page, record_of(facts.ranks, judged, every, resolved), causes


def _engaged(
    people: Mapping[Target, list[str]], ruling: Mapping[Target, list[Rule]], known: _Known, after: str
) -> dict[str, list[Target]]:
    """Who is new, or gets a role that is, and is behind ``after``: by id, each with what engages them."""
    found: dict[str, list[Target]] = {}
    for target, each in people.items():
        roles = frozenset(taken_on(rule.role for rule in ruling.get(target, ())))
        for person in each:
            if person > after and _is_news(person, roles, known):
                found.setdefault(person, []).append(target)
    return {person: found[person] for person in sorted(found)}


def _is_news(person: str, roles: frozenset[str], known: _Known) -> bool:
    has = known.get(person, frozenset())
    return person not in known or (has is not None and not roles <= has)


def _page(found: _Found, engaged: Mapping[str, list[Target]], failed: Mapping[str, str], known: _Known) -> Evaluation:
    first = dict(islice(engaged.items(), PAGE_PEOPLE))
    failing = [target for target in {**found.terms, **found.rules} if target.id in failed]
    grounds = _grounds(found, {target for targets in [*first.values(), failing] for target in targets})
    matches = [_match(person, [grounds[target] for target in targets]) for person, targets in first.items()]
    fitting = matches[: _fitting(matches)]
    return Evaluation(
        matches=tuple(fitting),
        after=fitting[-1].individual if len(fitting) < len(engaged) else None,
        further=sum(person not in known for person in islice(engaged, len(fitting), None)),
        waiting=tuple(waiting for target in failing for waiting in _waiting(target, grounds[target], found, failed[target.id])),
        limit=found.limit,
    )


def _grounds(found: _Found, targets: Collection[Target]) -> dict[Target, _Grounds]:
    terms = (term for target in targets for term in found.terms.get(target, ()))
    quoted = {each.individual: each.evidence for each in match(found.attributes, terms)}
    grounds = {}
    for target in targets:
        by = {"via": via(target, found.names), "via_kind": _VIA.get(target.kind), "evaluated_at": found.at}
        rules_told = [
            (rule.role, Evidence(kind=EvidenceKind.RULE, id=rule.id, version=rule.version, text=rule.name).model_copy(update=by))
            for rule in found.rules.get(target, ())
        ]
        terms_told = [piece.model_copy(update=by) for piece in quoted.get(target.id, ())]
        grounds[target] = _Grounds(rules_told, terms_told)
    return grounds


def _match(person: str, grounds: Sequence[_Grounds]) -> Match:
    by_rule: dict[str | None, tuple[str, Evidence]] = {}
    for role, piece in (each for ground in grounds for each in ground.rules):
        by_rule.setdefault(piece.id, (role, piece))
    told = [piece for _, piece in by_rule.values()][:_RULES_TOLD]
    evidence = [*told, *(piece for ground in grounds for piece in ground.terms)][:MAX_EVIDENCE]
    return Match(individual=person, evidence=tuple(evidence), roles=tuple(dict.fromkeys(role for role, _ in by_rule.values())))


def _waiting(target: Target, grounds: _Grounds, found: _Found, reason: str) -> Iterator[Waiting]:
    """A service is waited for with each role that it is needed for; a term engages as a rule does that says nothing of it."""
    pieces: dict[str, list[Evidence]] = {}
    for role, piece in [*grounds.rules, *((RESPONDER, piece) for piece in grounds.terms)]:
        pieces.setdefault(role, []).append(piece)
    service = Choice(id=target.id, name=found.names[target.id])
    for role, told in pieces.items():
        yield Waiting(service=service, evidence=tuple(told[:_WAITING_TOLD]), role=role, reason=reason)


def _fitting(matches: list[Match]) -> int:
    size = 0
    for number, person in enumerate(matches):
        size += len(person.model_dump_json().encode())
        if size > PAGE_BYTES:
            return number
    return len(matches)
