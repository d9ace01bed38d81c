"""Organizations, their projects, and the lists an incident's type, severity and priority are picked from."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow


class Organization(Base):
    """A tenant. ``slug`` is its name in URLs; ``next_reference`` numbers its incidents."""

    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    next_reference: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class Project(OrganizationRow, Base):
    """A team's space within an organization."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    is_default: Mapped[bool] = mapped_column(default=False)


class Setting(OrganizationRow, Base):
    """One entry of a list: an incident type, a severity or a priority. ``rank`` orders them, the gravest last."""

    __tablename__ = "settings"
    __table_args__ = (
        UniqueConstraint("organization_id", "list", "name"),
        Index("ix_settings_organization_id_list_rank", "organization_id", "list", "rank"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    list: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    rank: Mapped[int]
    is_default: Mapped[bool] = mapped_column(default=False)


class Account(OrganizationRow, Base):
    """Someone who can sign in to an organization. Every account is also an individual, so it can be engaged and act."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("individual_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class Credential(OrganizationRow, Base):
    """What proves who someone is: an API token, a browser session, or a one-time sign-in link. Only the hash is kept."""

    __tablename__ = "credentials"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account_id: Mapped[str] = mapped_column(ID, ForeignKey("accounts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
