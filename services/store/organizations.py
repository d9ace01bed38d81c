"""Organizations, their projects, and the lists an incident's type, severity and priority are picked from."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow
from workflows.domain.engagement import STORM_LIMIT


class Organization(Base):
    """A tenant. ``slug`` is its name in URLs; ``next_reference`` numbers its incidents.

    ``storm_limit`` is how many people come into an incident at once without asking. ``version`` is that of its settings.
    """

    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    slug: Mapped[str] = mapped_column(String(63), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    next_reference: Mapped[int] = mapped_column(default=1)
    storm_limit: Mapped[int] = mapped_column(default=STORM_LIMIT, server_default=str(STORM_LIMIT))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


class Project(OrganizationRow, Base):
    """A team's space within an organization. ``self_join``: whoever sees one of its incidents may join it (E8).

    The defaults are what a report into it has unless it says otherwise; None is the organization's own default. New accounts
    become members of the default project.
    """

    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        Index(
            "uq_projects_default",
            "organization_id",
            unique=True,
            postgresql_where=text("is_default"),
            sqlite_where=text("is_default"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    is_default: Mapped[bool] = mapped_column(default=False)
    self_join: Mapped[bool] = mapped_column(default=True)
    default_type_id: Mapped[str | None] = mapped_column(ID, ForeignKey("settings.id"))
    default_severity_id: Mapped[str | None] = mapped_column(ID, ForeignKey("settings.id"))
    default_priority_id: Mapped[str | None] = mapped_column(ID, ForeignKey("settings.id"))
    version: Mapped[int] = mapped_column(default=1)


class ProjectMember(OrganizationRow, Base):
    """An account's membership in a project."""

    __tablename__ = "project_members"
    __table_args__ = (Index("ix_project_members_account_id", "account_id"),)

    project_id: Mapped[str] = mapped_column(ID, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ID, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    added_at: Mapped[datetime]


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
