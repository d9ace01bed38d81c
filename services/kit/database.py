"""The database: SQLite in the data folder, or PostgreSQL; one transaction a request or activity, committed at the edge."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from services.kit.sqlite import open_file

BUSY_TIMEOUT = 15.0
"""Seconds a SQLite writer waits for its turn."""
SWITCH_INTERVAL = 0.0005
"""Seconds after which a thread that computes lets another go on, where there is SQLite; Python's own choice is ten times that."""
POOL: Final[dict[str, Any]] = {"pool_size": 10, "max_overflow": 20, "pool_timeout": 5.0}
"""How many connections there are; who has waited so many seconds for one is told to come back."""
QUIET: Final[dict[str, Any]] = {"hide_parameters": True}
"""Errors reach the log and Temporal; they do not quote what was to be written, since it may be personal or secret."""


class Database:
    """Opens sessions. A session is bound to one organization (``session.info``), and the store lets it see no other."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        # SQLite lets writers try again and again, after longer and longer pauses; here they queue up.
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if self.is_sqlite else nullcontext()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, where writers take turns."""
        return self.engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def read(self, organization: str | None = None) -> AsyncIterator[AsyncSession]:
        """A session that only reads, from one consistent snapshot."""
        async with self._sessions(info={"organization": organization}) as session:
            yield session

    @asynccontextmanager
    async def snapshot(self, organization: str | None = None) -> AsyncIterator[AsyncSession]:
        """A session that reads everything as it was at one moment, however many statements it takes."""
        async with self.read(organization) as session:
            if not self.is_sqlite:
                # There each statement has a snapshot of its own otherwise; in SQLite a transaction is one.
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @asynccontextmanager
    async def write(self, organization: str | None = None) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed at the end, or not at all when the block raises.

        ``session.info["after_commit"]``, a function without arguments, is called once everything is kept.
        """
        async with self._turn, self._sessions(info={"organization": organization}) as session:
            if self.is_sqlite:
                # Taking the write lock first: a reader that turns writer later could be refused at once.
                await session.connection(execution_options={"muster_write": True})
            yield session
            await session.commit()
            if after_commit := session.info.get("after_commit"):
                after_commit()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


def _engine(url: str) -> AsyncEngine:
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+asyncpg://", 1)
    if url.startswith("postgresql"):
        return create_async_engine(url, pool_pre_ping=True, **POOL, **QUIET)
    # Every statement goes to a thread and back. A thread that wants to go on waits for this long while another one computes.
    sys.setswitchinterval(SWITCH_INTERVAL)
    file = make_url(url).database or ":memory:"
    engine = create_async_engine(url, async_creator=lambda: open_file(file, BUSY_TIMEOUT), **POOL, **QUIET)
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself; _begin does, in the mode that is wanted.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    mode = "IMMEDIATE" if connection.get_execution_options().get("muster_write") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {mode}")
