"""How often rules and terms matched, and were right, counted once an incident (E3, E8).

What is written grows with what matched. Rows are locked in one order, rules before terms, so that two incidents that match the
same wait for each other, and never each for the other.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.store.base import insert_if_new, organization_of
from services.store.contacts import TermMatch, TermRow
from services.store.rules import RuleMatch, RuleRow

_CHUNK: Final = 2_000
"""Rows written by one statement: well under both databases' limit of parameters."""
_PLAIN: Final = {"synchronize_session": False}
"""What is counted is not looked at again in the same session."""


class Causes(NamedTuple):
    """The rules and terms that match an incident, or that engaged somebody, by id."""

    rules: Collection[str]
    terms: Collection[str]


class _Counter(NamedTuple):
    """What is counted, and where its matches are kept."""

    row: type[RuleRow | TermRow]
    match: type[RuleMatch | TermMatch]


_RULES: Final = _Counter(RuleRow, RuleMatch)
_TERMS: Final = _Counter(TermRow, TermMatch)
_OF: Final[dict[type[RuleMatch | TermMatch], InstrumentedAttribute[str]]] = {
    RuleMatch: RuleMatch.rule_id,
    TermMatch: TermMatch.term_id,
}
"""The column that says whose a match is."""


async def note_matches(session: AsyncSession, incident: str, causes: Causes, at: datetime) -> None:
    """Count that these match an incident: once each, however often that is noted. What is no more counts for nothing."""
    for counter, chunk in _chunks(causes):
        await _note(session, counter, incident, chunk, at)


async def note_not_relevant(session: AsyncSession, incident: str, causes: Causes, at: datetime) -> None:
    """Count that somebody whom these engaged said that the incident is not relevant to them: one such person is enough."""
    for counter, chunk in _chunks(causes):
        # A crowd is engaged page by page, and may answer before the evaluation has come to its end.
        await _note(session, counter, incident, chunk, at)
        of = _OF[counter.match]
        said = update(counter.match).where(counter.match.incident_id == incident, of.in_(chunk), ~counter.match.not_relevant)
        new = (await session.scalars(said.values(not_relevant=True).returning(of), execution_options=_PLAIN)).all()
        counted = update(counter.row).where(counter.row.id.in_(await _lock(session, counter, new)))
        await session.execute(counted.values(not_relevant=counter.row.not_relevant + 1), execution_options=_PLAIN)


async def _note(session: AsyncSession, counter: _Counter, incident: str, ids: Collection[str], at: datetime) -> None:
    of = _OF[counter.match]
    known = select(of).where(counter.match.incident_id == incident, of.in_(ids))
    unknown = set(ids).difference(await session.scalars(known))
    belongs = {"organization_id": organization_of(session), "incident_id": incident, "at": at, "not_relevant": False}
    rows = [{of.key: each, **belongs} for each in await _lock(session, counter, unknown)]
    if not rows:
        return
    # Another evaluation may have been first.
    new = (await session.scalars(insert_if_new(session, counter.match).returning(of), rows)).all()
    counted = update(counter.row).where(counter.row.id.in_(new))
    await session.execute(counted.values(matches=counter.row.matches + 1, last_match_at=at), execution_options=_PLAIN)


async def _lock(session: AsyncSession, counter: _Counter, ids: Iterable[str]) -> list[str]:
    """Those of these that are still there, kept from being deleted until this transaction ends."""
    query = select(counter.row.id).where(counter.row.id.in_(sorted(ids))).order_by(counter.row.id)
    # Not kept from being referred to as well: matches refer to them, and two who write some would wait for each other.
    return list(await session.scalars(query.with_for_update(key_share=True)))


def _chunks(causes: Causes) -> Iterator[tuple[_Counter, list[str]]]:
    for counter, ids in ((_RULES, causes.rules), (_TERMS, causes.terms)):
        rest = iter(sorted(set(ids)))
        while chunk := list(islice(rest, _CHUNK)):
            yield counter, chunk
