"""What the notify service asks of the store."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, defer

from services.desk.lookup import visible_to
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.preferences import Preferences
from services.notify.schemas import DeliveryQuery
from services.store.accounts import Account, Credential
from services.store.audit import AuditRow
from services.store.contacts import Individual, is_contact
from services.store.deliveries import Delivery, InboxMessage
from services.store.incidents import Incident, ParticipantRow
from services.store.organizations import Organization
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Action, IncidentObject, MessageObject, Role, Scope, Subject, decide, grants

MAX_ANSWERING: Final = 10
"""How many people are asked in place of a program."""


class Entry(NamedTuple):
    """A line of the ledger, with the id of the inbox message that it led to, if it did."""

    delivery: Delivery
    recipient: Individual
    incident: Incident | None
    message: str | None


class Kept(NamedTuple):
    """A message of the built-in inbox."""

    message: InboxMessage
    recipient: Individual
    incident: Incident | None


class AboutIncident(NamedTuple):
    """What has to be known to write a notice about an incident: of its state only parts, none of which grows with the people."""

    organization: Organization
    incident: Incident
    participant: ParticipantRow | None
    recipient: Individual
    reporter: Individual
    commander: Individual | None
    attributes: dict[str, Any]
    project: dict[str, Any]
    lifecycle: dict[str, Any]
    resources: dict[str, Any]


class AboutAccount(NamedTuple):
    """What has to be known to write a letter."""

    organization: Organization
    recipient: Individual
    account: Account | None


_IN_SHORT: Final = defer(Incident.state, raiseload=True)
"""The state of an incident with a thousand people would be read for each line of a list, and for each of a thousand notices."""
_REPORTER, _COMMANDER = aliased(Individual), aliased(Individual)
_PARTS = [Incident.state[name] for name in ("attributes", "project", "lifecycle", "resources")]
_ABOUT_INCIDENT = (
    select(Organization, Incident, ParticipantRow, Individual, _REPORTER, _COMMANDER, *_PARTS)
    .options(_IN_SHORT)
    .select_from(Delivery)
    .join(Organization, Organization.id == Delivery.organization_id)
    .join(Incident, Incident.id == Delivery.incident_id)
    .join(Individual, Individual.id == Delivery.recipient_id)
    .join(_REPORTER, _REPORTER.id == Incident.reporter_id)
    .outerjoin(_COMMANDER, _COMMANDER.id == Incident.commander_id)
    .outerjoin(
        ParticipantRow,
        and_(ParticipantRow.incident_id == Delivery.incident_id, ParticipantRow.individual_id == Delivery.recipient_id),
    )
)
_ABOUT_ACCOUNT = (
    select(Organization, Individual, Account)
    .select_from(Delivery)
    .join(Organization, Organization.id == Delivery.organization_id)
    .join(Individual, Individual.id == Delivery.recipient_id)
    .outerjoin(Account, Account.individual_id == Delivery.recipient_id)
)


async def unfold(session: AsyncSession, incident: str | None, kind: str, cause: str, recipients: Sequence[str]) -> None:
    """What was folded is wanted again: its recipients came back, or the incident did."""
    statement = update(Delivery).where(
        Delivery.incident_id == incident,
        Delivery.kind == kind,
        Delivery.cause == cause,
        Delivery.recipient_id.in_(recipients),
        Delivery.state == "folded",
    )
    await session.execute(statement.values(state="pending", reason=None, updated_at=now()))


async def pending(session: AsyncSession, incident: str | None, kind: str, cause: str, recipients: Sequence[str]) -> list[str]:
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
    """The individuals of these ids who can be written to: a program has no address."""
    return (await session.scalars(select(Individual).where(Individual.id.in_(ids), Individual.kind != "service"))).all()


async def answering(session: AsyncSession, incident: str) -> list[Individual]:
    """Those who are asked whether a crowd comes in, if a program commands: whom the policy lets answer, the owners first (E7)."""
    state = await state_of(session, incident)
    target = IncidentObject(visibility=state.visibility, mode=state.mode)
    roles = [role for role in Role if decide(Subject(role=role), Action.ANSWER_ENGAGEMENT, target).allowed]
    query = (
        select(Individual)
        .join(Account, Account.individual_id == Individual.id)
        .where(Individual.active, is_contact(), Account.active, Account.role.in_(roles))
        .order_by(Account.role != Role.OWNER, Account.id)
    )
    return list(await session.scalars(query.limit(MAX_ANSWERING)))


async def list_deliveries(
    session: AsyncSession, actor: Actor, query: DeliveryQuery, incident: str | None, after: str | None, limit: int
) -> Sequence[Entry]:
    """The deliveries the actor may see, the latest first."""
    statement = _ledger(actor).options(_IN_SHORT).order_by(Delivery.id.desc()).limit(limit)
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
    return [Entry(*row) for row in await session.execute(statement)]


async def find_delivery(session: AsyncSession, actor: Actor, delivery: str) -> Entry | None:
    """One delivery, if the actor may see it."""
    row = (await session.execute(_ledger(actor).where(Delivery.id == delivery))).one_or_none()
    return None if row is None else Entry(*row)


async def list_inbox(session: AsyncSession, actor: Actor, recipient: str | None, after: str | None, limit: int) -> Sequence[Kept]:
    """The messages of the built-in inbox that the actor may read, the latest first."""
    statement = _inbox(actor).options(_IN_SHORT).order_by(InboxMessage.id.desc()).limit(limit)
    if recipient is not None:
        statement = statement.where(InboxMessage.recipient_id == recipient)
    if after is not None:
        statement = statement.where(InboxMessage.id < after)
    return [Kept(*row) for row in await session.execute(statement)]


async def inbox_recipients(session: AsyncSession, actor: Actor) -> Sequence[Individual]:
    """Those whose messages the actor may read, by name."""
    having = _inbox(actor).with_only_columns(InboxMessage.recipient_id)
    return (await session.scalars(select(Individual).where(Individual.id.in_(having)).order_by(Individual.name))).all()


async def find_message(session: AsyncSession, actor: Actor, message: str) -> Kept | None:
    """One message of the built-in inbox, if the actor may read it."""
    row = (await session.execute(_inbox(actor).where(InboxMessage.id == message))).one_or_none()
    return None if row is None else Kept(*row)


async def trouble(session: AsyncSession, incident: str) -> Sequence[Delivery]:
    """The deliveries of an incident that failed, or were tried and did not go out yet."""
    waiting = and_(Delivery.state == "pending", Delivery.reason.is_not(None))
    query = select(Delivery).where(Delivery.incident_id == incident, or_(Delivery.state == "failed", waiting))
    return (await session.scalars(query.order_by(Delivery.updated_at))).all()


async def about_incident(session: AsyncSession, delivery: str) -> AboutIncident:
    """What a notice about an incident is written from."""
    return AboutIncident(*(await session.execute(_ABOUT_INCIDENT.where(Delivery.id == delivery))).one())


async def state_of(session: AsyncSession, incident: str) -> IncidentState:
    """All of an incident's state, however many people are in it."""
    return IncidentState.model_validate((await session.scalars(select(Incident.state).where(Incident.id == incident))).one())


