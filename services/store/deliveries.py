"""The delivery ledger, and the built-in inbox (N5, N6)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow


class Delivery(OrganizationRow, Base):
    """One message to one recipient by one channel: the intent, the attempts, and what came of it.

    ``in_doubt`` is set while an attempt is under way: when the next attempt finds it set, the earlier one may have gone out.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("incident_id", "kind", "cause", "recipient_id", "channel"),
        Index("ix_deliveries_organization_id_id", "organization_id", "id"),
        Index("ix_deliveries_incident_id_updated_at", "incident_id", "updated_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"))
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
    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"))
    recipient_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))
    address: Mapped[str] = mapped_column(String(320))
    channel: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(400))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
