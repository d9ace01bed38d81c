"""What the notify service asks of the store."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.desk.lookup import visible_to
from services.kit.auth import Actor
from services.kit.clock import now
from services.notify.schemas import DeliveryQuery
from services.store.contacts import Individual
from services.store.deliveries import Delivery, InboxMessage
from services.store.incidents import Incident, ParticipantRow
from services.store.organizations import Organization
from workflows.domain.policy import Action, Subject, allowed


class Due(NamedTuple):
    """A delivery, with what has to be known to make it."""

    delivery: Delivery
    organization: Organization
    incident: Incident
    participant: ParticipantRow | None
    recipient: Individual
    reporter: Individual
    commander: Individual | None


_REPORTER, _COMMANDER = aliased(Individual), aliased(Individual)
_DUE = (
    select(Delivery, Organization, Incident, ParticipantRow, Individual, _REPORTER, _COMMANDER)
    .join(Organization, Organization.id == Delivery.organization_id)
    .join(Incident, Incident.id == Delivery.incident_id)
    .join(Individual, Individual.id == Delivery.recipient_id)
    .join(_REPORTER, _REPORTER.id == Incident.reporter_id)
    .outerjoin(_COMMANDER, _COMMANDER.id == Incident.commander_id)
    .outerjoin(
        ParticipantRow,
        and_(ParticipantRow.incident_id == Delivery.incident_id, ParticipantRow.individual_id == Delivery.recipient_id),
    )
    .with_for_update(of=Delivery)
)


async def intend(session: AsyncSession, intents: Sequence[dict[str, Any]]) -> None:
    """Write intents; one that is there already stays as it is."""
    if not intents:
        return
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    # One row a parameter set: a statement that holds all the rows would be compiled anew for each number of them.
    await session.execute(insert(Delivery).on_conflict_do_nothing(), list(intents))


async def unfold(session: AsyncSession, incident: str, kind: str, cause: str, recipients: Sequence[str]) -> None:
    """What was folded is wanted again: its recipients came back, or the incident did."""
    statement = update(Delivery).where(
        Delivery.incident_id == incident,
        Delivery.kind == kind,
        Delivery.cause == cause,
        Delivery.recipient_id.in_(recipients),
        Delivery.state == "folded",
    )
    await session.execute(statement.values(state="pending", reason=None, updated_at=now()))


async def pending(session: AsyncSession, incident: str, kind: str, cause: str, recipients: Sequence[str]) -> list[str]:
    """The deliveries of a notice that are still to be made, in a fixed order."""
    query = select(Delivery.id).where(
        Delivery.incident_id == incident,
        Delivery.kind == kind,
        Delivery.cause == cause,
        Delivery.recipient_id.in_(recipients),
        Delivery.state == "pending",
    )
    return list(await session.scalars(query.order_by(Delivery.id)))


async def individuals(session: AsyncSession, ids: Sequence[str]) -> Sequence[Individual]:
    """The individuals of these ids."""
    return (await session.scalars(select(Individual).where(Individual.id.in_(ids)))).all()


async def list_deliveries(
    session: AsyncSession, actor: Actor, query: DeliveryQuery, incident: str | None, after: str | None, limit: int
) -> Sequence[tuple[Delivery, Individual, Incident, str | None]]:
    """Deliveries of incidents the actor may see, the latest first; with the id of the inbox message, if it went there."""
    statement = (
        select(Delivery, Individual, Incident, InboxMessage.id)
        .join(Individual, Individual.id == Delivery.recipient_id)
        .join(Incident, Incident.id == Delivery.incident_id)
        .outerjoin(InboxMessage, InboxMessage.delivery_id == Delivery.id)
        .where(visible_to(actor))
        .order_by(Delivery.id.desc())
        .limit(limit)
    )
    if incident is not None:
        statement = statement.where(Delivery.incident_id == incident)
    for column, wanted in (
        (Delivery.recipient_id, query.recipient),
        (Delivery.state, query.state),
        (Delivery.channel, query.channel),
        (Delivery.kind, query.kind),
    ):
        if wanted:
            statement = statement.where(column == wanted)
    if query.q:
        words = query.q
        statement = statement.where(
            or_(Individual.name.icontains(words, autoescape=True), Delivery.address.icontains(words, autoescape=True))
        )
    if after is not None:
        statement = statement.where(Delivery.id < after)
    return [(row[0], row[1], row[2], row[3]) for row in await session.execute(statement)]


async def find_delivery(session: AsyncSession, actor: Actor, delivery: str) -> Delivery | None:
    """A delivery of an incident the actor may see."""
    query = select(Delivery).join(Incident, Incident.id == Delivery.incident_id)
    return await session.scalar(query.where(Delivery.id == delivery, visible_to(actor)))


async def list_inbox(
    session: AsyncSession, actor: Actor, recipient: str | None, after: str | None, limit: int
) -> Sequence[tuple[InboxMessage, Individual, Incident]]:
    """Messages of the built-in inbox, the latest first: one's own, and everyone's to administrators."""
    statement = _inbox(actor).order_by(InboxMessage.id.desc()).limit(limit)
    if recipient is not None:
        statement = statement.where(InboxMessage.recipient_id == recipient)
    if after is not None:
        statement = statement.where(InboxMessage.id < after)
    return [(row[0], row[1], row[2]) for row in await session.execute(statement)]


async def inbox_recipients(session: AsyncSession, actor: Actor) -> Sequence[Individual]:
    """Those whose messages the actor may read, by name."""
    having = _inbox(actor).with_only_columns(InboxMessage.recipient_id)
    return (await session.scalars(select(Individual).where(Individual.id.in_(having)).order_by(Individual.name))).all()


async def find_message(session: AsyncSession, actor: Actor, message: str) -> tuple[InboxMessage, Individual, Incident] | None:
    """One message of the built-in inbox, if the actor may read it."""
    row = (await session.execute(_inbox(actor).where(InboxMessage.id == message))).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def trouble(session: AsyncSession, incident: str) -> Sequence[Delivery]:
    """The deliveries of an incident that failed, or were tried and did not go out yet."""
    waiting = and_(Delivery.state == "pending", Delivery.reason.is_not(None))
    query = select(Delivery).where(Delivery.incident_id == incident, or_(Delivery.state == "failed", waiting))
    return (await session.scalars(query.order_by(Delivery.updated_at))).all()


async def due(session: AsyncSession, delivery: str) -> Due:
    """A delivery and what it is about. It stays locked until the transaction ends: only one try at a time."""
    row = (await session.execute(_DUE.where(Delivery.id == delivery))).one()
    return Due(*row)


def _inbox(actor: Actor) -> Select[InboxMessage, Individual, Incident]:
    query = (
        select(InboxMessage, Individual, Incident)
        .join(Individual, Individual.id == InboxMessage.recipient_id)
        .join(Incident, Incident.id == InboxMessage.incident_id)
    )
    if allowed(Subject(role=actor.role), Action.SEE_OTHERS_MESSAGES):
        return query
    return query.where(InboxMessage.recipient_id == actor.individual)
