"""A row in every table, for tests about all of them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, inspect

import services.app  # noqa: F401  (every table is declared once everything is imported)
from services.kit.database import Database
from services.store.base import Base, OrganizationRow, UTCDateTime
from services.store.organizations import Organization

ORGANIZATION_TABLES: list[type[Any]] = [
    mapper.class_
    for table in Base.metadata.sorted_tables
    for mapper in Base.registry.mappers
    if mapper.local_table is table and issubclass(mapper.class_, OrganizationRow)
]
"""Every table whose rows belong to an organization, those that others refer to first."""

NOT_SET = {"terms": ("team_id", "service_id")}
"""What is left out, since a term has one owner."""


async def fill(database: Database, organization: str) -> dict[type[Any], Any]:
    """A new organization of this id and slug, with one row in every table."""
    made: dict[type[Any], Any] = {}
    async with database.write() as session:
        session.add(Organization(id=organization, slug=organization, name=organization, created_at=datetime.now(UTC)))
    async with database.write(organization) as session:
        for table in ORGANIZATION_TABLES:
            made[table] = _row(table, organization, made)
            session.add(made[table])
            await session.flush()
    return made


def _row(table: type[Any], organization: str, made: dict[type[Any], Any]) -> Any:
    row = table(organization_id=organization)
    for attribute in inspect(table).column_attrs:
        if attribute.key != "organization_id" and attribute.key not in NOT_SET.get(table.__tablename__, ()):
            setattr(row, attribute.key, _value(attribute.columns[0], made))
    return row


def _value(column: Column[Any], made: dict[type[Any], Any]) -> Any:
    for key in column.foreign_keys:
        return next(row.id for table, row in made.items() if table.__tablename__ == key.column.table.name)
    if isinstance(column.type, UTCDateTime):
        return datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    samples: dict[type, Any] = {int: 1, bool: True, dict: {}}
    return samples.get(column.type.python_type, uuid.uuid4().hex[: getattr(column.type, "length", None) or 36])
