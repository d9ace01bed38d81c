"""The delivery ledger, and the built-in inbox (N5, N6)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.clock import now
from services.kit.ids import new_id
from services.kit.telemetry import traceparent
from services.store import outbox
from services.store.base import ID, Base, OrganizationRow, insert_if_new

_LETTERS_CHANNEL: Final = "email"
_OF_NO_INCIDENT: Final = text("incident_id IS NULL")


class Delivery(OrganizationRow, Base):
    """One message to one recipient by one channel: the intent, the attempts, and what came of it.

    A letter is mail that belongs to no incident: an invitation, or a link to set a new password.
    ``in_doubt`` is set while an attempt is under way: when the next attempt finds it set, the earlier one may have gone out.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("incident_id", "kind", "cause", "recipient_id", "channel"),
        Index(
            "uq_deliveries_letter",
            "organization_id",
            "kind",
            "cause",
            "recipient_id",
            "channel",
            unique=True,
            postgresql_where=_OF_NO_INCIDENT,
            sqlite_where=_OF_NO_INCIDENT,
        ),
        Index("ix_deliveries_organization_id_id", "organization_id", "id"),
        Index("ix_deliveries_incident_id_updated_at", "incident_id", "updated_at"),
        Index("ix_deliveries_recipient_id_id", "recipient_id", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    incident_id: Mapped[str | None] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    cause: Mapped[str] = mapped_column(String(80))
    recipient_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))
    address: Mapped[str] = mapped_column(String(320))
    channel: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="pending")
    provider: Mapped[str | None] = mapped_column(String(20))
    provider_id: Mapped[str | None] = mapped_column(String(320))
    attempts: Mapped[int] = mapped_column(default=0)
    in_doubt: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(Text)
    intended_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class InboxMessage(OrganizationRow, Base):
    """A message as its recipient sees it, kept where no provider is configured. ``delivery_id`` makes it unique."""

    __tablename__ = "inbox_messages"
    __table_args__ = (
        UniqueConstraint("delivery_id"),
        Index("ix_inbox_messages_organization_id_recipient_id_id", "organization_id", "recipient_id", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ID, ForeignKey("deliveries.id", ondelete="CASCADE"))
    incident_id: Mapped[str | None] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"))
    recipient_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))
    address: Mapped[str] = mapped_column(String(320))
    channel: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(400))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Intent(NamedTuple):
    """To whom, where and by which channel something is to be sent."""

    recipient: str
    address: str
    channel: str


async def intend(
    session: AsyncSession, organization: str, incident: str | None, kind: str, cause: str, intents: Iterable[Intent]
) -> None:
    """Write intents into the ledger; one that is there already stays as it is."""
    rows = [
        {
            "id": new_id(),
            "organization_id": organization,
            "incident_id": incident,
            "kind": kind,
            "cause": cause,
            "recipient_id": intent.recipient,
            "address": intent.address,
            "channel": intent.channel,
            "state": "pending",
            "attempts": 0,
            "in_doubt": False,
            "intended_at": now(),
            "updated_at": now(),
        }
        for intent in intents
    ]
    if not rows:
        return
    # One row a parameter set: a statement that holds all the rows would be compiled anew for each number of them.
    await session.execute(insert_if_new(session, Delivery), rows)


async def intend_letter(session: AsyncSession, organization: str, kind: str, cause: str, recipient_id: str, address: str) -> str:
    """Write the intent of a letter and the errand to send it, in the caller's transaction; answers the delivery's id.

    The session is bound to the organization. ``kind`` is a ``NoticeKind`` that is a letter; ``cause`` is the id of what caused
    it: repeated with the same, it is one letter. Its text, with a link that holds a secret, is made only when it is sent.
    """
    await intend(session, organization, None, kind, cause, [Intent(recipient_id, address, _LETTERS_CHANNEL)])
    query = select(Delivery.id).where(
        Delivery.incident_id.is_(None),
        Delivery.kind == kind,
        Delivery.cause == cause,
        Delivery.recipient_id == recipient_id,
        Delivery.organization_id == organization,
    )
    delivery = (await session.scalars(query)).one()
    await outbox.put(session, organization, delivery, outbox.Errand.DELIVER, traceparent())
    return delivery
