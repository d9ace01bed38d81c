"""Individuals and the terms that engage them (E1)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow


class Individual(OrganizationRow, Base):
    """A person who can be engaged, with or without an account. ``version`` counts its changes, the terms' included."""

    __tablename__ = "individuals"
    __table_args__ = (
        UniqueConstraint("organization_id", "email"),
        Index("ix_individuals_organization_id_name_id", "organization_id", "name", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class TermRow(OrganizationRow, Base):
    """A term or phrase of an individual: as it was typed, and normalised for the indexed lookup.

    ``self_set``: the individual set it without being an administrator, so it opens no restricted incident.
    """

    __tablename__ = "terms"
    __table_args__ = (
        UniqueConstraint("individual_id", "normalised"),
        Index("ix_terms_organization_id_normalised", "organization_id", "normalised"),
        Index("ix_terms_organization_id_words", "organization_id", "words"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id", ondelete="CASCADE"))
    phrase: Mapped[str] = mapped_column(String(400))
    normalised: Mapped[str] = mapped_column(String(800))
    words: Mapped[int]
    self_set: Mapped[bool]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