async def about_account(session: AsyncSession, delivery: str) -> AboutAccount:
    """What a letter is written from. Its recipient stays locked until the transaction ends, so that only one link holds."""
    query = _ABOUT_ACCOUNT.where(Delivery.id == delivery).with_for_update(of=Individual, key_share=True)
    return AboutAccount(*(await session.execute(query)).one())


async def time_zone(session: AsyncSession, individual: str) -> str:
    """The time zone somebody set for themselves; UTC without one, or without an account."""
    preferences = await session.scalar(select(Account.preferences).where(Account.individual_id == individual))
    return Preferences.model_validate(preferences or {}).time_zone or "UTC"


async def inviter(session: AsyncSession, account: str) -> str | None:
    """Who invited this account last, by the name they had then; None if nobody who can be told did."""
    query = select(AuditRow.who).where(
        AuditRow.action == "member.invited", AuditRow.object_id == account, AuditRow.account_id.is_not(None)
    )
    return await session.scalar(query.order_by(AuditRow.id.desc()).limit(1))


async def is_superseded(session: AsyncSession, letter: Delivery) -> bool:
    """Whether its recipient gets a later letter of this kind, so that the link in this one would not hold for long."""
    query = select(Delivery.id).where(
        Delivery.incident_id.is_(None),
        Delivery.kind == letter.kind,
        Delivery.recipient_id == letter.recipient_id,
        Delivery.id > letter.id,
        Delivery.state.in_(("pending", "sent")),
    )
    return await session.scalar(query.limit(1)) is not None


async def forget_credentials(session: AsyncSession, account: str, kind: str) -> None:
    """Delete the account's credentials of this kind: their secrets no longer hold."""
    await session.execute(delete(Credential).where(Credential.account_id == account, Credential.kind == kind))


def _ledger(actor: Actor) -> Select[Delivery, Individual, Incident | None, str | None]:
    """Deliveries of incidents the actor may see; and letters, where the policy lets the actor read what opens no account."""
    letter: ColumnElement[bool] = Delivery.incident_id.is_(None)
    if not actor.may(Action.READ_MESSAGE, MessageObject()):
        letter = and_(letter, Delivery.recipient_id == actor.individual)
    return (
        select(Delivery, Individual, Incident, InboxMessage.id)
        .join(Individual, Individual.id == Delivery.recipient_id)
        .outerjoin(Incident, Incident.id == Delivery.incident_id)
        .outerjoin(Account, Account.individual_id == Delivery.recipient_id)
        .outerjoin(InboxMessage, and_(InboxMessage.delivery_id == Delivery.id, _readable(actor)))
        .where(or_(letter, and_(Delivery.incident_id.is_not(None), visible_to(actor))))
    )


def _inbox(actor: Actor) -> Select[InboxMessage, Individual, Incident | None]:
    return (
        select(InboxMessage, Individual, Incident)
        .join(Individual, Individual.id == InboxMessage.recipient_id)
        .outerjoin(Incident, Incident.id == InboxMessage.incident_id)
        .outerjoin(Account, Account.individual_id == InboxMessage.recipient_id)
        .where(_readable(actor))
    )


def _readable(actor: Actor) -> ColumnElement[bool]:
    """The condition under which the policy lets this actor read a message to an individual with this ``Account``, if any.

    A letter's link is as good as its recipient's password, so a token that is only to read never gets it.
    """
    letter = InboxMessage.incident_id.is_(None)
    readable: ColumnElement[bool] = InboxMessage.recipient_id == actor.individual
    if actor.may(Action.READ_MESSAGE, MessageObject()):
        readable = or_(readable, not_(letter))
    if opened := [role for role in Role if actor.may(Action.READ_MESSAGE, MessageObject(opens=role))]:
        readable = or_(readable, and_(letter, Account.role.in_(opened)))
    return readable if grants(actor.scopes, Scope.ADMIN).allowed else and_(readable, not_(letter))
