"""Finding incidents and people; what is not yours to see is not found."""

import re
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import BaseModel, StringConstraints
from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.auth import Actor
from services.kit.errors import Invalid, NotFound
from services.kit.ids import is_id
from services.store.contacts import Individual, called, is_contact, reached_at
from services.store.incidents import Incident, ParticipantRow
from workflows.domain.attributes import Trimmed
from workflows.domain.events import Visibility
from workflows.domain.policy import Action, IncidentObject

_REFERENCE: Final = re.compile(r"(?:INC-)?([1-9]\d{0,8})", re.IGNORECASE | re.ASCII)
_ADDRESSED: Final = re.compile(r".*<([^<>]+)>", re.DOTALL)

PersonText = Annotated[Trimmed, StringConstraints(min_length=1, max_length=600)]
"""What someone types to name a person; see ``resolve_person``."""


class Person(BaseModel):
    """A person, as incidents refer to them."""

    id: str
    name: str
    email: str

    @property
    def label(self) -> str:
        """The person as fields show and take them: told apart by the address."""
        return f"{self.name} <{self.email}>"


async def find_incident(session: AsyncSession, actor: Actor, reference: str) -> Incident:
    """The incident of this id or reference ("INC-7").

    Raises:
        NotFound: unknown, or not to be seen by this actor.
    """
    by = by_reference(reference)
    row = None if by is None else await session.scalar(select(Incident).where(by, visible_to(actor)))
    if row is None:
        raise NotFound("incident")
    return row


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """The condition under which the policy lets this actor see an incident."""
    if actor.may(Action.SEE, IncidentObject(visibility=Visibility.RESTRICTED)):
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
        NotFound: there is none in this organization, or it is a program.
    """
    query = select(Individual).where(Individual.id == individual, is_contact())
    row = await session.scalar(query) if is_id(individual) else None
    if row is None:
        raise NotFound("individual")
    return row


async def resolve_person(session: AsyncSession, field: str, text: str) -> Individual:
    """The individual whom a text names: by id, by any of their addresses (alone, or as in ``Person.label``), or by name.

    A name must be nobody else's; it is an inactive person's only while no active one has it.

    Raises:
        Invalid: ``missing``, ``unknown`` or ``ambiguous``, at this field.
    """
    wanted = text.strip()
    if not wanted:
        raise Invalid.of(field, "missing", "Name a person.")
    addressed = _ADDRESSED.fullmatch(wanted)
    address = addressed.group(1).strip() if addressed else wanted
    by = Individual.id == wanted if is_id(wanted) else reached_at(address)
    if (row := await session.scalar(select(Individual).where(by, is_contact()))) is not None:
        return row
    query = select(Individual).where(called(wanted), is_contact()).order_by(Individual.active.desc(), Individual.id).limit(3)
    found = (await session.scalars(query)).all()
    named = [row for row in found if row.active] or found
    if len(named) == 1:
        return named[0]
    if named:
        several = "Two" if len(named) == 2 else "Several"
        raise Invalid.of(field, "ambiguous", f"{several} people are called {wanted}: give the address.")
    unknown = f"has the address {address}" if "@" in address else f"is called {wanted}"
    raise Invalid.of(field, "unknown", f"Nobody here {unknown}. Look at the spelling, or add them to the contacts first.")


def by_reference(reference: str) -> ColumnElement[bool] | None:
    """The condition that an incident has this id or reference; None where none can have it."""
    if is_id(reference):
        return Incident.id == reference
    found = _REFERENCE.fullmatch(reference)
    return None if found is None else Incident.reference == int(found.group(1))
