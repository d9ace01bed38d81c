"""What is kept of an evaluation, and of a choice by role policies, so that it can be told later why somebody was, or was not,
engaged (E6).

Nothing that an incident says is in it, only ids and outcomes: what is redacted from the event log is nowhere else.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.targets import Resolved
from services.store.incidents import EvaluationRow, RoleDecisionRow
from workflows.domain.engagement import Term
from workflows.domain.model import Value
from workflows.domain.rules import Attribute, Conditional, Judgement, Target

MAX_RULES: Final = 500
MAX_TERMS: Final = 500
MAX_TARGETS: Final = 200
MAX_PEOPLE: Final = 2_000
"""How much of an evaluation is kept; of what is beyond, the number."""


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


class Decision(Value):
    """An evaluation: by which ranks, what was looked at, what came of it, and which on-call services failed, with the reason."""

    ranks: Mapping[Attribute, Mapping[str, int]] = Field(default_factory=dict)
    rules: tuple[Outcome, ...] = ()
    further_rules: int = 0
    terms: tuple[Matched, ...] = ()
    further_terms: int = 0
    targets: tuple[Reached, ...] = ()
    further_targets: int = 0
    failures: Mapping[str, str] = Field(default_factory=dict)

    def reached(self, target: Target) -> tuple[str, ...] | None:
        """Whom a target stood for, if it was asked, it could tell, and it was kept."""
        return next((each.people for each in self.targets if each.target == target), None)


class Evaluated(Value):
    """An evaluation that was done. The first release kept no decision of it: then what it looked at is not known."""

    at: datetime
    attributes_seq: int
    decision: Decision | None


def decide(
    ranks: Mapping[Attribute, Mapping[str, int]],
    judged: Iterable[tuple[Conditional, Judgement]],
    terms: Iterable[Term],
    resolved: Resolved,
) -> Decision:
    """The record of an evaluation, or of a choice. When there is too much, the rules that held come first."""
    rules = sorted(judged, key=lambda each: not each[1].holds)
    found = list(terms)
    targets: list[Reached] = []
    people = 0
    for target, each in resolved.people.items():
        people += len(each)
        if len(targets) < MAX_TARGETS and people <= MAX_PEOPLE:
            targets.append(Reached(target=target, people=tuple(each)))
    return Decision(
        ranks=ranks,
        rules=tuple(
            Outcome(rule=rule.id, version=rule.version, holds=said.holds, parts=tuple(part.holds for part in said.parts))
            for rule, said in rules[:MAX_RULES]
        ),
        further_rules=max(len(rules) - MAX_RULES, 0),
        terms=tuple(Matched(term=term.id, version=term.version) for term in found[:MAX_TERMS]),
        further_terms=max(len(found) - MAX_TERMS, 0),
        targets=tuple(targets),
        further_targets=len(resolved.people) - len(targets),
        failures=dict(list(resolved.failed.items())[:MAX_TARGETS]),
    )


async def last_evaluated(session: AsyncSession, incident: str, at: datetime) -> Evaluated | None:
    """The last evaluation of an incident that began by a moment."""
    query = select(EvaluationRow).where(EvaluationRow.incident_id == incident, EvaluationRow.at <= at)
    row = await session.scalar(query.order_by(EvaluationRow.attributes_seq.desc()).limit(1))
    if row is None:
        return None
    decision = Decision.model_validate(row.decision) if row.decision else None
    return Evaluated(at=row.at, attributes_seq=row.attributes_seq, decision=decision)


async def roles_chosen(session: AsyncSession, incident: str, at: datetime) -> Decision | None:
    """How the role policies chose for an incident until a moment; those that waited for an on-call service were asked again.

    Whom a service stood for counts before that it failed. None where nothing was kept: none was asked yet.
    """
    query = select(RoleDecisionRow.decision).where(RoleDecisionRow.incident_id == incident, RoleDecisionRow.at <= at)
    every = [Decision.model_validate(each) for each in await session.scalars(query.order_by(RoleDecisionRow.at))]
    if not every:
        return None
    rules = {each.rule: each for decision in every for each in decision.rules}
    targets = {each.target: each for decision in every for each in decision.targets}
    failed = {service: reason for decision in every for service, reason in decision.failures.items()}
    merged = {"rules": tuple(rules.values()), "targets": tuple(targets.values()), "failures": failed}
    return every[-1].model_copy(update=merged)
