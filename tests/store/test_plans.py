"""What is asked for by several ids is looked up by them: SQLite, which keeps no statistics, reads nothing else."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import lookup
from services.engagement import repository, targets
from services.kit.database import Database
from services.kit.ids import new_id
from services.notify import repository as notify
from workflows.domain.rules import Target, TargetKind

Look = Callable[[AsyncSession, Sequence[str]], Awaitable[object]]


async def _individuals(session: AsyncSession, ids: Sequence[str]) -> object:
    wanted = [Target(kind=TargetKind.INDIVIDUAL, id=each) for each in ids]
    return await targets.resolve(session, wanted, datetime(2026, 1, 5, tzinfo=UTC))


async def _teams(session: AsyncSession, ids: Sequence[str]) -> object:
    wanted = [Target(kind=TargetKind.TEAM, id=each) for each in ids]
    return await targets.resolve(session, wanted, datetime(2026, 1, 5, tzinfo=UTC))


LOOKS: dict[str, Look] = {
    "people": lookup.people,
    "recipients": notify.individuals,
    "terms": repository.terms_of,
    "addresses": repository.addresses_of,
    "engaged individuals": _individuals,
    "engaged teams": _teams,
}


@pytest.mark.feature("E1")
@pytest.mark.parametrize("count", [1, 25, 500])
@pytest.mark.parametrize("look", LOOKS)
async def test_ids_are_looked_up_by_an_index_that_has_them(database: Database, look: str, count: int) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL plans by statistics")
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        async with database.read(new_id()) as session:
            await LOOKS[look](session, [new_id() for _ in range(count)])
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    # One that asks for none of anything is answered at once.
    selects = [each for each in asked if each[0].startswith("SELECT") and "1!=1" not in each[0]]
    assert selects
    async with database.engine.connect() as connection:
        for statement, parameters in selects:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            # There are a few teams for thousands of people: to read them all costs little.
            steps = [row.detail for row in plan if not row.detail.startswith("SEARCH teams ")]
            reading = [step for step in steps if step.startswith("SCAN") or step.endswith("(organization_id=?)")]
            assert reading == [], (statement, steps)
