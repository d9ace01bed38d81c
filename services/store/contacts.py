"""Individuals and the terms that engage them (E1)."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, and_, event, false, literal
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from services.store.base import ID, Base, OrganizationRow
from workflows.domain.text import normalise

_MAX_WORDS: Final = 20
"""With how many words one searches: more of them find nobody else."""


class Individual(OrganizationRow, Base):
    """A person who can be engaged, with or without an account. ``version`` counts its changes, the terms' included.

    ``kind`` is "person", or "service": a program with an account. It acts and is named, but is no contact: ``is_contact``.
    ``email_folded`` is the address without regard to case; ``words`` are those of the name and the address, by which people are
    searched. Both are written by themselves.
    """

    __tablename__ = "individuals"
    __table_args__ = (
        UniqueConstraint("organization_id", "email_folded"),
        Index("ix_individuals_organization_id_name_id", "organization_id", "name", "id"),
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


def is_contact() -> ColumnElement[bool]:
    """The condition that an individual is somebody who can be listed, named, engaged and written to: not a program."""
    return Individual.kind == "person"


def called(name: str) -> ColumnElement[bool]:
    """The condition that an individual has this name, as words are compared; a name without a word is nobody's."""
    words = normalise(name)
    return Individual.words.startswith(f" {words} |") if words else false()


def matching(text: str) -> ColumnElement[bool]:
    """The condition that each word of a text begins a word of an individual's name or address; without a word, nobody matches.

    An organization's individuals are looked at one by one, in the order they are asked for, until there are enough (measured with
    SQLite: 37 ms when nobody of 50,000 matches), which spares a table of everyone's every word.
    """
    return _begin_words(Individual.words, text)


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


def matching_term(text: str) -> ColumnElement[bool]:
    """The condition that each word of a text begins a word of one term; without a word, no term matches."""
    return _begin_words(literal(" ").concat(TermRow.normalised), text)


def _begin_words(column: ColumnElement[str] | InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    # A word has letters, marks and digits only, so nothing in it is special to LIKE.
    wanted = normalise(text).split()[:_MAX_WORDS]
    return and_(*(column.contains(f" {word}") for word in wanted)) if wanted else false()
