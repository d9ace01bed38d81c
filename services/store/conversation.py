"""The built-in channel: the conversation of an incident, kept in the database."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow


class Conversation(OrganizationRow, Base):
    """The channel of an incident."""

    __tablename__ = "conversations"

    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[datetime]


class Message(OrganizationRow, Base):
    """A message. ``only_to`` is the one person who sees it; ``author_id`` None is Muster; ``token`` makes posting twice once."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("incident_id", "token"),
        Index("ix_messages_incident_id_id", "incident_id", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"))
    token: Mapped[str] = mapped_column(String(80))
    author_id: Mapped[str | None] = mapped_column(ID, ForeignKey("individuals.id"))
    only_to: Mapped[str | None] = mapped_column(ID, ForeignKey("individuals.id"))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
