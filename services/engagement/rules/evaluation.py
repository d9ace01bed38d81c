"""Which rules hold in an incident (E3, E4, E6).

What is asked of the database grows with the incident, by its anchors, and with the rules that may hold; not with all rules.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Text, cast, false, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.rules.schemas import Definition
from services.store.organizations import Setting
from services.store.rules import RuleAnchor, RuleRow, RuleVersion
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.events import Visibility
from workflows.domain.rules import RANKED, Attribute, Facts, Judgement, Rule, judge

Judged = tuple[Rule, Judgement]


class _Kept(NamedTuple):
    """A rule as it comes from the database, its definition still as text."""

    id: str
    version: int
    name: str
    definition: str


async def facts(session: AsyncSession, attributes: Attributes, project: Choice, visibility: Visibility) -> Facts:
    """What rules judge an incident by, with the ranks of severities and priorities as they are now."""
    return Facts.of(attributes, project, visibility, await ranks(session))


async def ranks(session: AsyncSession) -> dict[Attribute, dict[str, int]]:
    """The ranks of all severities and priorities, by id."""
    found: dict[Attribute, dict[str, int]] = {attribute: {} for attribute in RANKED}
    query = select(Setting.list, Setting.id, Setting.rank).where(Setting.list.in_([each.value for each in RANKED]))
    for name, entry, rank in await session.execute(query):
        found[Attribute(name)][entry] = rank
    return found


async def judged(session: AsyncSession, about: Facts) -> list[Judged]:
    """Every rule in force that shares an anchor with the incident, by id, and what it comes to: only among these any can hold."""
    found = select(RuleAnchor.rule_id).where(RuleAnchor.anchor.in_(sorted(about.anchors())))
    query = (
        select(RuleRow.id, RuleRow.version, RuleRow.name, cast(RuleRow.definition, Text))
        .where(RuleRow.id.in_(found))
        .order_by(RuleRow.id)
    )
    kept = [_Kept(*row) for row in await session.execute(query)]
    # Thousands may share an anchor: not on the loop that answers requests.
    return await asyncio.to_thread(_judge_all, kept, about) if kept else []


async def in_force(session: AsyncSession, at: datetime, about: Iterable[str] | None = None) -> list[Rule]:
    """Every rule as it was at a moment, by id: for why somebody was, or was not, engaged back then.

    With ``about``, only rules that engage one of these individuals, teams and on-call services.
    """
    query = (
        select(RuleVersion.rule_id, RuleVersion.version, RuleVersion.name, cast(RuleVersion.definition, Text))
        .where(RuleVersion.enabled, RuleVersion.valid_from <= at)
        .where(or_(RuleVersion.valid_until.is_(None), RuleVersion.valid_until > at))
        .order_by(RuleVersion.rule_id)
    )
    if about is None:
        kept = [_Kept(*row) for row in await session.execute(query)]
        return await asyncio.to_thread(_rules, kept)
    wanted = set(about)
    # The ids stand in the definition as they are: only those that have one are taken apart.
    query = query.where(or_(false(), *(cast(RuleVersion.definition, Text).contains(each) for each in wanted)))
    kept = [_Kept(*row) for row in await session.execute(query)]
    found = await asyncio.to_thread(_rules, kept)
    return [rule for rule in found if any(target.id in wanted for target in rule.engage)]


async def versions(session: AsyncSession, wanted: Collection[tuple[str, int]]) -> list[Rule]:
    """These versions of rules, by name, whether they are in force or not."""
    query = select(RuleVersion.rule_id, RuleVersion.version, RuleVersion.name, cast(RuleVersion.definition, Text))
    query = query.where(tuple_(RuleVersion.rule_id, RuleVersion.version).in_(wanted))
    kept = [_Kept(*row) for row in await session.execute(query.order_by(RuleVersion.name, RuleVersion.rule_id))] if wanted else []
    return _rules(kept)


def _rules(kept: Sequence[_Kept]) -> list[Rule]:
    return [Definition.model_validate_json(each.definition).rule(each.id, each.version, each.name) for each in kept]


def _judge_all(kept: Sequence[_Kept], about: Facts) -> list[Judged]:
    return [(rule, judge(rule, about)) for rule in _rules(kept)]
