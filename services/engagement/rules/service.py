"""Keeping rules (E3): every change is a version, and their anchors are written with them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.conditions.naming import Resolver, names
from services.engagement.conditions.schemas import TargetBody, WhenBody, group_view, target_view
from services.engagement.conditions.versions import end_version, keep_version, page_of_versions
from services.engagement.health import Health, does, health_of
from services.engagement.rules.schemas import (
    Definition,
    NewRule,
    RuleChanges,
    RuleContent,
    RuleVersionView,
    RuleView,
)
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import NotFound, VersionConflict
from services.kit.ids import is_id, new_id
from services.kit.paging import Page, cut, decode_after
from services.store import audit
from services.store.rules import RuleAnchor, RuleRow, RuleVersion
from workflows.domain.policy import Action
from workflows.domain.rules import ENGAGED_AS, Group, Target, anchors, sentence


async def list_rules(
    session: AsyncSession,
    actor: Actor,
    q: str | None = None,
    after: str | None = None,
    page_size: int = 25,
    health: Health | None = None,
) -> Page[RuleView]:
    """A page of the rules, by name; ``q`` occurs in it, and ``health`` is how they do.

    Raises:
        Forbidden: only administrators keep rules.
        BadRequest: ``unknown_after``.
    """
    actor.require(Action.MANAGE_SETTINGS)
    scope = f"rules {actor.organization} {health or ''} {q or ''}"
    query = select(RuleRow).where(RuleRow.ended_at.is_(None)).order_by(RuleRow.name, RuleRow.id).limit(page_size + 1)
    if q:
        query = query.where(RuleRow.name.icontains(q, autoescape=True))
    if health:
        query = query.where(does(health, RuleRow, RuleRow.changed_at, RuleRow.enabled, now()))
    if after is not None:
        name, identity = decode_after(scope, after, 2)
        query = query.where(tuple_(RuleRow.name, RuleRow.id) > (name, identity))
    rows = (await session.scalars(query)).all()
    shown, pagination = cut(rows, page_size, scope, lambda row: [row.name, row.id])
    return Page(data=await _views(session, shown), pagination=pagination)


async def get_rule(session: AsyncSession, actor: Actor, rule: str) -> RuleView:
    """One rule.

    Raises:
        NotFound, Forbidden: see there.
    """
    return (await _views(session, [await _find(session, actor, rule)]))[0]


async def list_versions(
    session: AsyncSession, actor: Actor, rule: str, after: str | None = None, page_size: int = 25
) -> Page[RuleVersionView]:
    """A page of a rule's versions, the latest first.

    Raises:
        NotFound, Forbidden: see there.
        BadRequest: ``unknown_after``.
    """
    row = await _find(session, actor, rule)
    of = RuleVersion.rule_id == row.id
    shown, pagination = await page_of_versions(session, RuleVersion, of, f"rule versions {row.id}", after, page_size)
    definitions = [Definition.model_validate(version.definition) for version, _ in shown]
    called = await _called(session, definitions)
    data = [
        RuleVersionView(
            **_content(version, definition, called),
            by=who,
            valid_from=version.valid_from,
            valid_until=version.valid_until,
        )
        for (version, who), definition in zip(shown, definitions, strict=True)
    ]
    return Page(data=data, pagination=pagination)


async def create_rule(session: AsyncSession, actor: Actor, new: NewRule) -> RuleView:
    """Make a rule. It counts from the next change of an incident.

    Raises:
        Forbidden: only administrators keep rules.
        Invalid: something it names is unknown, or it is too large to be read; at its path.
    """
    actor.require(Action.MANAGE_SETTINGS)
    when, engage, role = await _resolve(session, new.when, new.engage, new.role)
    definition = Definition.model_validate({"when": when, "engage": engage, "role": role})
    at = now()
    row = RuleRow(
        id=new_id(),
        organization_id=actor.organization,
        name=new.name,
        enabled=new.enabled,
        definition=definition.model_dump(mode="json"),
        version=1,
        created_at=at,
        changed_at=at,
        matches=0,
        not_relevant=0,
    )
    session.add(row)
    await session.flush()
    await _put_in_force(session, actor, row, definition)
    view = (await _views(session, [row]))[0]
    audit.record(session, actor.origin, "rule.created", row.id, row.name, after=_audited(view))
    return view


async def change_rule(
    session: AsyncSession, actor: Actor, rule: str, changes: RuleChanges, version: int | None = None
) -> RuleView:
    """Change a rule, or switch it on or off. What changes nothing makes no version.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Invalid: as for ``create_rule``.
    """
    row = await _to_change(session, actor, rule, version)
    before = (await _views(session, [row]))[0]
    old = Definition.model_validate(row.definition)
    when, engage, role = await _resolve(session, changes.when, changes.engage, changes.role)
    definition = Definition(when=when or old.when, engage=engage or old.engage, role=role or old.role)
    name = changes.name or row.name
    enabled = row.enabled if changes.enabled is None else changes.enabled
    if (name, enabled, definition) == (row.name, row.enabled, old):
        return before
    row.name, row.enabled, row.definition = name, enabled, definition.model_dump(mode="json")
    row.version += 1
    row.changed_at = now()
    await _put_in_force(session, actor, row, definition)
    view = (await _views(session, [row]))[0]
    was, is_ = audit.difference(_audited(before), _audited(view))
    audit.record(session, actor.origin, "rule.changed", row.id, row.name, before=was, after=is_)
    return view


async def delete_rule(session: AsyncSession, actor: Actor, rule: str, version: int | None = None) -> None:
    """End a rule. What it led to refers to it, so its versions stay.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await _to_change(session, actor, rule, version)
    audit.record(session, actor.origin, "rule.deleted", row.id, row.name, before=_audited((await _views(session, [row]))[0]))
    row.ended_at = now()
    await end_version(session, RuleVersion, row.ended_at, rule_id=row.id)
    await session.execute(delete(RuleAnchor).where(RuleAnchor.rule_id == row.id))


