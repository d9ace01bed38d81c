"""The outbox: what has to reach Temporal, written in the same transaction as what it is about (R4)."""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Index, String, Text, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.base import ID, Base, OrganizationRow, insert_if_new

EVERY = {"every_organization": True}
"""The relay works for all organizations."""


class Errand(StrEnum):
    """What is to be done in Temporal, and with what: the errand's subject."""

    START = "start"
    """Start the workflow of an incident."""
    CATCH_UP = "catch_up"
    """Have the workflow of an incident take in what the log has."""
    DELIVER = "deliver"
    """Make a delivery that belongs to no incident."""


class OutboxRow(OrganizationRow, Base):
    """One errand, kept until it is done. At most one of a kind for a subject. ``trace`` is the W3C traceparent it came from."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_next_at", "next_at"),
        Index("uq_outbox_subject_id_errand", "subject_id", "errand", unique=True),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    subject_id: Mapped[str] = mapped_column(ID)
    errand: Mapped[str] = mapped_column(String(20))
    trace: Mapped[str | None] = mapped_column(String(120))
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    next_at: Mapped[datetime]


async def put(session: AsyncSession, organization: str, subject: str, errand: Errand, trace: str | None = None) -> None:
    """Add an errand, unless the same is waiting already."""
    values = {
        "id": new_id(),
        "organization_id": organization,
        "subject_id": subject,
        "errand": errand,
        "trace": trace,
        "attempts": 0,
        "created_at": now(),
        "next_at": now(),
    }
    await session.execute(insert_if_new(session, OutboxRow).values(values))


async def any_due(session: AsyncSession) -> bool:
    """Whether there is anything to claim; asking takes no lock."""
    query = select(OutboxRow.id).where(OutboxRow.next_at <= now()).limit(1)
    return await session.scalar(query, execution_options=EVERY) is not None


async def claim(session: AsyncSession, limit: int, lease: timedelta) -> list[OutboxRow]:
    """Take errands that are due; no other relay sees them for the time of the lease."""
    due = select(OutboxRow).where(OutboxRow.next_at <= now()).order_by(OutboxRow.next_at).limit(limit)
    rows = list((await session.scalars(due.with_for_update(skip_locked=True), execution_options=EVERY)).all())
    if rows:
        ids = [row.id for row in rows]
        await session.execute(
            update(OutboxRow).where(OutboxRow.id.in_(ids)).values(next_at=now() + lease, attempts=OutboxRow.attempts + 1),
            execution_options=EVERY | {"synchronize_session": False},
        )
    return rows


async def done(session: AsyncSession, errand: str) -> None:
    """Forget an errand that is done."""
    await session.execute(delete(OutboxRow).where(OutboxRow.id == errand), execution_options=EVERY)


async def postpone(session: AsyncSession, errand: str, wait: timedelta, error: str) -> None:
    """Try an errand again later, and keep why."""
    await session.execute(
        update(OutboxRow).where(OutboxRow.id == errand).values(next_at=now() + wait, last_error=error[:1000]),
        execution_options=EVERY,
    )
