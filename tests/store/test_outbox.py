"""The outbox: each errand once, claimed by one relay at a time, put off with the reason."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.kit.clock import now
from services.kit.database import Database
from services.store import outbox
from services.store.incidents import Incident
from services.store.outbox import Errand, OutboxRow
from tests.store.rows import fill

LEASE = timedelta(seconds=30)


@pytest.fixture
async def incident(database: Database) -> str:
    """An incident with nothing to do."""
    made = await fill(database, "a")
    async with database.write("a") as session:
        await outbox.done(session, made[OutboxRow].id)
    return str(made[Incident].id)


async def put(database: Database, subject: str, errand: Errand = Errand.START) -> None:
    async with database.write("a") as session:
        await outbox.put(session, "a", subject, errand)


async def claim(database: Database) -> list[OutboxRow]:
    async with database.write() as session:
        return await outbox.claim(session, 10, LEASE)


@pytest.mark.feature("R4")
async def test_the_same_errand_waits_once(database: Database, incident: str) -> None:
    await put(database, incident)
    await put(database, incident)
    await put(database, incident, Errand.CATCH_UP)
    await put(database, "a delivery", Errand.DELIVER)
    await put(database, "another", Errand.DELIVER)
    assert sorted(row.errand for row in await claim(database)) == ["catch_up", "deliver", "deliver", "start"]


@pytest.mark.feature("R4")
async def test_one_relay_gets_an_errand(database: Database, incident: str) -> None:
    await put(database, incident)
    claims = await asyncio.gather(*(claim(database) for _ in range(5)))
    assert sorted(len(rows) for rows in claims) == [0, 0, 0, 0, 1]
    async with database.read() as session:
        assert not await outbox.any_due(session)


@pytest.mark.feature("R4")
async def test_an_errand_that_is_put_off_comes_back_with_its_reason(database: Database, incident: str) -> None:
    await put(database, incident)
    (row,) = await claim(database)
    async with database.write() as session:
        await outbox.postpone(session, row.id, timedelta(seconds=5), "x" * 5_000)
    assert await claim(database) == []
    async with database.read("a") as session:
        kept = (await session.scalars(select(OutboxRow))).one()
    assert (kept.attempts, kept.last_error) == (1, "x" * 1_000)
    assert kept.next_at > now() + timedelta(seconds=2)
    async with database.write() as session:
        await outbox.postpone(session, row.id, timedelta(0), "again")
    assert [again.id for again in await claim(database)] == [row.id]


@pytest.mark.feature("R4")
async def test_an_errand_whose_relay_died_comes_back(database: Database, incident: str) -> None:
    await put(database, incident)
    async with database.write() as session:
        (row,) = await outbox.claim(session, 10, timedelta(0))
    assert [again.id for again in await claim(database)] == [row.id]
    async with database.write() as session:
        await outbox.done(session, row.id)
    assert await claim(database) == []
