"""The roles that an organization has of its own (E9)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.roles.schemas import IncidentRoleChanges, IncidentRoleView, NewIncidentRole
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Conflict, Invalid, NotFound, VersionConflict
from services.kit.ids import is_id, new_id
from services.store import audit
from services.store.roles import IncidentRole, RolePolicyRow
from services.store.rules import RuleRow
from workflows.domain.policy import Action
from workflows.domain.roles import BUILT_IN

MAX_ROLES: Final = 100
"""How many roles an organization has at most, those included that are no longer active: all are shown at once."""
_NAMED: Final = 3
"""How many of those that use a role are named where it cannot be deactivated."""


async def list_roles(session: AsyncSession, actor: Actor) -> list[IncidentRoleView]:
    """All of them by name.

    Raises:
        Forbidden: only administrators keep roles.
    """
    actor.require(Action.MANAGE_SETTINGS)
    return [_view(row) for row in await session.scalars(select(IncidentRole).order_by(IncidentRole.name_folded))]


async def role_names(session: AsyncSession) -> Sequence[str]:
    """The names of those that can be taken on."""
    query = select(IncidentRole.name).where(IncidentRole.active).order_by(IncidentRole.name_folded)
    return (await session.scalars(query)).all()


async def get_role(session: AsyncSession, actor: Actor, role: str) -> IncidentRoleView:
    """One of them.

    Raises:
        NotFound, Forbidden: see there.
    """
    return _view(await _find(session, actor, role))


async def create_role(session: AsyncSession, actor: Actor, new: NewIncidentRole) -> IncidentRoleView:
    """Make a role.

    Raises:
        Forbidden: only administrators keep roles.
        Invalid: ``name_taken``. Conflict: ``too_many_roles``.
    """
    actor.require(Action.MANAGE_SETTINGS)
    if new.name.casefold() in BUILT_IN:
        raise Invalid.of("name", "name_taken", f"Every incident knows the role “{new.name.casefold()}”. Choose another name.")
    if (await session.scalar(select(func.count()).select_from(IncidentRole)) or 0) >= MAX_ROLES:
        raise Conflict(f"An organization has at most {MAX_ROLES} roles. Make an inactive one active again.", "too_many_roles")
    row = IncidentRole(
        id=new_id(),
        organization_id=actor.organization,
        name=new.name,
        description=new.description,
        active=True,
        version=1,
        created_at=now(),
    )
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        message = "A role is called that already. Choose another name, or make that one active again."
        raise Invalid.of("name", "name_taken", message) from error
    audit.record(session, actor.origin, "incident_role.created", row.id, row.name, after=_audited(row))
    return _view(row)


async def change_role(
    session: AsyncSession, actor: Actor, role: str, changes: IncidentRoleChanges, version: int | None = None
) -> IncidentRoleView:
    """Describe a role anew, or say whether people take it on.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Conflict: ``role_in_use``, by rules or role policies, while it is to be deactivated.
    """
    row = await _find(session, actor, role)
    # A rule or policy that is just being written with it waits, or is waited for.
    await session.refresh(row, with_for_update=True)
    if version is not None and version != row.version:
        raise VersionConflict
    before = _audited(row)
    if changes.active is False and row.active:
        await _require_unused(session, row.name)
    row.description = row.description if changes.description is None else changes.description
    row.active = row.active if changes.active is None else changes.active
    after = _audited(row)
    if before != after:
        row.version += 1
        was, is_ = audit.difference(before, after)
        audit.record(session, actor.origin, "incident_role.changed", row.id, row.name, before=was, after=is_)
    return _view(row)


async def deactivate(session: AsyncSession, actor: Actor, role: str, version: int | None = None) -> None:
    """Let nobody take a role on any more. Past incidents name it, so nothing is deleted.

    Raises:
        NotFound, Forbidden, VersionConflict, Conflict: as ``change_role``.
    """
    await change_role(session, actor, role, IncidentRoleChanges(active=False), version)


async def _find(session: AsyncSession, actor: Actor, role: str) -> IncidentRole:
    actor.require(Action.MANAGE_SETTINGS)
    row = await session.scalar(select(IncidentRole).where(IncidentRole.id == role)) if is_id(role) else None
    if row is None:
        raise NotFound("role")
    return row


async def _require_unused(session: AsyncSession, name: str) -> None:
    using: list[str] = []
    for table in (RuleRow, RolePolicyRow):
        given = table.definition["role"].as_string() == name
        query = select(table.name).where(table.ended_at.is_(None), given).order_by(table.name).limit(_NAMED)
        using += await session.scalars(query)
    if using:
        named = ", ".join(f"“{each}”" for each in using[:_NAMED])
        raise Conflict(f"It is still given by {named}. Change or delete what gives it first.", "role_in_use")


def _audited(row: IncidentRole) -> dict[str, object]:
    return {"description": row.description, "active": row.active}


def _view(row: IncidentRole) -> IncidentRoleView:
    return IncidentRoleView(
        id=row.id,
        name=row.name,
        description=row.description,
        active=row.active,
        version=row.version,
        created_at=row.created_at,
    )
