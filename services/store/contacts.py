"""Individuals, their addresses, and the terms that engage them (E1)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    event,
    false,
    literal,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow, by_organization
from workflows.domain.text import normalise

_MAX_WORDS: Final = 20
"""With how many words one searches: more of them find nobody else."""


class Individual(OrganizationRow, Base):
    """A person who can be engaged, with or without an account. ``version`` counts its changes, the terms' included.

    ``kind`` is "person", "service": a program with an account, or "list": the mailing list of a team, engaged in place of its
    members. Both are named, but are no contacts: ``is_contact``.
    ``email_folded`` is the address without regard to case; ``words`` are those of the name and the address, by which people are
    searched. Both are written by themselves.
    """

    __tablename__ = "individuals"
    __table_args__ = (
        UniqueConstraint("organization_id", "email_folded"),
        Index("ix_individuals_organization_id_name_id", "organization_id", "name", "id"),
        by_organization("individuals", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), default="person")
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(320))
    email_folded: Mapped[str] = mapped_column(String(960))
    words: Mapped[str] = mapped_column(Text)
    active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


@event.listens_for(Individual, "before_insert")
@event.listens_for(Individual, "before_update")
def _fold(_mapper: object, _connection: object, row: Individual) -> None:
    row.email_folded = row.email.casefold()
    row.words = f" {normalise(row.name)} | {normalise(row.email)}"


class Address(OrganizationRow, Base):
    """A further address of an individual, who is found by it and signs in with it. Mail goes to ``Individual.email``.

    ``email_folded`` and ``words`` are as an individual's.
    """

    __tablename__ = "addresses"
    __table_args__ = (UniqueConstraint("organization_id", "email_folded"), by_organization("addresses", "individual_id"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(320))
    email_folded: Mapped[str] = mapped_column(String(960))
    words: Mapped[str] = mapped_column(Text)


@event.listens_for(Address, "before_insert")
def _fold_address(_mapper: object, _connection: object, row: Address) -> None:
    row.email_folded = row.email.casefold()
    row.words = f" {normalise(row.email)}"


def reached_at(email: str) -> ColumnElement[bool]:
    """The condition that an address is an individual's, the main one or a further one, however it is cased."""
    folded = email.casefold()
    main = select(Individual.id).where(Individual.email_folded == folded)
    further = select(Address.individual_id).where(Address.email_folded == folded)
    # At most one: SQLite finds the individual by its key then, and would read them all to find one in a list.
    return Individual.id == union_all(main, further).limit(1).scalar_subquery()


async def claim_addresses(session: AsyncSession, organization: str, emails: Iterable[str]) -> None:
    """Keep others from taking these addresses until this transaction is kept: no constraint spans both of their tables."""
    # SQLite has one writer at a time anyway.
    if session.get_bind().dialect.name == "postgresql":
        for folded in sorted({email.casefold() for email in emails}):
            statement = text("SELECT pg_advisory_xact_lock(hashtextextended(:address, 0))")
            await session.execute(statement, {"address": f"{organization} {folded}"})


def is_contact() -> ColumnElement[bool]:
    """The condition that an individual is a person, who can be listed, named, engaged and written to."""
    return Individual.kind == "person"


def called(name: str) -> ColumnElement[bool]:
    """The condition that an individual has this name, as words are compared; a name without a word is nobody's."""
    words = normalise(name)
    return Individual.words.startswith(f" {words} |") if words else false()


def matching(text: str) -> ColumnElement[bool]:
    """The condition that each word of a text begins a word of an individual's name or address; without a word, nobody matches.

    Or all of them begin words of one further address.
    An organization's individuals are looked at one by one, in the order they are asked for, until there are enough (measured with
    SQLite: 37 ms when nobody of 50,000 matches), which spares a table of everyone's every word.
    """
    elsewhere = select(Address.individual_id).where(begin_words(Address.words, text))
    return or_(begin_words(Individual.words, text), Individual.id.in_(elsewhere))


def _unique_with(owner: str) -> Index:
    """That a phrase is only once among the terms of one owner; most terms are individuals', and only the others are in these."""
    condition = text(f"{owner} IS NOT NULL")
    columns = ("organization_id", owner, "normalised")
    return Index(f"uq_terms_{owner}", *columns, unique=True, sqlite_where=condition, postgresql_where=condition)


class TermRow(OrganizationRow, Base):
    """A term or phrase of an individual, a team or an on-call service: as it was typed, and normalised for the indexed lookup.

    ``self_set``: the individual set it without being an administrator, so it opens no restricted incident. ``matches`` and
    ``not_relevant`` count as a rule's do.
    """

    __tablename__ = "terms"
    __table_args__ = (
        CheckConstraint(
            "CASE WHEN individual_id IS NULL THEN 0 ELSE 1 END + CASE WHEN team_id IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN service_id IS NULL THEN 0 ELSE 1 END = 1",
            name="ck_terms_one_owner",
        ),
        UniqueConstraint("organization_id", "individual_id", "normalised"),
        _unique_with("team_id"),
        _unique_with("service_id"),
        Index("ix_terms_organization_id_normalised", "organization_id", "normalised"),
        Index("ix_terms_organization_id_words", "organization_id", "words"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    individual_id: Mapped[str | None] = mapped_column(ID, ForeignKey("individuals.id", ondelete="CASCADE"))
    team_id: Mapped[str | None] = mapped_column(ID, ForeignKey("teams.id", ondelete="CASCADE"))
    service_id: Mapped[str | None] = mapped_column(ID, ForeignKey("oncall_services.id", ondelete="CASCADE"))
    phrase: Mapped[str] = mapped_column(String(400))
    normalised: Mapped[str] = mapped_column(String(800))
    words: Mapped[int]
    self_set: Mapped[bool]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    # The version before this one may still run, and writes neither.
    matches: Mapped[int] = mapped_column(default=0, server_default="0")
    not_relevant: Mapped[int] = mapped_column(default=0, server_default="0")
    last_match_at: Mapped[datetime | None]


class TermMatch(OrganizationRow, Base):
    """That a term occurred in an incident, once, however often that was evaluated."""

    __tablename__ = "term_matches"
    __table_args__ = (Index("ix_term_matches_incident_id", "incident_id"),)

    term_id: Mapped[str] = mapped_column(ID, ForeignKey("terms.id", ondelete="CASCADE"), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ID, ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    not_relevant: Mapped[bool] = mapped_column(default=False)


class PastTerm(OrganizationRow, Base):
    """A version of a term that is no longer in force, so that it can be told why somebody was, or was not, engaged back then.

    ``owner_id`` is the individual, team or on-call service whose it was.
    """

    __tablename__ = "past_terms"
    __table_args__ = (Index("ix_past_terms_owner_id", "owner_id"),)

    term_id: Mapped[str] = mapped_column(ID, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ID)
    phrase: Mapped[str] = mapped_column(String(400))
    normalised: Mapped[str] = mapped_column(String(800))
    self_set: Mapped[bool]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]


def matching_term(text: str) -> ColumnElement[bool]:
    """The condition that each word of a text begins a word of one term; without a word, no term matches."""
    return begin_words(literal(" ").concat(TermRow.normalised), text)


def begin_words(column: ColumnElement[str] | InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    """The condition that each word of a text begins a word in a column, which has a space before each of its words."""
    # A word has letters, marks and digits only, so nothing in it is special to LIKE.
    wanted = normalise(text).split()[:_MAX_WORDS]
    return and_(*(column.contains(f" {word}") for word in wanted)) if wanted else false()
