"""What could engage one person in an incident: their own terms, and terms and rules of what stands for them (E6).

What an evaluation looked at is told by its record. What is newer, or was not looked at yet, is looked at as it is.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement import repository
from services.engagement.conditions.naming import names, target_names
from services.engagement.decision import DecisionRecord, Evaluated
from services.engagement.repository import TermInForce
from services.engagement.rules import evaluation
from services.engagement.schemas import AskedView, RuleWhyView
from services.engagement.targets import resolve, via
from services.store.contacts import Individual
from services.store.teams import OnCallService, OverrideRow, Team, TeamMember
from workflows.domain.engagement import candidates
from workflows.domain.incident import IncidentState
from workflows.domain.rules import Conditional, Facts, Target, TargetKind, judge, sentence, when_in_words

MAX_TIES: Final = 50
"""How many teams and on-call services of one person are looked at."""


class Situation(NamedTuple):
    """What an incident was at a moment, and the evaluation of this, if there is one: see ``evaluation_of``.

    ``answers`` are whom on-call services named, by id, that could not tell at first.
    """

    state: IncidentState
    moment: datetime
    evaluated: Evaluated | None
    answers: Mapping[str, Sequence[str]]

    @property
    def record(self) -> DecisionRecord | None:
        """What was kept of the evaluation."""
        return self.evaluated.record if self.evaluated else None

    @property
    def asked(self) -> set[str]:
        """The on-call services that are asked, for what matches, until they can tell."""
        return {each.service.id for each in self.state.asking if not each.by_policy}


class Reach(NamedTuple):
    """How something reaches a person: by what, if not as themselves, and whether it did; if not, ``missed`` says whom instead.

    ``stood_for_them`` is None if it could not be told.
    """

    via: str | None
    stood_for_them: bool | None
    missed: str | None


class Ground(NamedTuple):
    """A term or a rule that may engage the person: whether it holds, and by which kind of target and how it reaches them then.

    ``counted``: the evaluation looked at it; what did not count is newer. ``self_set``: it is a term, and its owner set it, who
    is no administrator. ``view`` is how a rule was judged.
    """

    what: str
    holds: bool
    counted: bool
    by: TargetKind
    reach: Reach
    self_set: bool = False
    view: RuleWhyView | None = None


class Grounds(NamedTuple):
    """All of them, whether they held or not; and which on-call services cannot tell, with the reason."""

    grounds: list[Ground]
    failures: list[str]


async def find_grounds(session: AsyncSession, person: Individual, situation: Situation) -> Grounds:
    """What could engage a person, and whether it did."""
    own = Target(kind=TargetKind.INDIVIDUAL, id=person.id)
    about = {each.id: each for each in (own, *await _targets(session, person, situation.record))}
    terms = await repository.terms_in_force(session, about, situation.moment)
    rules = await evaluation.in_force(session, situation.moment, about)
    counted = await _counted(session, about, situation.evaluated)
    newer = {about[term.owner] for term in terms if (term.id, term.version) not in counted}
    newer |= {target for rule in rules if (rule.id, rule.version) not in counted for target in rule.engage if target.id in about}
    targets = {*about.values(), *(target for rule in rules for target in rule.engage)}
    called = await names(session, [rule.when for rule in rules], targets)
    listed = select(Team.id, Team.list_id).where(Team.id.in_(about), Team.list_id.is_not(None))
    lists = {row[0]: row[1] for row in await session.execute(listed)}
    resolved = await resolve(session, newer, situation.moment)
    reaches = _Reaches(person, situation, called, lists, resolved.people)
    state = situation.state
    facts = await evaluation.facts(session, state.attributes, state.project, state.visibility)
    hearings = {True: Hearing(facts, situation.record, called), False: Hearing(facts, None, called)}
    grounds = await _terms(terms, situation, about, counted, reaches)
    for rule in rules:
        looked_at = (rule.id, rule.version) in counted
        by, reach = reaches.nearest([each for each in rule.engage if each.id in about], counted=looked_at)
        view = hearings[looked_at].view(rule, sentence(rule, called), reach)
        grounds.append(Ground(f"rule “{rule.name}”", view.holds, looked_at, by, reach, view=view))
    return Grounds(grounds, await _failures(session, situation))


class _Reaches:
    """Tells how targets reach a person: by the record, or, what is newer, as it is."""

    def __init__(
        self,
        person: Individual,
        situation: Situation,
        called: Mapping[str, str],
        lists: Mapping[str, str | None],
        now: Mapping[Target, Sequence[str]],
    ) -> None:
        self._person = person
        self._situation = situation
        self._called = called
        self._record = situation.record or DecisionRecord()
        self._lists = lists
        self._now = now

    def of(self, target: Target, *, counted: bool) -> Reach:
        """How one target reaches the person."""
        people = self._then(target) if counted else self._now.get(target)
        stood = None if people is None else self._person.id in people
        by_list = self._lists.get(target.id) in (people or ())
        asked = target.id in self._situation.asked
        words = missed(self._person, target, self._called, stood, by_list=by_list, asked=asked)
        return Reach(via(target, self._called), stood, words)

    def nearest(self, targets: Sequence[Target], *, counted: bool) -> tuple[TargetKind, Reach]:
        """Of several that one rule engages, the one by which it reaches the person, or might have."""
        reaches = [(each.kind, self.of(each, counted=counted)) for each in targets]
        return min(reaches, key=lambda each: (True, None, False).index(each[1].stood_for_them))

    def _then(self, target: Target) -> Sequence[str] | None:
        """Whom a target stood for in the evaluation, or named later; None if that is not known."""
        if (people := self._record.reached(target)) is not None:
            return people
        if target.id in self._record.failures:
            return None if target.id in self._situation.asked else self._situation.answers.get(target.id)
        # It was too much to be kept, but whomever it stood for then came in or was held, and is not asked about here.
        return ()


def missed(
    person: Individual,
    target: Target,
    called: Mapping[str, str],
    stood_for_them: bool | None,
    *,
    by_list: bool = False,
    asked: bool = False,
) -> str | None:
    """Whom a target stood for instead of a person, in words that follow "it holds, but"; None if it stood for them.

    ``called`` are the names of targets; ``by_list``: it stood for the mailing list of a team; ``asked``: it is an on-call service
    that is still asked.
    """
    if stood_for_them:
        return None
    if target.kind is TargetKind.INDIVIDUAL:
        return f"{person.name} was not active then"
    name = called[target.id]
    if target.kind is TargetKind.ONCALL:
        if stood_for_them is None:
            return f"it could not be told who is on call for {name}{'; Muster keeps asking' if asked else ''}"
        return f"it engages whoever is on call for {name}, which was not {person.name}"
    if by_list:
        return f"it engages only the mailing list of {name}, not {person.name}"
    return f"it engages {name}, which did not stand for {person.name} then"


def may_be_on_call(individual: str) -> ColumnElement[bool]:
    """The condition that an on-call service has to do with somebody: its rotation or an override names them."""
    overridden = select(OverrideRow.service_id).where(OverrideRow.individual_id == individual)
    return or_(cast(OnCallService.definition, Text).contains(individual), OnCallService.id.in_(overridden))


async def _targets(session: AsyncSession, person: Individual, record: DecisionRecord | None) -> list[Target]:
    """The teams and services that have to do with the person now, or stood for them in the evaluation."""
    joined = select(TeamMember.team_id).where(TeamMember.individual_id == person.id)
    teams = select(Team.id).where(or_(Team.id.in_(joined), Team.list_id == person.id)).order_by(Team.id)
    services = select(OnCallService.id).where(may_be_on_call(person.id)).order_by(OnCallService.id)
    found = [each.target for each in (record.targets if record else ()) if person.id in each.people]
    for kind, query in ((TargetKind.TEAM, teams), (TargetKind.ONCALL, services)):
        found += [Target(kind=kind, id=each) for each in await session.scalars(query.limit(MAX_TIES))]
    return [target for target in dict.fromkeys(found) if target.kind is not TargetKind.INDIVIDUAL]


async def _counted(session: AsyncSession, about: Collection[str], evaluated: Evaluated | None) -> set[tuple[str, int]]:
    """The versions of terms and rules that the evaluation looked at: what was in force, and whatever is in its record."""
    if evaluated is None:
        return set()
    record = evaluated.record or DecisionRecord()
    terms = await repository.terms_in_force(session, about, evaluated.at)
    rules = await evaluation.in_force(session, evaluated.at, about)
    # Something may have been saved at that very moment.
    noted = {*((each.rule, each.version) for each in record.rules), *((each.term, each.version) for each in record.terms)}
    return noted | {(each.id, each.version) for each in terms} | {(each.id, each.version) for each in rules}


async def _terms(
    terms: Sequence[TermInForce],
    situation: Situation,
    about: Mapping[str, Target],
    counted: Collection[tuple[str, int]],
    reaches: _Reaches,
) -> list[Ground]:
    longest = max((term.normalised.count(" ") + 1 for term in terms), default=0)
    occurring = await asyncio.to_thread(candidates, situation.state.attributes, longest)
    matched = {(each.term, each.version) for each in situation.record.terms} if situation.record else set()
    found = []
    for term in terms:
        looked_at = (term.id, term.version) in counted
        owner = about[term.owner]
        reach = reaches.of(owner, counted=looked_at)
        if owner.kind is TargetKind.INDIVIDUAL and (term.id, term.version) in matched:
            # Only terms of who is active are looked up: they are about to come in.
            reach = Reach(None, True, None)
        holds = term.normalised in occurring
        found.append(Ground(f"term “{term.phrase}”", holds, looked_at, owner.kind, reach, term.self_set))
    return found


async def _failures(session: AsyncSession, situation: Situation) -> list[str]:
    """Which on-call services are still asked, and the reason."""
    record = situation.record or DecisionRecord()
    failures = {service: reason for service, reason in record.failures.items() if service in situation.asked}
    called = await target_names(session, [Target(kind=TargetKind.ONCALL, id=each) for each in failures])
    return [f"{called.get(each, 'An on-call service')}: {reason}" for each, reason in failures.items()]


class Hearing:
    """Hears rules and role policies about an incident, once more: what is in the record of a decision stays as it was then."""

    def __init__(self, facts: Facts, record: DecisionRecord | None, called: Mapping[str, str]) -> None:
        # Ranks may have changed since, and a rule may have been saved at that very moment: the record says how it was.
        self._facts = facts if record is None else facts.model_copy(update={"ranks": record.ranks})
        self._noted = {} if record is None else {(each.rule, each.version): each for each in record.rules}
        self._called = called

    def view(self, asked: Conditional, said: str, reach: Reach) -> RuleWhyView:
        """How one of them was judged; ``said`` is its sentence, ``reach`` how it reaches the person, if it holds."""
        judgement, outcome = judge(asked, self._facts), self._noted.get((asked.id, asked.version))
        parts = [part.holds for part in judgement.parts] if outcome is None else outcome.parts
        holds = judgement.holds if outcome is None else outcome.holds
        return RuleWhyView(
            id=asked.id,
            version=asked.version,
            name=asked.name,
            sentence=said,
            holds=holds,
            via=reach.via,
            stood_for_them=reach.stood_for_them if holds else None,
            missed=reach.missed if holds else None,
            conditions=[
                AskedView(asked=when_in_words(part.condition, self._called), found=list(part.found), holds=each)
                for part, each in zip(judgement.parts, parts, strict=True)
            ],
        )
