"""Answers to requests with an Idempotency-Key, so that a repeat gets the same (R2)."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import Response
from sqlalchemy import Index, String, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.clock import now
from services.kit.routing import StoredAnswer
from services.store.base import ID, Base, Json, OrganizationRow, organization_of

_KEPT_HEADERS = ("content-type", "location", "etag")


class AnswerRow(OrganizationRow, Base):
    """What was answered to a key of an actor. ``fingerprint`` hashes the request; ``expires_at`` None is for ever."""

    __tablename__ = "answers"
    __table_args__ = (Index("ix_answers_expires_at", "expires_at"),)

    actor: Mapped[str] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, Any]] = mapped_column(Json)
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class AnswerStore:
    """Answers in the database."""

    async def find(self, session: AsyncSession, actor: str, key: str) -> StoredAnswer | None:
        """The answer an actor's key got, unless it has expired."""
        row = await session.scalar(select(AnswerRow).where(AnswerRow.actor == actor, AnswerRow.key == key))
        if row is None or (row.expires_at is not None and row.expires_at < now()):
            return None
        return StoredAnswer(row.fingerprint, Response(row.body, row.status, headers=row.headers))

    async def keep(
        self, session: AsyncSession, actor: str, key: str, fingerprint: str, response: Response, keep: timedelta | None
    ) -> None:
        """Keep an answer, and forget some that have expired, so that the table stays small by itself.

        Raises:
            IntegrityError: the key has an answer already.
        """
        await session.execute(delete(AnswerRow).where(AnswerRow.expires_at < now()))
        session.add(
            AnswerRow(
                organization_id=organization_of(session),
                actor=actor,
                key=key,
                fingerprint=fingerprint,
                status=response.status_code,
                headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
                body=bytes(response.body).decode(),
                created_at=now(),
                expires_at=None if keep is None else now() + keep,
            )
        )
        await session.flush()
