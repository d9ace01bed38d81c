"""The whole schema, and bringing a database to it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from services.kit.database import Database
from services.store import (
    accounts,
    answers,
    audit,
    contacts,
    conversation,
    deliveries,
    incidents,
    organizations,
    outbox,
    roles,
    rules,
    subscriptions,
    teams,
)
from services.store.base import Base

TABLES = (
    accounts,
    answers,
    audit,
    contacts,
    conversation,
    deliveries,
    incidents,
    organizations,
    outbox,
    roles,
    rules,
    subscriptions,
    teams,
)
"""The modules that hold tables."""
METADATA = Base.metadata

_LOCK = 7_466_411
"""The advisory lock under which only one process migrates."""


async def upgrade(database: Database) -> None:
    """Bring the database to the newest revision; several processes may try at once."""
    # SQLite has no advisory locks: taking the write lock first makes its processes take turns as well.
    engine = database.engine.execution_options(muster_write=True)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


async def check(database: Database) -> None:
    """Compare the database with the tables.

    Raises:
        alembic.util.CommandError: they differ, or the database is not at the newest revision.
    """
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda given: command.check(_config(given)))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(_config(connection), "head")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
