"""Finding incidents and people; what is not yours to see is not found."""

import re
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.auth import Actor
from services.kit.errors import NotFound
from services.kit.ids import is_id
from services.store.contacts import Individual
from services.store.incidents import Incident, ParticipantRow
from workflows.domain.events import Visibility
from workflows.domain.policy import Action, Subject, allowed

_REFERENCE: Final = re.compile(r"(?:INC-)?([1-9]\d{0,8})", re.IGNORECASE | re.ASCII)


class Person(BaseModel):
    """A person, as incidents refer to them."""

    id: str
    name: str
    email: str


async def find_incident(session: AsyncSession, actor: Actor, reference: str) -> Incident:
    """The incident of this id or reference ("INC-7").

    Raises:
        NotFound: unknown, or not to be seen by this actor.
    """
    by = _by_reference(reference)
    row = None if by is None else await session.scalar(select(Incident).where(by, visible_to(actor)))
    if row is None:
        raise NotFound("incident")
    return row


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """The condition under which the policy lets this actor see an incident."""
    if allowed(Subject(role=actor.role), Action.SEE_INCIDENT, Visibility.RESTRICTED):
        return true()
    participates = exists().where(
        and_(
            ParticipantRow.incident_id == Incident.id,
            ParticipantRow.individual_id == actor.individual,
            ParticipantRow.departed.is_(None),
        )
    )
    departed = exists().where(
        and_(
            ParticipantRow.incident_id == Incident.id,
            ParticipantRow.individual_id == actor.individual,
            ParticipantRow.departed.is_not(None),
        )
    )
    # Who reported it follows its receipt, whatever its visibility (R3), until they leave or are removed.
    reported = and_(Incident.reporter_id == actor.individual, not_(departed))
    return or_(Incident.visibility == Visibility.PUBLIC, reported, participates)


async def people(session: AsyncSession, ids: Iterable[str | None]) -> dict[str, Person]:
    """The people of these ids, in one query."""
    wanted = {person for person in ids if person is not None}
    if not wanted:
        return {}
    rows = await session.scalars(select(Individual).where(Individual.id.in_(wanted)))
    return {row.id: Person(id=row.id, name=row.name, email=row.email) for row in rows}


async def find_individual(session: AsyncSession, individual: str) -> Individual:
    """The individual of this id.

    Raises:
        NotFound: there is none in this organization.
    """
    row = await session.scalar(select(Individual).where(Individual.id == individual)) if is_id(individual) else None
    if row is None:
        raise NotFound("individual")
    return row


def _by_reference(reference: str) -> ColumnElement[bool] | None:
    if is_id(reference):
        return Incident.id == reference
    found = _REFERENCE.fullmatch(reference)
    return None if found is None else Incident.reference == int(found.group(1))
