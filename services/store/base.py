"""What all tables share: names, types, and the organization every row belongs to."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, MetaData, String, TextClause, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    LoaderCriteriaOption,
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.types import TypeDecorator

ID = String(36)
Json = JSON().with_variant(JSONB(), "postgresql")


class UTCDateTime(TypeDecorator[datetime]):
    """A moment, always aware and in UTC, in both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments; SQLite keeps no zone, so it gets UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What SQLite gives back without a zone is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime(), dict[str, Any]: Json, list[str]: Json}  # noqa: RUF012


class OrganizationRow:
    """Mixed into every table whose rows belong to an organization: all but the organizations themselves."""

    organization_id: Mapped[str] = mapped_column(ID, ForeignKey("organizations.id", ondelete="CASCADE"))


def by_organization(table: str, column: str) -> Index:
    """An index by which some rows of an organization are found, by several values of a column.

    Every query names the organization as well, and SQLite, which has no statistics, takes any index that begins with it for a
    better one than the column's own: it would read all of the organization.
    """
    return Index(f"ix_{table}_organization_id_{column}", "organization_id", column)


class IsolationError(RuntimeError):
    """A query or a row crossed from one organization to another: a bug, stopped before it did harm."""


def organization_of(session: AsyncSession) -> str:
    """The organization the session is bound to.

    Raises:
        IsolationError: it is bound to none.
    """
    organization = session.info.get("organization")
    if not isinstance(organization, str):
        raise IsolationError("this session is bound to no organization")
    return organization


def insert_if_new(session: AsyncSession, table: type["Base"]) -> postgresql.Insert | sqlite.Insert:
    """An insert that leaves alone what is there already, as both databases write it."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


@event.listens_for(Session, "do_orm_execute")
def _only_own_rows(state: ORMExecuteState) -> None:
    """Narrow every ORM statement to the session's organization, so that no query can forget."""
    if state.is_column_load or state.is_relationship_load or state.execution_options.get("every_organization"):
        return
    if not state.is_orm_statement:
        if isinstance(state.statement, TextClause):
            return
        raise IsolationError("only a statement over mapped classes can be narrowed to an organization")
    organization = state.session.info.get("organization")
    if organization is None:
        if {mapper.class_.__name__ for mapper in state.all_mappers} == {"Organization"}:
            return
        raise IsolationError("this session is bound to no organization")
    state.statement = state.statement.options(_only_of(organization))


@lru_cache(maxsize=1_000)
def _only_of(organization: str) -> LoaderCriteriaOption:
    # Kept, since making it anew takes a fifth of the time of a small statement.
    return with_loader_criteria(OrganizationRow, lambda cls: cls.organization_id == organization, include_aliases=True)


@event.listens_for(Session, "before_flush")
def _only_own_writes(session: Session, *_: object) -> None:
    organization = session.info.get("organization")
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, OrganizationRow) and organization is not None and row.organization_id != organization:
            raise IsolationError(f"a row of {type(row).__name__} belongs to another organization")
