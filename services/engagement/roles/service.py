"""Keeping role policies (E9): in an order, the first that holds chooses; every change of one is a version."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.conditions.naming import Resolver, names
from services.engagement.conditions.schemas import group_view, target_view
from services.engagement.conditions.versions import end_version, keep_version, page_of_versions
from services.engagement.roles.schemas import (
    Definition,
    NewPolicy,
    PolicyChanges,
    PolicyContent,
    PolicyVersionView,
    PolicyView,
)
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Conflict, NotFound, VersionConflict
from services.kit.ids import new_id
from services.kit.paging import Page
from services.store import audit
from services.store.contacts import Individual
from services.store.roles import RolePolicyRow, RolePolicyVersion
from services.store.teams import OnCallService
from workflows.domain.engagement import COMMANDER
from workflows.domain.policy import Action
from workflows.domain.roles import policy_sentence
from workflows.domain.rules import Target, TargetKind

MAX_POLICIES: Final = 100
"""How many role policies an organization has at most: all of them are looked at, and shown, at once."""


async def list_policies(session: AsyncSession, actor: Actor) -> list[PolicyView]:
    """All policies in the order in which they are asked.

    Raises:
        Forbidden: only administrators keep role policies.
    """
    actor.require(Action.MANAGE_SETTINGS)
    order = await _in_order(session)
    return await _views(session, order, order)


async def get_policy(session: AsyncSession, actor: Actor, policy: str) -> PolicyView:
    """One policy.

    Raises:
        NotFound, Forbidden: see there.
    """
    row, order = await _find(session, actor, policy)
    return (await _views(session, [row], order))[0]


async def list_versions(
    session: AsyncSession, actor: Actor, policy: str, after: str | None = None, page_size: int = 25
) -> Page[PolicyVersionView]:
    """A page of a policy's versions, the latest first.

    Raises:
        NotFound, Forbidden: see there.
        BadRequest: ``unknown_after``.
    """
    row, _ = await _find(session, actor, policy)
    of = RolePolicyVersion.policy_id == row.id
    scope = f"role policy versions {row.id}"
    shown, pagination = await page_of_versions(session, RolePolicyVersion, of, scope, after, page_size)
    definitions = [Definition.model_validate(version.definition) for version, _ in shown]
    called = await _called(session, definitions)
    data = [
        PolicyVersionView(
            **_content(version, definition, called), by=who, valid_from=version.valid_from, valid_until=version.valid_until
        )
        for (version, who), definition in zip(shown, definitions, strict=True)
    ]
    return Page(data=data, pagination=pagination)


async def create_policy(session: AsyncSession, actor: Actor, new: NewPolicy) -> PolicyView:
    """Make a policy, the last in the order. It counts for incidents that are reported from now on.

    Raises:
        Forbidden: only administrators keep role policies.
        Invalid: something it names is unknown, or it is too large to be read; at its path. Conflict: ``too_many_policies``.
    """
    actor.require(Action.MANAGE_SETTINGS)
    before = await _in_order(session, to_change=True)
    if len(before) >= MAX_POLICIES:
        raise Conflict(f"An organization has at most {MAX_POLICIES} role policies. Delete one first.", "too_many_policies")
    definition = await _definition(session, new, None)
    at = now()
    row = RolePolicyRow(
        id=new_id(),
        organization_id=actor.organization,
        name=new.name,
        rank=len(before) + 1,
        enabled=new.enabled,
        definition=definition.model_dump(mode="json"),
        version=1,
        created_at=at,
        changed_at=at,
    )
    session.add(row)
    await session.flush()
    await keep_version(session, actor, row, RolePolicyVersion, policy_id=row.id)
    view = (await _views(session, [row], [*before, row]))[0]
    audit.record(session, actor.origin, "role_policy.created", row.id, row.name, after=_audited(view))
    return view


async def change_policy(
    session: AsyncSession, actor: Actor, policy: str, changes: PolicyChanges, version: int | None = None
) -> PolicyView:
    """Change a policy, switch it on or off, or move it. What it says not otherwise makes no version.

    Raises:
        NotFound, Forbidden, VersionConflict: see there; also when the policies are no longer in the ``order`` that was seen.
        Invalid: as for ``create_policy``.
    """
    row, order = await _to_change(session, actor, policy, version)
    if changes.order is not None and changes.order != _seen(order):
        raise VersionConflict
    before = (await _views(session, [row], order))[0]
    old = Definition.model_validate(row.definition)
    definition = await _definition(session, changes, old)
    name = changes.name or row.name
    enabled = row.enabled if changes.enabled is None else changes.enabled
    if (name, enabled, definition) != (row.name, row.enabled, old):
        row.name, row.enabled, row.definition = name, enabled, definition.model_dump(mode="json")
        row.version += 1
        row.changed_at = now()
        await keep_version(session, actor, row, RolePolicyVersion, policy_id=row.id)
    if changes.rank is not None:
        order.remove(row)
        order.insert(changes.rank - 1, row)
        _number(order)
    view = (await _views(session, [row], order))[0]
    was, is_ = audit.difference(_audited(before), _audited(view))
    if was:
        audit.record(session, actor.origin, "role_policy.changed", row.id, row.name, before=was, after=is_)
    return view


async def delete_policy(session: AsyncSession, actor: Actor, policy: str, version: int | None = None) -> None:
    """End a policy. What it led to refers to it, so its versions stay.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row, order = await _to_change(session, actor, policy, version)
    told = _audited((await _views(session, [row], order))[0])
    audit.record(session, actor.origin, "role_policy.deleted", row.id, row.name, before=told)
    row.ended_at = now()
    await end_version(session, RolePolicyVersion, row.ended_at, policy_id=row.id)
    order.remove(row)
    _number(order)


