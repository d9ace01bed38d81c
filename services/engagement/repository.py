"""What the engagement service asks of the store."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.store.accounts import Account
from services.store.base import organization_of
from services.store.contacts import Address, Individual, PastTerm, TermRow, is_contact, matching, matching_term, reached_at
from services.store.incidents import EvaluationRow, Incident, ParticipantRow
from services.store.organizations import Organization
from services.store.teams import OnCallService, Team, TeamMember
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Term, candidates
from workflows.domain.events import Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.rules import Target, TargetKind

_CHUNK = 2_000
"""Phrases looked up by one statement: well under both databases' limit of parameters."""

TermOwner = Individual | Team | OnCallService
OWNED_BY: Final[dict[type[TermOwner], InstrumentedAttribute[str | None]]] = {
    Individual: TermRow.individual_id,
    Team: TermRow.team_id,
    OnCallService: TermRow.service_id,
}
"""Who can have terms, and the column that says whose one is."""
_OWNERS: Final = (TargetKind.INDIVIDUAL, TargetKind.TEAM, TargetKind.ONCALL)
"""What a term's three owners are, in the order in which ``find_terms`` reads them."""


class TermInForce(NamedTuple):
    """A version of a term; ``owner`` is the individual, team or on-call service whose it is."""

    owner: str
    id: str
    version: int
    phrase: str
    normalised: str
    self_set: bool


async def find_terms(session: AsyncSession, attributes: Attributes, visibility: Visibility) -> dict[Target, list[Term]]:
    """The terms that occur in the attributes, by whose they are: looked up by index, phrase by phrase of the text.

    Only of who and what is active; in a restricted incident, terms that people set for themselves do not count.
    """
    longest = await session.scalar(select(func.max(TermRow.words))) or 0
    # Taking a long text apart is work for a processor: not on the loop that answers requests.
    occurring = iter(await asyncio.to_thread(lambda: sorted(candidates(attributes, longest))))
    found: dict[Target, list[Term]] = {}
    query = (
        select(TermRow.id, TermRow.version, TermRow.normalised, TermRow.individual_id, TermRow.team_id, TermRow.service_id)
        .outerjoin(Individual, Individual.id == TermRow.individual_id)
        .outerjoin(Team, Team.id == TermRow.team_id)
        .outerjoin(OnCallService, OnCallService.id == TermRow.service_id)
        .where(or_(and_(Individual.active, is_contact()), Team.active, OnCallService.active))
    )
    if visibility is Visibility.RESTRICTED:
        query = query.where(~TermRow.self_set)
    while chunk := list(islice(occurring, _CHUNK)):
        for term, version, normalised, *owners in await session.execute(query.where(TermRow.normalised.in_(chunk))):
            [(kind, owner)] = [(kind, each) for kind, each in zip(_OWNERS, owners, strict=True) if each is not None]
            terms = found.setdefault(Target(kind=kind, id=owner), [])
            terms.append(Term(id=term, version=version, individual=owner, normalised=normalised))
    return found


async def known_to(session: AsyncSession, incident: str) -> dict[str, frozenset[str] | None]:
    """Everyone whom a match no longer brings into an incident: who is or was in, is held back or was left out.

    Who is in, with the roles they took on, since a match can give them one more; the others with None. To an incident that is
    not there yet, nobody is known.
    """
    if (row := await session.get(Incident, incident)) is None:
        return {}
    state = IncidentState.model_validate(row.state)
    inside = {each.individual: frozenset(each.roles) for each in state.participants.values() if each.departed is None}
    return dict.fromkeys([*state.participants, *state.held]) | inside


async def storm_limit(session: AsyncSession) -> int:
    """How many people come into an incident at once without asking (E7)."""
    organization = await session.get_one(Organization, organization_of(session))
    return organization.storm_limit


async def project_of(session: AsyncSession, incident: str) -> Choice:
    """The project an incident belongs to."""
    row = await session.get_one(Incident, incident)
    return IncidentState.model_validate(row.state).project