async def _find(session: AsyncSession, actor: Actor, rule: str) -> RuleRow:
    actor.require(Action.MANAGE_SETTINGS)
    query = select(RuleRow).where(RuleRow.id == rule, RuleRow.ended_at.is_(None))
    row = await session.scalar(query) if is_id(rule) else None
    if row is None:
        raise NotFound("rule")
    return row


async def _to_change(session: AsyncSession, actor: Actor, rule: str, version: int | None) -> RuleRow:
    row = await _find(session, actor, rule)
    # Two who change the same rule take turns, so that If-Match tells the second one.
    await session.refresh(row, with_for_update=True)
    if row.ended_at is not None:
        raise NotFound("rule")
    if version is not None and version != row.version:
        raise VersionConflict
    return row


async def _resolve(
    session: AsyncSession, when: WhenBody | None, engage: Sequence[TargetBody] | None, role: str | None
) -> tuple[Group | None, tuple[Target, ...] | None, str | None]:
    """What the parts that are given say; everything that is wrong with them is told at once."""
    resolver = Resolver(session)
    group = None if when is None else await resolver.when(when, "when")
    targets = None if engage is None else await resolver.targets(engage, "engage")
    known = None if role is None else await resolver.role(role, "role", ENGAGED_AS)
    resolver.require()
    return group, targets, known


async def _put_in_force(session: AsyncSession, actor: Actor, row: RuleRow, definition: Definition) -> None:
    """Write the present version down, and the anchors by which it is found."""
    await keep_version(session, actor, row, RuleVersion, rule_id=row.id)
    await session.execute(delete(RuleAnchor).where(RuleAnchor.rule_id == row.id))
    belongs = {"organization_id": row.organization_id, "rule_id": row.id}
    if row.enabled:
        session.add_all(RuleAnchor(anchor=anchor, **belongs) for anchor in sorted(anchors(definition.when)))
    await session.flush()


async def _called(session: AsyncSession, definitions: Sequence[Definition]) -> dict[str, str]:
    targets = {target for definition in definitions for target in definition.engage}
    return await names(session, [definition.when for definition in definitions], targets)


async def _views(session: AsyncSession, rows: Sequence[RuleRow]) -> list[RuleView]:
    definitions = [Definition.model_validate(row.definition) for row in rows]
    called = await _called(session, definitions)
    at = now()
    return [
        RuleView(
            **_content(row, definition, called),
            id=row.id,
            matches=row.matches,
            not_relevant=row.not_relevant,
            last_match_at=row.last_match_at,
            health=health_of(row, row.changed_at if row.enabled else None, at),
            created_at=row.created_at,
            changed_at=row.changed_at,
        )
        for row, definition in zip(rows, definitions, strict=True)
    ]


def _content(row: RuleRow | RuleVersion, definition: Definition, called: dict[str, str]) -> dict[str, Any]:
    return RuleContent(
        name=row.name,
        enabled=row.enabled,
        when=group_view(definition.when),
        engage=[target_view(target) for target in definition.engage],
        role=definition.role,
        sentence=sentence(definition.rule("", row.version, row.name), called),
        version=row.version,
    ).model_dump()


def _audited(view: RuleView) -> dict[str, object]:
    return {"name": view.name, "enabled": view.enabled, "rule": view.sentence}
