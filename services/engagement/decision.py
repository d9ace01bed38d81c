"""What is kept of an evaluation, and of a choice by role policies, so that it can be told later why somebody was, or was not,
engaged (E6).

Nothing that an incident says is in it, only ids and outcomes: what is redacted from the event log is nowhere else.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.targets import Resolved
from services.store.incidents import EvaluationRow, RoleDecisionRow
from workflows.domain.engagement import Term
from workflows.domain.model import Value
from workflows.domain.rules import Attribute, Conditional, Judgement, Target, TargetKind

MAX_RULES: Final = 500
MAX_TERMS: Final = 500
MAX_TARGETS: Final = 200
MAX_PEOPLE: Final = 2_000
"""How much of a decision is kept: the rules that held, on-call services and small teams come first."""


class Outcome(Value):
    """A version of a rule or role policy that was looked at: whether it held, and which of its conditions did, in their order."""

    rule: str
    version: int
    holds: bool
    parts: tuple[bool, ...]


class Matched(Value):
    """A version of a term that occurred."""

    term: str
    version: int


class Reached(Value):
    """Whom a target stood for then."""

    target: Target
    people: tuple[str, ...]


class DecisionRecord(Value):
    """A decision: by which ranks, what was looked at, what came of it, and which on-call services failed, with the reason."""

    ranks: Mapping[Attribute, Mapping[str, int]] = Field(default_factory=dict)
    rules: tuple[Outcome, ...] = ()
    terms: tuple[Matched, ...] = ()
    targets: tuple[Reached, ...] = ()
    failures: Mapping[str, str] = Field(default_factory=dict)

    def reached(self, target: Target) -> tuple[str, ...] | None:
        """Whom a target stood for, if it was asked, it could tell, and it was kept."""
        return next((each.people for each in self.targets if each.target == target), None)


class Evaluated(Value):
    """An evaluation that was done. The first release kept no record of it: then what it looked at is not known."""

    at: datetime
    attributes_seq: int
    record: DecisionRecord | None


def record_of(
    ranks: Mapping[Attribute, Mapping[str, int]],
    judged: Iterable[tuple[Conditional, Judgement]],
    terms: Iterable[Term],
    resolved: Resolved,
) -> DecisionRecord:
    """The record of an evaluation, or of a choice."""
    rules = sorted(judged, key=lambda each: not each[1].holds)[:MAX_RULES]
    targets: list[Reached] = []
    room = MAX_PEOPLE
    for target, people in sorted(resolved.people.items(), key=_first_to_keep)[:MAX_TARGETS]:
        if len(people) <= room:
            room -= len(people)
            targets.append(Reached(target=target, people=tuple(people)))
    return DecisionRecord(
        ranks=ranks,
        rules=tuple(
            Outcome(rule=rule.id, version=rule.version, holds=said.holds, parts=tuple(part.holds for part in said.parts))
            for rule, said in rules
        ),
        terms=tuple(Matched(term=term.id, version=term.version) for term in list(terms)[:MAX_TERMS]),
        targets=tuple(targets),
        failures=dict(list(resolved.failed.items())[:MAX_TARGETS]),
    )


def _first_to_keep(reached: tuple[Target, list[str]]) -> tuple[bool, int]:
    # Who was on call is nowhere else, and cannot be told from who came in.
    return reached[0].kind is not TargetKind.ONCALL, len(reached[1])


async def evaluations_at(session: AsyncSession, incident: str, moments: Collection[datetime]) -> dict[datetime, Evaluated]:
    """The evaluations of an incident that looked at these moments, which evidence names."""
    query = select(EvaluationRow).where(EvaluationRow.incident_id == incident, EvaluationRow.at.in_(moments))
    return {row.at: _evaluated(row) for row in await session.scalars(query)} if moments else {}


async def evaluation_of(session: AsyncSession, incident: str, attributes_seq: int, at: datetime) -> Evaluated | None:
    """The evaluation of an incident's attributes as of an event that counted at a moment: the last before it.

    If there was none yet, the one that came next, which says what was to come.
    """
    of = select(EvaluationRow).where(
        EvaluationRow.incident_id == incident, EvaluationRow.attributes_seq == attributes_seq, EvaluationRow.complete
    )
    row = await session.scalar(of.where(EvaluationRow.at <= at).order_by(EvaluationRow.at.desc()).limit(1))
    if row is None:
        row = await session.scalar(of.where(EvaluationRow.at > at).order_by(EvaluationRow.at).limit(1))
    return None if row is None else _evaluated(row)


def _evaluated(row: EvaluationRow) -> Evaluated:
    record = DecisionRecord.model_validate(row.decision) if row.decision else None
    return Evaluated(at=row.at, attributes_seq=row.attributes_seq, record=record)


async def roles_chosen(session: AsyncSession, incident: str, at: datetime) -> DecisionRecord | None:
    """How the role policies chose for an incident until a moment; those that waited for an on-call service were asked again.

    Whom a service stood for counts before that it failed. None where nothing was kept: none was asked yet.
    """
    query = select(RoleDecisionRow.decision).where(RoleDecisionRow.incident_id == incident, RoleDecisionRow.at <= at)
    every = [DecisionRecord.model_validate(each) for each in await session.scalars(query.order_by(RoleDecisionRow.at))]
    if not every:
        return None
    rules = {each.rule: each for record in every for each in record.rules}
    targets = {each.target: each for record in every for each in record.targets}
    failed = {service: reason for record in every for service, reason in record.failures.items()}
    merged = {"rules": tuple(rules.values()), "targets": tuple(targets.values()), "failures": failed}
    return every[-1].model_copy(update=merged)
