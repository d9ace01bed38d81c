"""The migrations lead to the tables in the code, from nothing and from every revision, whoever runs them at once."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from services.kit.database import Database
from services.store import schema
from services.store.schema import METADATA
from tests.conftest import new_database_url


@pytest.fixture
async def bare_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return await new_database_url(database_kind, tmp_path, request)


@pytest.fixture
async def bare(bare_url: str) -> AsyncIterator[Database]:
    database = Database(bare_url)
    yield database
    await database.close()


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda given: inspect(given).get_table_names()))


async def test_an_empty_database_gets_every_table_and_differs_in_nothing(bare: Database) -> None:
    await schema.upgrade(bare)
    await schema.check(bare)
    assert await tables(bare) == {*METADATA.tables, "alembic_version"}


async def test_upgrading_again_changes_nothing(database: Database) -> None:
    await schema.upgrade(database)
    await schema.check(database)


async def test_a_table_that_differs_is_reported(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE incidents ADD COLUMN surplus INTEGER"))
    with pytest.raises(CommandError, match="surplus"):
        await schema.check(database)


async def test_an_empty_database_is_not_taken_for_a_current_one(bare: Database) -> None:
    with pytest.raises(CommandError):
        await schema.check(bare)


async def test_processes_that_upgrade_at_once_take_turns(bare: Database, bare_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "MUSTER_DATA_DIR": str(tmp_path)}
    if not bare.is_sqlite:  # which needs no address: it is the data folder's own
        environment["MUSTER_DATABASE_URL"] = bare_url
    upgrades = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from services.cli import main; main()",
            "db",
            "upgrade",
            env=environment,
            stdout=PIPE,
            stderr=STDOUT,
        )
        for _ in range(2)
    ]
    said = [await upgrade.communicate() for upgrade in upgrades]
    assert [upgrade.returncode for upgrade in upgrades] == [0, 0], said
    await schema.check(bare)


async def test_an_upgrade_waits_for_whoever_writes(bare: Database) -> None:
    async with bare.write() as session:
        await session.execute(text("CREATE TABLE passing (id INTEGER)"))
        await session.execute(text("DROP TABLE passing"))
        upgrade = asyncio.create_task(schema.upgrade(bare))
        await asyncio.sleep(0.5)
    await upgrade
    await schema.check(bare)


async def test_every_revision_can_go_forward_to_the_newest(bare: Database) -> None:
    for revision in revisions():
        async with bare.engine.begin() as connection:
            await connection.run_sync(_upgrade_to, revision)
    await schema.check(bare)


async def test_an_upgrade_that_fails_leaves_nothing_behind(bare: Database) -> None:
    async with bare.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE incidents (id INTEGER)"))
    with pytest.raises(Exception, match="incidents"):
        await schema.upgrade(bare)
    assert await tables(bare) == {"incidents"}


def revisions() -> list[str]:
    """Every revision, the oldest first; there is one line of them."""
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert len(scripts.get_heads()) == 1
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def _upgrade_to(connection: Connection, revision: str) -> None:
    command.upgrade(schema._config(connection), revision)
