"""Moments are in UTC everywhere, and no row crosses from one organization to another (O1)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import delete, exists, func, insert, inspect, select, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import aliased

from services.kit.database import Database
from services.store.base import IsolationError, organization_of
from services.store.contacts import Individual
from services.store.organizations import Organization
from tests.store.rows import ORGANIZATION_TABLES, fill


def key_of(row: Any) -> tuple[Any, ...]:
    return tuple(inspect(type(row)).primary_key_from_instance(row))


@pytest.mark.feature("O1")
async def test_no_query_sees_another_organizations_rows(database: Database) -> None:
    await fill(database, "a")
    theirs = await fill(database, "b")
    assert len(ORGANIZATION_TABLES) > 10
    for table in ORGANIZATION_TABLES:
        other, primary = aliased(table), inspect(table).primary_key
        async with database.read("a") as session:
            for query in (
                select(table),
                select(other),
                select(table).where(table.organization_id == "b"),
                select(table).join(other, other.organization_id != table.organization_id),
                select(table).order_by(*primary),
                select(table).where(table.organization_id.in_(select(Organization.id))),
            ):
                assert {row.organization_id for row in await session.scalars(query)} <= {"a"}, table
            assert await session.get(table, key_of(theirs[table])) is None
            assert await session.scalar(select(func.count()).select_from(table)) == 1
            assert await session.scalar(select(func.count(table.organization_id))) == 1
            assert await session.scalar(select(table.organization_id).where(table.organization_id == "b")) is None
            assert not await session.scalar(select(select(other.organization_id).where(other.organization_id == "b").exists()))
            for unmapped in (select(exists().where(table.organization_id == "b")), select(table.__table__)):
                with pytest.raises(IsolationError):
                    await session.execute(unmapped)
            subquery = select(table.organization_id).distinct().subquery()
            assert (await session.scalars(select(subquery.c.organization_id))).all() == ["a"]
            union = select(table.organization_id).union_all(select(other.organization_id))
            assert set(await session.scalars(union)) == {"a"}


@pytest.mark.feature("O1")
async def test_no_statement_changes_another_organizations_rows(database: Database) -> None:
    await fill(database, "a")
    theirs = await fill(database, "b")
    for table in reversed(ORGANIZATION_TABLES):
        async with database.write("a") as session:
            changed: Any = await session.execute(update(table).values(organization_id=table.organization_id))
            assert changed.rowcount == 1, table
            removed: Any = await session.execute(delete(table).where(table.organization_id == "b"))
            assert removed.rowcount == 0, table
            removed = await session.execute(delete(table))
            assert removed.rowcount == 1, table
    for table in ORGANIZATION_TABLES:
        async with database.read("b") as session:
            assert await session.get(table, key_of(theirs[table])) is not None


@pytest.mark.feature("O1")
async def test_no_row_is_written_for_another_organization(database: Database) -> None:
    await fill(database, "a")
    theirs = await fill(database, "b")
    for table in ORGANIZATION_TABLES:
        values = {each.key: getattr(theirs[table], each.key) for each in inspect(table).column_attrs}
        with pytest.raises(IsolationError):
            async with database.write("a") as session:
                session.add(table(**values))
        with pytest.raises(IsolationError):
            await remove(database, theirs[table])


async def remove(database: Database, row: Any) -> None:
    async with database.write("a") as session:
        session.add(row)
        await session.delete(row)


@pytest.mark.feature("O1")
async def test_an_unbound_session_reads_and_writes_nothing_by_mistake(database: Database) -> None:
    await fill(database, "a")
    for table in ORGANIZATION_TABLES:
        for statement in (
            select(table),
            select(func.count()).select_from(table),
            select(table.organization_id),
            select(Organization, table).join(table, table.organization_id == Organization.id),
            update(table).values(organization_id="a"),
            delete(table),
        ):
            async with database.read() as session:
                with pytest.raises(IsolationError):
                    await session.execute(statement)
    async with database.read() as session:
        assert [row.slug for row in await session.scalars(select(Organization))] == ["a"]
        with pytest.raises(IsolationError):
            organization_of(session)


def person(organization: str, at: datetime) -> Individual:
    return Individual(id="i", organization_id=organization, name="Ana", email="ana@example.org", created_at=at)


@pytest.mark.parametrize("hours", [0, 5.5, -11])
async def test_moments_come_back_aware_and_in_utc(database: Database, hours: float) -> None:
    moment = datetime(2026, 3, 29, 2, 30, 15, 123456, timezone(timedelta(hours=hours)))
    async with database.write() as session:
        session.add(Organization(id="a", slug="a", name="A", created_at=moment))
        await session.flush()
        session.add(person("a", moment))
    async with database.read("a") as session:
        found = (await session.scalars(select(Individual))).one().created_at
        later = select(Individual.id).where(Individual.created_at > moment - timedelta(microseconds=1))
        assert await session.scalar(later) == "i"
    assert found == moment
    assert found.tzinfo is UTC


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="needs its zone"):
        async with database.write() as session:
            await session.execute(insert(Organization).values(id="a", slug="a", name="A", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001
