"""What intake asks of the store."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.base import organization_of
from services.store.contacts import Individual
from services.store.incidents import ParticipantRow
from services.store.organizations import Organization
from services.store.outbox import Errand, OutboxRow


async def next_reference(session: AsyncSession) -> int:
    """Take the organization's next incident number."""
    query = (
        update(Organization)
        .where(Organization.id == organization_of(session))
        .values(next_reference=Organization.next_reference + 1)
        .returning(Organization.next_reference)
    )
    return (await session.execute(query)).scalar_one() - 1


async def is_started(session: AsyncSession, incident: str) -> bool:
    """Whether the relay has started the incident's workflow."""
    query = select(OutboxRow.id).where(OutboxRow.subject_id == incident, OutboxRow.errand == Errand.START)
    return await session.scalar(query) is None


async def participants(session: AsyncSession, incident: str) -> Sequence[tuple[ParticipantRow, Individual]]:
    """Who is in the incident, as they came."""
    query = (
        select(ParticipantRow, Individual)
        .join(Individual, Individual.id == ParticipantRow.individual_id)
        .where(ParticipantRow.incident_id == incident, ParticipantRow.departed.is_(None))
        .order_by(ParticipantRow.engaged_at, Individual.name)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]
