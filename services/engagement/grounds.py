"""What could engage one person in an incident: their own terms, and terms and rules of what stands for them (E6).

What targets stood for is read from the record of the evaluation, where there is one; everything else is looked at again, by what
was in force.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement import repository
from services.engagement.conditions.naming import names, target_names
from services.engagement.decision import Decision, Evaluated, Outcome
from services.engagement.rules import evaluation
from services.engagement.schemas import AskedView, RuleWhyView
from services.engagement.targets import resolve, via
from services.store.contacts import Individual
from services.store.teams import OnCallService, OverrideRow, Team, TeamMember
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import candidates
from workflows.domain.events import Visibility
from workflows.domain.rules import Target, TargetKind, judge, sentence, when_in_words

MAX_TIES: Final = 50
"""How many teams and on-call services of one person are looked at."""


class Situation(NamedTuple):
    """What an incident was at a moment, with the last evaluation until then; ``settled``: that evaluation was of this."""

    attributes: Attributes
    project: Choice
    visibility: Visibility
    moment: datetime
    evaluated: Evaluated | None
    settled: bool

    @property
    def record(self) -> Decision | None:
        """What was kept of the evaluation of exactly this."""
        return self.evaluated.decision if self.settled and self.evaluated else None


class TermGround(NamedTuple):
    """A term that is the person's own, or (``via``) of a team or service that may stand for them."""

    phrase: str
    self_set: bool
    holds: bool
    via: str | None
    stood_for_them: bool | None
    missed: str | None

    @property
    def what(self) -> str:
        """It in words."""
        return f"term “{self.phrase}”"


class RuleGround(NamedTuple):
    """A rule that engages the person, or what may stand for them."""

    view: RuleWhyView

    @property
    def holds(self) -> bool:
        """Whether it held."""
        return self.view.holds

    @property
    def via(self) -> str | None:
        """By what it would engage them, if not as themselves."""
        return self.view.via

    @property
    def stood_for_them(self) -> bool | None:
        """Whether that stood for them; None if it could not be told."""
        return self.view.stood_for_them

    @property
    def missed(self) -> str | None:
        """Whom it engages instead, if that did not stand for them."""
        return self.view.missed

    @property
    def what(self) -> str:
        """It in words."""
        return f"rule “{self.view.name}”"


Ground = TermGround | RuleGround


class Grounds(NamedTuple):
    """All of them, whether they held or not; and which on-call services could not tell, with the reason."""

    grounds: list[Ground]
    failures: list[str]


class _Tie(NamedTuple):
    """Something that may stand for the person, or they themselves: ``via`` is how that is told, ``missed`` that it did not."""

    via: str | None
    stood_for_them: bool | None
    missed: str | None


async def find_grounds(session: AsyncSession, person: Individual, situation: Situation) -> Grounds:
    """What could engage a person, and whether it did."""
    targets = await _targets(session, person, situation.evaluated.decision if situation.evaluated else None)
    ties = {Target(kind=TargetKind.INDIVIDUAL, id=person.id): _Tie(None, True, None)}
    ties |= await _ties(session, person, targets, situation)
    grounds: list[Ground] = [*await _terms(session, ties, situation), *await _rules(session, ties, situation)]
    failures = situation.record.failures if situation.record else {}
    called = await target_names(session, [Target(kind=TargetKind.ONCALL, id=each) for each in failures])
    return Grounds(grounds, [f"{called.get(each, 'An on-call service')}: {reason}" for each, reason in failures.items()])


def missed(
    person: Individual, target: Target, called: Mapping[str, str], stood_for_them: bool | None, *, by_list: bool = False
) -> str | None:
    """Whom a target stood for instead of a person, in words that follow "it holds, but"; None if it stood for them.

    ``called`` are the names of targets; ``by_list``: it stood for the mailing list of a team.
    """
    if stood_for_them:
        return None
    if target.kind is TargetKind.INDIVIDUAL:
        return f"{person.name} was not active then"
    name = called[target.id]
    if target.kind is TargetKind.ONCALL:
        if stood_for_them is None:
            return f"it could not be told who is on call for {name}"
        return f"it engages whoever is on call for {name}, which was not {person.name}"
    if by_list:
        return f"only the mailing list of {name} was told; {person.name} can join"
    return f"it engages {name}, which did not stand for {person.name} then"


def may_be_on_call(individual: str) -> ColumnElement[bool]:
    """The condition that an on-call service has to do with somebody: its rotation or an override names them."""
    overridden = select(OverrideRow.service_id).where(OverrideRow.individual_id == individual)
    return or_(cast(OnCallService.definition, Text).contains(individual), OnCallService.id.in_(overridden))


