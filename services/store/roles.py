"""Roles (E9): those an organization has of its own, and the policies that choose who has them, as they are and as they were."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, validates

from services.store.base import ID, Base, OrganizationRow
from services.store.rules import DefinitionVersion


class IncidentRole(OrganizationRow, Base):
    """A role of the organization's own. What people were is kept by its name, so the name stays; ``name_folded`` follows it."""

    __tablename__ = "incident_roles"
    __table_args__ = (UniqueConstraint("organization_id", "name_folded"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    name_folded: Mapped[str] = mapped_column(String(180))
    description: Mapped[str] = mapped_column(String(500), default="")
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    @validates("name")
    def _follow(self, _: str, name: str) -> str:
        self.name_folded = name.casefold()
        return name


class RolePolicyRow(OrganizationRow, Base):
    """A role policy as it is now. One that was deleted has ``ended_at`` and stays, since the past refers to it.

    ``definition`` is a ``Definition`` of the engagement service's roles. ``rank`` counts from 1: the lowest is asked first.
    """

    __tablename__ = "role_policies"
    __table_args__ = (Index("ix_role_policies_organization_id_ended_at_rank", "organization_id", "ended_at", "rank"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    rank: Mapped[int]
    enabled: Mapped[bool] = mapped_column(default=True)
    definition: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class RolePolicyVersion(DefinitionVersion, Base):
    """A version of a role policy. Its rank is none of it: a policy that is moved still says the same."""

    __tablename__ = "role_policy_versions"

    policy_id: Mapped[str] = mapped_column(ID, ForeignKey("role_policies.id", ondelete="CASCADE"), primary_key=True)