async def _in_order(session: AsyncSession, *, to_change: bool = False) -> list[RolePolicyRow]:
    query = select(RolePolicyRow).where(RolePolicyRow.ended_at.is_(None))
    if to_change:
        # A change of one may move all: whoever changes any takes turns, and so does not wait crosswise.
        query = query.order_by(RolePolicyRow.id).with_for_update().execution_options(populate_existing=True)
    return sorted(await session.scalars(query), key=lambda row: (row.rank, row.id))


def _number(order: Sequence[RolePolicyRow]) -> None:
    for rank, row in enumerate(order, 1):
        row.rank = rank


def _seen(order: Sequence[RolePolicyRow]) -> str:
    """What stands for the policies in this order, and for what each of them says."""
    told = " ".join(f"{row.id} {row.version}" for row in order)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


async def _find(session: AsyncSession, actor: Actor, policy: str) -> tuple[RolePolicyRow, list[RolePolicyRow]]:
    """The policy, and all of them in their order."""
    actor.require(Action.MANAGE_SETTINGS)
    order = await _in_order(session)
    return _one(order, policy), order


async def _to_change(
    session: AsyncSession, actor: Actor, policy: str, version: int | None
) -> tuple[RolePolicyRow, list[RolePolicyRow]]:
    """The policy, and all of them in their order."""
    actor.require(Action.MANAGE_SETTINGS)
    order = await _in_order(session, to_change=True)
    row = _one(order, policy)
    if version is not None and version != row.version:
        raise VersionConflict
    return row, order


def _one(rows: Sequence[RolePolicyRow], policy: str) -> RolePolicyRow:
    row = next((each for each in rows if each.id == policy), None)
    if row is None:
        raise NotFound("role policy")
    return row


async def _definition(session: AsyncSession, body: NewPolicy | PolicyChanges, old: Definition | None) -> Definition:
    """What the parts that are given say, and the others as they were; everything that is wrong with them is told at once."""
    resolver = Resolver(session)
    said = {} if old is None else dict(old)
    if body.when is not None:
        said["when"] = await resolver.when(body.when, "when")
    if body.assignee is not None:
        said["assignee"] = await resolver.target(body.assignee, "assignee")
    if body.role is not None:
        said["role"] = await resolver.role(body.role, "role", {COMMANDER})
    resolver.require()
    return Definition.model_validate(said)


async def _views(session: AsyncSession, rows: Sequence[RolePolicyRow], order: Sequence[RolePolicyRow]) -> list[PolicyView]:
    definitions = [Definition.model_validate(row.definition) for row in rows]
    called = await _called(session, definitions)
    inactive = await _inactive(session, {definition.assignee for definition in definitions})
    seen = _seen(order)
    return [
        PolicyView(
            **_content(row, definition, called),
            id=row.id,
            rank=row.rank,
            order=seen,
            passed_over=inactive.get(definition.assignee) if row.enabled else "off",
            created_at=row.created_at,
            changed_at=row.changed_at,
        )
        for row, definition in zip(rows, definitions, strict=True)
    ]


async def _called(session: AsyncSession, definitions: Sequence[Definition]) -> dict[str, str]:
    return await names(session, [each.when for each in definitions], {each.assignee for each in definitions})


async def _inactive(session: AsyncSession, assignees: set[Target]) -> dict[Target, Any]:
    """Those who cannot be chosen at present, and why."""
    found: dict[Target, Any] = {}
    for kind, table, why in (
        (TargetKind.INDIVIDUAL, Individual, "individual_inactive"),
        (TargetKind.ONCALL, OnCallService, "service_inactive"),
    ):
        wanted = {each.id for each in assignees if each.kind is kind}
        active = set(await session.scalars(select(table.id).where(table.id.in_(wanted), table.active)))
        found |= {Target(kind=kind, id=each): why for each in wanted - active}
    return found


def _content(row: RolePolicyRow | RolePolicyVersion, definition: Definition, called: dict[str, str]) -> dict[str, Any]:
    return PolicyContent(
        name=row.name,
        enabled=row.enabled,
        role=definition.role,
        when=group_view(definition.when),
        assignee=target_view(definition.assignee),
        sentence=policy_sentence(definition.policy("", row.version, row.name), called),
        version=row.version,
    ).model_dump()


def _audited(view: PolicyView) -> dict[str, object]:
    return {"name": view.name, "enabled": view.enabled, "policy": view.sentence, "rank": view.rank}
