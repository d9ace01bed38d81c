"""Streams are few, and end with the right to see the incident."""

import asyncio

import pytest
from sqlalchemy import update

from services.kit.database import Database
from services.kit.errors import TooMany
from services.lifecycle.stream import MAX_STREAMS, Tail
from services.store.incidents import EventRow, Incident
from tests.store.rows import fill
from tests.support.running import PATIENCE


async def always() -> bool:
    return True


@pytest.mark.feature("R3")
async def test_an_account_has_a_limited_number_of_streams(database: Database) -> None:
    tail = Tail(database)
    streams = [tail.stream("incident", "account", 0, always) for _ in range(MAX_STREAMS)]
    for stream in streams:
        tail.admit("account")
        await anext(stream)
    tail.admit("another")
    with pytest.raises(TooMany, match=str(MAX_STREAMS)):
        tail.admit("account")
    await streams[0].aclose()
    tail.admit("account")
    for stream in streams:
        await stream.aclose()


@pytest.mark.feature("R3", "O4")
async def test_a_stream_ends_when_its_reader_may_not_see_the_incident_any_more(database: Database) -> None:
    incident = (await fill(database, "a"))[Incident].id
    asked = 0

    async def may_see() -> bool:
        nonlocal asked
        asked += 1
        return asked < 3

    async with asyncio.timeout(PATIENCE):
        said = [part async for part in Tail(database, heartbeat=0.01).stream(incident, "account", 0, may_see)]
    assert said.count(": alive\n\n") == 2


@pytest.mark.feature("R3")
async def test_an_event_of_an_unknown_kind_changes_the_timeline(database: Database) -> None:
    incident = (await fill(database, "a"))[Incident].id
    async with database.write("a") as session:
        await session.execute(update(EventRow).values(kind="of-tomorrow"))

    async def never() -> bool:
        return False

    said = [part async for part in Tail(database, heartbeat=0.5).stream(incident, "account", 0, never)]
    assert any(part.startswith("event: timeline") for part in said)
