"""Versions of rules and role policies: what each said, who made it, and when it was in force."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.conditions.schemas import WhoView
from services.kit.auth import Actor
from services.kit.conditions import number
from services.kit.paging import Pagination, cut, decode_after, unknown_after
from services.store.contacts import Individual
from services.store.roles import RolePolicyRow
from services.store.rules import DefinitionVersion, RuleRow

Version = TypeVar("Version", bound=DefinitionVersion)


async def page_of_versions(
    session: AsyncSession, table: type[Version], of: ColumnElement[bool], scope: str, after: str | None, page_size: int
) -> tuple[Sequence[tuple[Version, WhoView]], Pagination]:
    """A page of the versions of one thing, the latest first, each with who made it. ``of`` says of which, ``scope`` as well.

    Raises:
        BadRequest: ``unknown_after``.
    """
    query = (
        select(table, Individual.id, Individual.name)
        .join(Individual, Individual.id == table.by_id)
        .where(of)
        .order_by(table.version.desc())
        .limit(page_size + 1)
    )
    if after is not None:
        position = number(decode_after(scope, after, 1)[0])
        if position is None:
            raise unknown_after()
        query = query.where(table.version < position)
    rows = [(row[0], WhoView(id=row[1], name=row[2])) for row in await session.execute(query)]
    return cut(rows, page_size, scope, lambda row: [str(row[0].version)])


async def keep_version(
    session: AsyncSession, actor: Actor, row: RuleRow | RolePolicyRow, table: type[DefinitionVersion], **of: str
) -> None:
    """Write down what a rule or policy says from its last change on; ``of`` is the column that names it, with its id."""
    await end_version(session, table, row.changed_at, **of)
    said = {"name": row.name, "enabled": row.enabled, "definition": row.definition}
    made = {"version": row.version, "valid_from": row.changed_at, "by_id": actor.individual}
    belongs = {"organization_id": row.organization_id, **of}
    session.add(table(**belongs, **said, **made))
    await session.flush()


async def end_version(session: AsyncSession, table: type[DefinitionVersion], at: datetime, **of: str) -> None:
    """The present version of something, if it has one, is in force no longer; ``of`` as for ``keep_version``."""
    await session.execute(update(table).filter_by(**of, valid_until=None).values(valid_until=at))
