"""Teams and on-call services: contacts that stand for individuals (E1, E10)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, validates

from services.store.base import ID, Base, OrganizationRow
from services.store.contacts import begin_words
from workflows.domain.text import normalise


class NamedContact(OrganizationRow):
    """What a team and an on-call service have in common. ``version`` counts every change, that of terms included.

    ``name_folded`` is the name without regard to case; ``words`` are its words, by which one searches. Both follow the name.
    """

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_folded: Mapped[str] = mapped_column(String(600))
    words: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[UniqueConstraint, Index]:
        """One name is one contact's, whatever its case; lists go by name."""
        table = cls.__tablename__
        return (
            UniqueConstraint("organization_id", "name_folded"),
            Index(f"ix_{table}_organization_id_name_id", "organization_id", "name", "id"),
        )

    __tablename__: str

    @validates("name")
    def _follow(self, _: str, name: str) -> str:
        self.name_folded = name.casefold()
        self.words = f" {normalise(name)}"
        return name

    @classmethod
    def matching(cls, text: str) -> ColumnElement[bool]:
        """The condition that each word of a text begins a word of the name; without a word, nothing matches."""
        return begin_words(cls.words, text)


class Team(NamedContact, Base):
    """People who are engaged together.

    ``notify`` is "members", or "list": then the individual ``list_id``, of kind "list", is engaged in their place. It is kept
    while the team notifies its members, inactive, so that it stays the same one in every incident.
    """

    __tablename__ = "teams"

    notify: Mapped[str] = mapped_column(String(20), default="members")
    list_id: Mapped[str | None] = mapped_column(ID, ForeignKey("individuals.id"))


class TeamMember(OrganizationRow, Base):
    """That an individual belongs to a team."""

    __tablename__ = "team_members"
    __table_args__ = (Index("ix_team_members_individual_id", "individual_id"),)

    team_id: Mapped[str] = mapped_column(ID, ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id", ondelete="CASCADE"), primary_key=True)


class OnCallService(NamedContact, Base):
    """Something for which somebody is on call. ``definition`` is what its provider goes by: for "rotation", the rotation."""

    __tablename__ = "oncall_services"

    provider: Mapped[str] = mapped_column(String(20), default="rotation")
    definition: Mapped[dict[str, Any]]


class OverrideRow(OrganizationRow, Base):
    """That somebody is on call from one moment until another, whatever the rotation says."""

    __tablename__ = "oncall_overrides"
    __table_args__ = (Index("ix_oncall_overrides_service_id_until_at", "service_id", "until_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    service_id: Mapped[str] = mapped_column(ID, ForeignKey("oncall_services.id", ondelete="CASCADE"))
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id", ondelete="CASCADE"))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    created_at: Mapped[datetime]
