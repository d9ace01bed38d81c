"""What the lifecycle service asks of the store."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import visible_to
from services.kit.auth import Actor
from services.kit.ids import is_id
from services.lifecycle.schemas import ListQuery
from services.store.contacts import Individual, reached_at
from services.store.conversation import Message
from services.store.deliveries import Delivery
from services.store.incidents import EventRow, Incident, ParticipantRow
from services.store.organizations import Project, Setting
from services.store.subscriptions import Subscription

_EVERY = {"every_organization": True}


async def list_incidents(
    session: AsyncSession,
    actor: Actor,
    query: ListQuery,
    oldest_first: bool,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Incident]:
    """Incidents the actor may see, by when they were reported."""
    key = tuple_(Incident.reported_at, Incident.id)
    statement = select(Incident).where(visible_to(actor), *_conditions(actor, query)).limit(limit)
    if oldest_first:
        statement = statement.order_by(Incident.reported_at, Incident.id)
    else:
        statement = statement.order_by(Incident.reported_at.desc(), Incident.id.desc())
    if after is not None:
        statement = statement.where(key > after if oldest_first else key < after)
    return (await session.scalars(statement)).all()


async def incidents(session: AsyncSession, actor: Actor, ids: Collection[str]) -> Sequence[Incident]:
    """Those of these incidents that the actor may see."""
    return (await session.scalars(select(Incident).where(Incident.id.in_(ids), visible_to(actor)))).all() if ids else []


async def count_incidents(session: AsyncSession, actor: Actor, query: ListQuery) -> int:
    """How many incidents the actor may see."""
    statement = select(func.count()).select_from(Incident).where(visible_to(actor), *_conditions(actor, query))
    return await session.scalar(statement) or 0


def _conditions(actor: Actor, query: ListQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.ongoing is not None:
        found.append(Incident.is_open.is_(query.ongoing))
    if query.status:
        found.append(Incident.status_id == query.status)
    if query.category:
        found.append(Incident.category == query.category)
    columns = {"severity": Incident.severity_id, "type": Incident.type_id, "priority": Incident.priority_id}
    for name, column in columns.items():
        if wanted := getattr(query, name):
            entries = select(Setting.id).where(
                Setting.list == name, or_(Setting.id == wanted, func.lower(Setting.name) == wanted.lower())
            )
            found.append(column.in_(entries))
    if query.project:
        projects = select(Project.id).where(or_(Project.id == query.project, func.lower(Project.name) == query.project.lower()))
        found.append(Incident.project_id.in_(projects))
    if query.commander:
        by = Individual.id == query.commander if is_id(query.commander) else reached_at(query.commander)
        found.append(Incident.commander_id.in_(select(Individual.id).where(by)))
    if query.mode:
        found.append(Incident.mode == query.mode)
    if query.participant:
        mine = select(ParticipantRow.incident_id).where(ParticipantRow.individual_id == actor.individual)
        found.append(Incident.id.in_(mine.where(ParticipantRow.departed.is_(None))))
    if query.subscribed:
        mine = select(Subscription.incident_id).where(Subscription.individual_id == actor.individual)
        found.append(Incident.id.in_(mine))
    if query.q:
        found.append(_containing(query.q))
    return found


def _containing(text: str) -> ColumnElement[bool]:
    condition = or_(Incident.title.icontains(text, autoescape=True), Incident.description.icontains(text, autoescape=True))
    number = text.strip().upper().removeprefix("INC-")
    if number.isascii() and number.isdigit() and len(number) < 10:
        condition = or_(condition, Incident.reference == int(number))
    return condition


async def event_kinds(session: AsyncSession, incident: str, after: int) -> list[tuple[int, str]]:
    """The sequence number and kind of an incident's events after one of them."""
    query = select(EventRow.seq, EventRow.kind).where(EventRow.incident_id == incident, EventRow.seq > after)
    return [(row[0], row[1]) for row in await session.execute(query.order_by(EventRow.seq), execution_options=_EVERY)]


async def marks(session: AsyncSession, incidents: Sequence[str]) -> dict[str, tuple[int, str, str]]:
    """How far each incident is: its last event, its last message, and when a delivery last changed. Three queries for all."""
    seqs = await session.execute(select(Incident.id, Incident.seq).where(Incident.id.in_(incidents)), execution_options=_EVERY)
    messages = await session.execute(
        select(Message.incident_id, func.max(Message.id)).where(Message.incident_id.in_(incidents)).group_by(Message.incident_id),
        execution_options=_EVERY,
    )
    deliveries = await session.execute(
        select(Delivery.incident_id, func.max(Delivery.updated_at))
        .where(Delivery.incident_id.in_(incidents))
        .group_by(Delivery.incident_id),
        execution_options=_EVERY,
    )
    last_message = {row[0]: row[1] for row in messages}
    last_delivery = {row[0]: str(row[1]) for row in deliveries}
    return {row[0]: (row[1], last_message.get(row[0], ""), last_delivery.get(row[0], "")) for row in seqs}


async def is_list(session: AsyncSession, individual: str) -> bool:
    """Whether this is the mailing list of a team."""
    return await session.scalar(select(Individual.kind).where(Individual.id == individual)) == "list"


async def last_event_at(session: AsyncSession) -> str | None:
    """When anything last happened to any incident."""
    return await session.scalar(select(func.max(EventRow.at)), execution_options=_EVERY)


async def changed_since(session: AsyncSession, at: str) -> Sequence[Incident]:
    """Incidents with an event since a moment; also those that ended by it, which their workflows may not know yet."""
    recent = select(EventRow.incident_id).where(EventRow.at >= at)
    query = select(Incident).where(Incident.id.in_(recent))
    return (await session.scalars(query, execution_options=_EVERY)).all()


async def open_incidents(session: AsyncSession) -> Sequence[Incident]:
    """Every open incident of every organization."""
    return (await session.scalars(select(Incident).where(Incident.is_open), execution_options=_EVERY)).all()


async def waiting_letters(session: AsyncSession) -> Sequence[Delivery]:
    """Every letter of every organization that is still to be sent."""
    query = select(Delivery).where(Delivery.incident_id.is_(None), Delivery.state == "pending")
    return (await session.scalars(query, execution_options=_EVERY)).all()