async def _targets(session: AsyncSession, person: Individual, decision: Decision | None) -> list[Target]:
    """The teams and services that have to do with the person now, or stood for them in the evaluation."""
    joined = select(TeamMember.team_id).where(TeamMember.individual_id == person.id)
    teams = select(Team.id).where(or_(Team.id.in_(joined), Team.list_id == person.id)).order_by(Team.id)
    services = select(OnCallService.id).where(may_be_on_call(person.id)).order_by(OnCallService.id)
    found = [each.target for each in (decision.targets if decision else ()) if person.id in each.people]
    for kind, query in ((TargetKind.TEAM, teams), (TargetKind.ONCALL, services)):
        found += [Target(kind=kind, id=each) for each in await session.scalars(query.limit(MAX_TIES))]
    return [target for target in dict.fromkeys(found) if target.kind is not TargetKind.INDIVIDUAL]


async def _ties(session: AsyncSession, person: Individual, targets: Sequence[Target], situation: Situation) -> dict[Target, _Tie]:
    called = await target_names(session, targets)
    stood: dict[Target, bool | None] = {}
    reached: dict[Target, Sequence[str]] = {}
    if situation.record is not None:
        decision = situation.record
        known = {target: decision.reached(target) for target in targets}
        reached |= {target: people for target, people in known.items() if people is not None}
        stood |= {target: None for target in targets if target.id in decision.failures}
    unknown = [target for target in targets if target not in reached and target not in stood]
    reached |= (await resolve(session, unknown, situation.moment)).people
    stood |= {target: person.id in people for target, people in reached.items()}
    lists = select(Team.id, Team.list_id).where(Team.id.in_([target.id for target in reached]), Team.list_id.is_not(None))
    listed = {row.id: row.list_id for row in await session.execute(lists)}
    told_by_list = {target.id for target, people in reached.items() if listed.get(target.id) in people}
    return {
        target: _Tie(
            via(target, called),
            stood.get(target),
            missed(person, target, called, stood.get(target), by_list=target.id in told_by_list),
        )
        for target in targets
    }


async def _terms(session: AsyncSession, ties: Mapping[Target, _Tie], situation: Situation) -> list[TermGround]:
    kept = [
        (term, tie)
        for target, tie in ties.items()
        for term in await repository.terms_in_force(session, target.id, situation.moment)
    ]
    longest = max((term.normalised.count(" ") + 1 for term, _ in kept), default=0)
    occurring = await asyncio.to_thread(candidates, situation.attributes, longest)
    return [TermGround(term.phrase, term.self_set, term.normalised in occurring, *tie) for term, tie in kept]


async def _rules(session: AsyncSession, ties: Mapping[Target, _Tie], situation: Situation) -> list[RuleGround]:
    rules = await evaluation.in_force(session, situation.moment, {target.id for target in ties})
    facts = await evaluation.facts(session, situation.attributes, situation.project, situation.visibility)
    noted: dict[tuple[str, int], Outcome] = {}
    if situation.record is not None:
        # Ranks may have changed since, and a rule may have been saved at that very moment: the record says how it was.
        facts = facts.model_copy(update={"ranks": situation.record.ranks})
        noted = {(each.rule, each.version): each for each in situation.record.rules}
    called = await names(session, [rule.when for rule in rules], {target for rule in rules for target in rule.engage})
    found = []
    for rule in rules:
        judgement, outcome = judge(rule, facts), noted.get((rule.id, rule.version))
        tie = _nearest([ties[target] for target in rule.engage if target in ties])
        parts = [part.holds for part in judgement.parts] if outcome is None else outcome.parts
        view = RuleWhyView(
            id=rule.id,
            version=rule.version,
            name=rule.name,
            sentence=sentence(rule, called),
            holds=judgement.holds if outcome is None else outcome.holds,
            via=tie.via,
            stood_for_them=tie.stood_for_them,
            missed=tie.missed,
            conditions=[
                AskedView(asked=when_in_words(part.condition, called), found=list(part.found), holds=holds)
                for part, holds in zip(judgement.parts, parts, strict=True)
            ],
        )
        found.append(RuleGround(view))
    return found


def _nearest(ties: Sequence[_Tie]) -> _Tie:
    """Of several that one rule engages, the one by which it reaches the person, or might have."""
    return min(ties, key=lambda tie: (True, None, False).index(tie.stood_for_them))
