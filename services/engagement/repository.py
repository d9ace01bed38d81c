"""What the engagement service asks of the store."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.accounts import Account
from services.store.contacts import Individual, TermRow, is_contact, matching, matching_term
from services.store.incidents import EvaluationRow, ParticipantRow
from workflows.domain.attributes import Attributes
from workflows.domain.engagement import Term, candidates
from workflows.domain.events import Visibility

_CHUNK = 2_000
"""Phrases looked up by one statement: well under both databases' limit of parameters."""


async def find_terms(session: AsyncSession, attributes: Attributes, visibility: Visibility, after: str = "") -> list[Term]:
    """The terms of active people that occur in the attributes: looked up by index, phrase by phrase of the text.

    Only of people behind ``after`` (an id); in a restricted incident, terms that people set for themselves do not count.
    """
    longest = await session.scalar(select(func.max(TermRow.words))) or 0
    # Taking a long text apart is work for a processor: not on the loop that answers requests.
    occurring = iter(sorted(await asyncio.to_thread(candidates, attributes, longest)))
    terms: list[Term] = []
    query = (
        select(TermRow.id, TermRow.version, TermRow.individual_id, TermRow.normalised)
        .join(Individual, Individual.id == TermRow.individual_id)
        .where(TermRow.individual_id > after, Individual.active, is_contact())
    )
    if visibility is Visibility.RESTRICTED:
        query = query.where(~TermRow.self_set)
    while chunk := list(islice(occurring, _CHUNK)):
        rows = await session.execute(query.where(TermRow.normalised.in_(chunk)))
        terms += [Term(id=row[0], version=row[1], individual=row[2], normalised=row[3]) for row in rows]
    return terms


async def participant_ids(session: AsyncSession, incident: str) -> set[str]:
    """Everyone who is or was in the incident."""
    query = select(ParticipantRow.individual_id).where(ParticipantRow.incident_id == incident)
    return set(await session.scalars(query))


async def participants(session: AsyncSession, incident: str) -> Sequence[tuple[ParticipantRow, Individual]]:
    """Everyone who is or was in the incident, as they came."""
    query = (
        select(ParticipantRow, Individual)
        .join(Individual, Individual.id == ParticipantRow.individual_id)
        .where(ParticipantRow.incident_id == incident)
        .order_by(ParticipantRow.engaged_at, Individual.name, Individual.id)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def last_evaluated_seq(session: AsyncSession, incident: str) -> int:
    """Up to which event an incident's attributes were looked at for people; 0 when never."""
    query = select(func.max(EvaluationRow.attributes_seq)).where(EvaluationRow.incident_id == incident)
    return await session.scalar(query) or 0


async def list_individuals(
    session: AsyncSession, q: str | None, after: tuple[str, str] | None, limit: int
) -> Sequence[Individual]:
    """Individuals by name, from behind ``after`` (name and id).

    The words of ``q`` begin words of the name and the address, or of one term.
    """
    query = select(Individual).where(is_contact()).order_by(Individual.name, Individual.id).limit(limit)
    if q:
        having = select(TermRow.individual_id).where(matching_term(q))
        query = query.where(or_(matching(q), Individual.id.in_(having)))
    if after is not None:
        query = query.where(tuple_(Individual.name, Individual.id) > after)
    return (await session.scalars(query)).all()


async def suggested_individuals(session: AsyncSession, text: str, limit: int) -> Sequence[Individual]:
    """Individuals who can be engaged and match what is typed, by name."""
    query = select(Individual).where(Individual.active, is_contact(), matching(text)).order_by(Individual.name, Individual.id)
    return (await session.scalars(query.limit(limit))).all()


async def terms_of(session: AsyncSession, individuals: Iterable[str]) -> dict[str, list[TermRow]]:
    """The terms of some individuals, as they were typed, in one query."""
    ids = list(individuals)
    found: dict[str, list[TermRow]] = {individual: [] for individual in ids}
    query = select(TermRow).where(TermRow.individual_id.in_(ids)).order_by(TermRow.created_at, TermRow.id)
    for row in await session.scalars(query):
        found[row.individual_id].append(row)
    return found


async def email_taken(session: AsyncSession, email: str, other_than: str | None = None) -> bool:
    """Whether another individual of the organization has this address, however it is cased."""
    query = select(Individual.id).where(Individual.email_folded == email.casefold())
    if other_than is not None:
        query = query.where(Individual.id != other_than)
    return await session.scalar(query.limit(1)) is not None


async def account_of(session: AsyncSession, individual: str) -> Account | None:
    """An individual's account, if there is one."""
    return await session.scalar(select(Account).where(Account.individual_id == individual))