async def some_participants(
    session: AsyncSession, incident: str, *, departed: bool, first: Collection[str], limit: int
) -> Sequence[tuple[ParticipantRow, Individual]]:
    """Some of those who are in the incident, or of those who went: whoever is in ``first``, then as they came."""
    query = (
        select(ParticipantRow, Individual)
        .join(Individual, Individual.id == ParticipantRow.individual_id)
        .where(ParticipantRow.incident_id == incident, ParticipantRow.departed.is_not(None) == departed)
        .order_by(ParticipantRow.individual_id.not_in(first), ParticipantRow.engaged_at, Individual.name, Individual.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def named_participants(
    session: AsyncSession, incident: str, after: Sequence[str] | None, limit: int, *, gone: bool, q: str = ""
) -> Sequence[tuple[ParticipantRow, Individual]]:
    """Those who are in the incident by name, from behind ``after`` (name and id); the words of ``q`` begin words of it.

    ``gone``: with those who were in it.
    """
    query = (
        select(ParticipantRow, Individual)
        .join(Individual, Individual.id == ParticipantRow.individual_id)
        .where(ParticipantRow.incident_id == incident)
        .order_by(Individual.name, Individual.id)
        .limit(limit)
    )
    if not gone:
        query = query.where(ParticipantRow.departed.is_(None))
    if q:
        query = query.where(matching(q))
    if after is not None:
        query = query.where(tuple_(Individual.name, Individual.id) > tuple(after))
    return [(row[0], row[1]) for row in await session.execute(query)]


async def count_participants(session: AsyncSession, incident: str) -> tuple[int, int, int]:
    """How many are in the incident, how many of them are mailing lists, and how many went."""
    lists = func.count().filter(Individual.kind == "list", ParticipantRow.departed.is_(None))
    query = (
        select(func.count(), lists, func.count(ParticipantRow.departed))
        .join(Individual, Individual.id == ParticipantRow.individual_id)
        .where(ParticipantRow.incident_id == incident)
    )
    everyone, lists_here, gone = (await session.execute(query)).one()
    return everyone - gone, lists_here, gone


async def present_among(session: AsyncSession, incident: str, individuals: Collection[str]) -> set[str]:
    """Who of these is in the incident."""
    query = select(ParticipantRow.individual_id).where(
        ParticipantRow.incident_id == incident,
        ParticipantRow.departed.is_(None),
        ParticipantRow.individual_id.in_(individuals),
    )
    return set(await session.scalars(query))


async def last_evaluated_seq(session: AsyncSession, incident: str) -> int:
    """Up to which event an incident's attributes were looked at for people; 0 when never."""
    query = select(func.max(EvaluationRow.attributes_seq)).where(EvaluationRow.incident_id == incident, EvaluationRow.complete)
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


async def terms_of(session: AsyncSession, owners: Iterable[str], kind: type[TermOwner] = Individual) -> dict[str, list[TermRow]]:
    """The terms of some individuals, teams or on-call services, as they were typed, in one query."""
    ids = list(owners)
    column = OWNED_BY[kind]
    found: dict[str, list[TermRow]] = {owner: [] for owner in ids}
    query = select(column, TermRow).where(column.in_(ids)).order_by(TermRow.created_at, TermRow.id)
    for owner, row in await session.execute(query):
        found[owner or ""].append(row)
    return found


async def terms_in_force(session: AsyncSession, owners: Collection[str], at: datetime) -> list[TermInForce]:
    """The terms that some individuals, teams and on-call services had at a moment, in the order in which they were set."""
    earlier = select(PastTerm).where(PastTerm.owner_id.in_(owners), PastTerm.valid_until > at)
    past = {row.term_id: row for row in await session.scalars(earlier.order_by(PastTerm.version.desc()))}
    whose = or_(*(column.in_(owners) for column in OWNED_BY.values()))
    present = select(TermRow, func.coalesce(*OWNED_BY.values())).where(whose, TermRow.created_at <= at)
    found = [
        TermInForce(owner, row.id, row.version, row.phrase, row.normalised, row.self_set)
        for row, owner in await session.execute(present.order_by(TermRow.created_at, TermRow.id))
        if row.id not in past
    ]
    return found + [
        TermInForce(row.owner_id, row.term_id, row.version, row.phrase, row.normalised, row.self_set)
        for row in past.values()
        if row.valid_from <= at
    ]


async def addresses_of(session: AsyncSession, individuals: Iterable[str]) -> dict[str, list[Address]]:
    """The further addresses of some individuals, as they were added, in one query."""
    ids = list(individuals)
    found: dict[str, list[Address]] = {individual: [] for individual in ids}
    for row in await session.scalars(select(Address).where(Address.individual_id.in_(ids)).order_by(Address.id)):
        found[row.individual_id].append(row)
    return found


async def teams_of(session: AsyncSession, individuals: Iterable[str]) -> dict[str, list[Choice]]:
    """The teams that some individuals belong to, by name, in one query."""
    ids = list(individuals)
    found: dict[str, list[Choice]] = {individual: [] for individual in ids}
    query = (
        select(TeamMember.individual_id, Team.id, Team.name)
        .join(Team, Team.id == TeamMember.team_id)
        .where(TeamMember.individual_id.in_(ids))
        .order_by(Team.name, Team.id)
    )
    for individual, team, name in await session.execute(query):
        found[individual].append(Choice(id=team, name=name))
    return found


async def email_taken(session: AsyncSession, email: str, other_than: str | None = None) -> bool:
    """Whether another individual of the organization has this address, however it is cased."""
    query = select(Individual.id).where(reached_at(email))
    if other_than is not None:
        query = query.where(Individual.id != other_than)
    return await session.scalar(query.limit(1)) is not None


async def account_of(session: AsyncSession, individual: str) -> Account | None:
    """An individual's account, if there is one."""
    return await session.scalar(select(Account).where(Account.individual_id == individual))
