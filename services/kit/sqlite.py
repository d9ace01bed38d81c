"""SQLite without detours: a statement goes to its connection's thread and back once.

aiosqlite goes there four times: for a cursor, the statement, its rows, and to close. For the small statements of Muster that is
more work than the statement itself (measured: a fifth of all processor time of an incident).
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Self

import aiosqlite

_ANY_SIZE = 64
"""aiosqlite wants to know how many rows to fetch at once when it iterates, which nobody does here."""


class Cursor:
    """What SQLAlchemy's adapter for asynchronous drivers needs of a cursor; the rows are fetched with the statement."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement."""
        await self._connection.visit(lambda: self._run(sqlite3.Cursor.execute, statement, parameters))

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run a statement once with each of these."""
        await self._connection.visit(lambda: self._run(sqlite3.Cursor.executemany, statement, parameters))

    async def fetchall(self) -> list[Any]:
        """The rows of the statement."""
        return self._rows

    async def close(self) -> None:
        """Nothing was left open."""

    def _run(self, how: Callable[..., Any], statement: str, parameters: Sequence[Any]) -> None:
        cursor = self._connection._conn.cursor()
        try:
            how(cursor, statement, parameters)
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
            self._rows = cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """aiosqlite's connection with the cursor above."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor, without asking the thread for it."""
        return Cursor(self)

    async def rollback(self) -> None:
        """Undo what was not committed. The pool asks for it whenever a connection comes back, mostly with nothing to undo."""
        if self.in_transaction:
            await super().rollback()

    async def visit(self, work: Callable[[], None]) -> None:
        """Do something in the connection's thread."""
        await self._execute(work)  # type: ignore[no-untyped-call]


async def open_file(file: str, patience: float) -> Connection:
    """A connection to a database file, which waits for another one's lock for so many seconds."""
    connection = Connection(lambda: sqlite3.connect(file, timeout=patience), _ANY_SIZE)
    # A connection that was forgotten must not keep the process from ending; SQLAlchemy does the same.
    connection._thread.daemon = True
    await connection
    return connection
