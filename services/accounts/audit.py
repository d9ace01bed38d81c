"""Reading the audit log: page by page, or all of it as CSV (O5). It is written by ``services.store.audit``."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from tempfile import SpooledTemporaryFile
from typing import Final, NamedTuple

from pydantic import BaseModel
from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts.schemas import AuditEntry, AuditObject, AuditWho
from services.accounts.wording import phrase
from services.kit.auth import Actor
from services.kit.clock import Moment, rfc3339
from services.kit.database import Database
from services.kit.paging import Filter, Page, cut, decode_after
from services.store import audit
from services.store.audit import AuditRow
from workflows.domain.policy import Action

COLUMNS: Final = ("at", "who", "account", "via", "address", "action", "text", "object", "object_id", "before", "after")
"""The header of the CSV."""
_BATCH: Final = 500
"""Entries that are held at once."""
_IN_MEMORY: Final = 1024 * 1024
"""Bytes of an export that are held before it goes to a file."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a cell for a formula, the last four in full width (OWASP, CSV injection)."""


class AuditQuery(BaseModel):
    """How to narrow the log. ``action`` is one, or what they begin with, as "token."; ``since`` counts in, ``until`` does not.

    ``q`` is looked for in who did it and in what it was done to.
    """

    who: Filter | None = None
    action: Filter | None = None
    since: Moment | None = None
    until: Moment | None = None
    q: Filter | None = None


class Export(NamedTuple):
    """A whole export: how many bytes it has, and what they are."""

    size: int
    content: AsyncIterator[bytes]


async def list_entries(
    session: AsyncSession, actor: Actor, query: AuditQuery, after: str | None = None, page_size: int = 25
) -> Page[AuditEntry]:
    """A page of the log, the latest first.

    Raises:
        Forbidden: only administrators read it. BadRequest: ``unknown_after``.
    """
    actor.require(Action.SEE_AUDIT)
    scope = f"audit {actor.organization} {query.model_dump_json()}"
    statement = _matching(query).order_by(AuditRow.id.desc()).limit(page_size + 1)
    if after is not None:
        statement = statement.where(AuditRow.id < decode_after(scope, after, 1)[0])
    rows = (await session.scalars(statement)).all()
    shown, pagination = cut(rows, page_size, scope, lambda row: [row.id])
    return Page(data=[_view(row) for row in shown], pagination=pagination)


async def export(database: Database, actor: Actor, query: AuditQuery) -> Export:
    """All that match as CSV (RFC 4180), the oldest first, as they were at one moment. That they were taken is kept as well.

    It is written in full before the first byte leaves, so that a fault is an error and never a file that only looks whole.

    Raises:
        Forbidden: only administrators read it.
    """
    actor.require(Action.SEE_AUDIT)
    spool = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  (it is closed when it was sent)
    try:
        count = 0
        await asyncio.to_thread(spool.write, _lines([COLUMNS]))
        async with database.snapshot(actor.organization) as session:
            async for batch in _batches(session, query):
                count += len(batch)
                await asyncio.to_thread(_write, spool, batch)
        async with database.write(actor.organization) as session:
            told = {"entries": count, **query.model_dump(mode="json", exclude_none=True)}
            audit.record(session, actor.origin, "audit.exported", None, "audit log", after=told)
    except BaseException:
        spool.close()
        raise
    size = spool.tell()
    spool.seek(0)
    return Export(size, _sent(spool))


async def _batches(session: AsyncSession, query: AuditQuery) -> AsyncIterator[Sequence[AuditRow]]:
    statement, last = _matching(query).order_by(AuditRow.id).limit(_BATCH), ""
    while batch := (await session.scalars(statement.where(AuditRow.id > last))).all():
        yield batch
        last = batch[-1].id


async def _sent(spool: "SpooledTemporaryFile[bytes]") -> AsyncIterator[bytes]:
    with spool:
        while chunk := await asyncio.to_thread(spool.read, 64 * 1024):
            yield chunk


def _write(spool: "SpooledTemporaryFile[bytes]", rows: Sequence[AuditRow]) -> None:
    spool.write(_lines(_cells(_view(row)) for row in rows))


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    return (
        rfc3339(entry.at),
        entry.who.name,
        entry.who.id or "",
        entry.via,
        entry.address,
        entry.action,
        entry.text,
        entry.object.name,
        entry.object.id or "",
        json.dumps(entry.before, ensure_ascii=False) if entry.before else "",
        json.dumps(entry.after, ensure_ascii=False) if entry.after else "",
    )


def _matching(query: AuditQuery) -> Select[AuditRow]:
    statement = select(AuditRow)
    if query.who is not None:
        statement = statement.where(AuditRow.account_id == query.who)
    if query.action is not None and query.action.endswith("."):
        statement = statement.where(AuditRow.action.startswith(query.action, autoescape=True))
    elif query.action is not None:
        statement = statement.where(AuditRow.action == query.action)
    if query.since is not None:
        statement = statement.where(AuditRow.at >= query.since)
    if query.until is not None:
        statement = statement.where(AuditRow.at < query.until)
    if query.q:
        columns = (AuditRow.who, AuditRow.object_name)
        statement = statement.where(or_(*(column.icontains(query.q, autoescape=True) for column in columns)))
    return statement


def _view(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        who=AuditWho(id=row.account_id, name=row.who),
        via=row.via,
        address=row.address,
        action=row.action,
        object=AuditObject(id=row.object_id, name=row.object_name),
        before=row.before,
        after=row.after,
        text=f"{row.who} {phrase(row.action, row.object_name, row.before, row.after)}",
    )
