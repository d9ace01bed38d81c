"""The ledger and the inbox, for people."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import permission
from services.desk.lookup import Person, find_incident
from services.desk.notices import notice_of
from services.kit.auth import Actor
from services.kit.errors import Conflict, NotFound, Unavailable
from services.kit.ids import is_id
from services.kit.paging import Page, cut, decode_after
from services.notify import repository
from services.notify.repository import Entry, Kept
from services.notify.schemas import DeliveryQuery, DeliveryView, InboxMessageView, RecipientView
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from workflows import gateway
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Action


class NotifyService:
    """Shows what was sent to whom, and tries again what failed."""

    def __init__(self, incidents: gateway.IncidentGateway) -> None:
        self._incidents = incidents

    async def deliveries(
        self, session: AsyncSession, actor: Actor, query: DeliveryQuery, after: str | None = None, page_size: int = 25
    ) -> Page[DeliveryView]:
        """A page of the ledger, the latest first.

        Raises:
            BadRequest: ``unknown_after``. NotFound: no such incident for this actor.
        """
        incident = None
        if query.incident:
            incident = (await find_incident(session, actor, query.incident)).id
        scope = f"deliveries {actor.organization} {query.model_dump_json()}"
        position = None if after is None else decode_after(scope, after, 1)[0]
        rows = await repository.list_deliveries(session, actor, query, incident, position, page_size + 1)
        shown, pagination = cut(rows, page_size, scope, lambda row: [row.delivery.id])
        return Page(data=[_delivery(row) for row in shown], pagination=pagination)

    async def trouble(self, session: AsyncSession, incident: str) -> list[Delivery]:
        """The deliveries of an incident that did not go out so far."""
        return list(await repository.trouble(session, incident))

    async def retry(self, session: AsyncSession, actor: Actor, delivery: str) -> DeliveryView:
        """Try a failed delivery once more. Asking twice is one more try.

        Raises:
            NotFound, Forbidden: no such delivery for this actor, or only to be seen. Conflict: ``delivery_not_failed``.
            Unavailable: Temporal is down.
        """
        entry = await repository.find_delivery(session, actor, delivery) if is_id(delivery) else None
        if entry is None:
            raise NotFound("delivery")
        if entry.incident is not None:
            await permission.require(session, actor, Action.RETRY, IncidentState.model_validate(entry.incident.state))
        row = entry.delivery
        if row.state != "failed":
            message = "It is still being tried." if row.state == "pending" else f"It is {row.state} already."
            raise Conflict(message, "delivery_not_failed")
        try:
            await self._incidents.send(notice_of(row, retry=True), f"retry:{row.id}:{row.attempts}")
        except gateway.Unavailable as error:
            raise Unavailable("Temporal does not answer. Try again in a moment.", "temporal_unavailable") from error
        return _delivery(entry)

    async def inbox(
        self,
        session: AsyncSession,
        actor: Actor,
        recipient: str | None = None,
        after: str | None = None,
        page_size: int = 25,
    ) -> Page[InboxMessageView]:
        """A page of the built-in inbox, the latest first: one's own messages, and to administrators everyone's.

        Where mail stays here, a letter's link signs in as its recipient: it is shown to those who may manage that account.

        Raises:
            BadRequest: ``unknown_after``.
        """
        scope = f"inbox {actor.organization} {recipient or ''}"
        position = None if after is None else decode_after(scope, after, 1)[0]
        rows = await repository.list_inbox(session, actor, recipient, position, page_size + 1)
        shown, pagination = cut(rows, page_size, scope, lambda row: [row.message.id])
        return Page(data=[_message(row) for row in shown], pagination=pagination)

    async def inbox_recipients(self, session: AsyncSession, actor: Actor) -> list[Person]:
        """Those who have messages in the built-in inbox that this actor may read, by name."""
        rows = await repository.inbox_recipients(session, actor)
        return [Person(id=row.id, name=row.name, email=row.email) for row in rows]

    async def message(self, session: AsyncSession, actor: Actor, message: str) -> InboxMessageView:
        """One message of the built-in inbox.

        Raises:
            NotFound: there is none that this actor may read.
        """
        found = await repository.find_message(session, actor, message) if is_id(message) else None
        if found is None:
            raise NotFound("message")
        return _message(found)


def _delivery(entry: Entry) -> DeliveryView:
    row = entry.delivery
    return DeliveryView(
        id=row.id,
        incident=row.incident_id,
        incident_reference=_reference(entry.incident),
        incident_title=None if entry.incident is None else entry.incident.title,
        kind=row.kind,
        recipient=RecipientView(id=row.recipient_id, name=entry.recipient.name, address=row.address),
        channel=row.channel,
        provider=row.provider,
        state=row.state,
        reason=row.reason,
        in_doubt=row.in_doubt,
        attempts=row.attempts,
        provider_id=row.provider_id,
        inbox_message=entry.message,
        intended_at=row.intended_at,
        sent_at=row.sent_at,
    )


def _message(kept: Kept) -> InboxMessageView:
    row = kept.message
    return InboxMessageView(
        id=row.id,
        delivery=row.delivery_id,
        incident=row.incident_id,
        incident_reference=_reference(kept.incident),
        recipient=RecipientView(id=row.recipient_id, name=kept.recipient.name, address=row.address),
        channel=row.channel,
        subject=row.subject,
        text=row.text,
        html=row.html,
        at=row.created_at,
    )


def _reference(incident: Incident | None) -> str | None:
    return None if incident is None else f"INC-{incident.reference}"
