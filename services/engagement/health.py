"""Whether a rule or term is right, and of any use: one definition, for what was read and for what the database is asked."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, ColumnExpressionArgument, SQLColumnExpression, and_, func, not_, or_
from sqlalchemy.orm import InstrumentedAttribute

from services.store.contacts import TermRow
from services.store.rules import RuleRow

NOISY_FROM: Final = 3
"""In how many incidents somebody must have said "not relevant" before a rule or term is called noisy,"""
NOISY_TENTHS: Final = 3
"""and in how many tenths of those it matched."""
DEAD_AFTER: Final = timedelta(days=90)
"""For how long a rule or term may match nothing before it is pointed out."""


class Health(StrEnum):
    """How a rule or term does: "noisy" brings in people who need not come, "dead" has brought in nobody for long."""

    OK = "ok"
    NOISY = "noisy"
    DEAD = "dead"


class Figures(NamedTuple):
    """In how many incidents a term matched, in how many of them somebody said "not relevant", and when it last did."""

    matches: int
    not_relevant: int
    last_match_at: datetime | None


class FigureColumns(NamedTuple):
    """What the database is asked for ``Figures``."""

    matches: SQLColumnExpression[int]
    not_relevant: SQLColumnExpression[int]
    last_match_at: SQLColumnExpression[datetime | None]


def health_of(row: RuleRow | TermRow | Figures, since: datetime | None, at: datetime) -> Health:
    """How it does at a moment; ``since`` is from when on it has been in force. What is not in force does no harm: None."""
    if since is None:
        return Health.OK
    if max(since, row.last_match_at or since) < at - DEAD_AFTER:
        return Health.DEAD
    noisy = row.not_relevant >= NOISY_FROM and row.not_relevant * 10 >= row.matches * NOISY_TENTHS
    return Health.NOISY if noisy else Health.OK


def does(
    wanted: Health,
    row: type[RuleRow | TermRow] | FigureColumns,
    since: InstrumentedAttribute[datetime],
    in_force: ColumnExpressionArgument[bool],
    at: datetime,
) -> ColumnElement[bool]:
    """The condition that ``health_of`` would say so."""
    long_ago = at - DEAD_AFTER
    dead = and_(in_force, since < long_ago, func.coalesce(row.last_match_at, since) < long_ago)
    noisy = and_(in_force, row.not_relevant >= NOISY_FROM, row.not_relevant * 10 >= row.matches * NOISY_TENTHS)
    return {Health.DEAD: dead, Health.NOISY: and_(noisy, not_(dead)), Health.OK: not_(or_(noisy, dead))}[wanted]
