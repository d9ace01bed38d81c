"""The ledger and the inbox, for people."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import Person, find_incident
from services.kit.auth import Actor
from services.kit.errors import Conflict, NotFound, Unavailable
from services.kit.ids import is_id
from services.kit.paging import Page, Pagination, decode_after, encode_after
from services.notify import repository
from services.notify.schemas import DeliveryQuery, DeliveryView, InboxMessageView, RecipientView
from services.store.contacts import Individual
from services.store.deliveries import Delivery, InboxMessage
from services.store.incidents import Incident
from workflows import gateway
from workflows.contracts.notify import NoticeInput, NoticeKind


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
        shown = rows[:page_size]
        following = encode_after(scope, [shown[-1][0].id]) if len(rows) > page_size else None
        return Page(data=[_delivery(*row) for row in shown], pagination=Pagination(after=following, page_size=page_size))

    async def trouble(self, session: AsyncSession, incident: str) -> list[Delivery]:
        """The deliveries of an incident that did not go out so far."""
        return list(await repository.trouble(session, incident))

    async def retry(self, session: AsyncSession, actor: Actor, delivery: str) -> DeliveryView:
        """Try a failed delivery once more. Asking twice is one more try.

        Raises:
            NotFound: no such delivery for this actor. Conflict: ``delivery_not_failed``. Unavailable: Temporal is down.
        """
        row = await repository.find_delivery(session, actor, delivery) if is_id(delivery) else None
        if row is None:
            raise NotFound("delivery")
        if row.state != "failed":
            message = "It is still being tried." if row.state == "pending" else f"It is {row.state} already."
            raise Conflict(message, "delivery_not_failed")
        notice = NoticeInput(
            organization=row.organization_id,
            incident=row.incident_id,
            kind=NoticeKind(row.kind),
            cause=row.cause,
            deliveries=(row.id,),
            retry=True,
        )
        try:
            await self._incidents.send(notice, f"retry:{row.id}:{row.attempts}")
        except gateway.Unavailable as error:
            raise Unavailable("Temporal does not answer. Try again in a moment.", "temporal_unavailable") from error
        found = await repository.list_deliveries(
            session, actor, DeliveryQuery(recipient=row.recipient_id), row.incident_id, None, 100
        )
        return next(_delivery(*entry) for entry in found if entry[0].id == row.id)

    async def inbox(
        self,
        session: AsyncSession,
        actor: Actor,
        recipient: str | None = None,
        after: str | None = None,
        page_size: int = 25,
    ) -> Page[InboxMessageView]:
        """A page of the built-in inbox, the latest first: one's own messages, and everyone's to administrators.

        Raises:
            BadRequest: ``unknown_after``.
        """
        scope = f"inbox {actor.organization} {recipient or ''}"
        position = None if after is None else decode_after(scope, after, 1)[0]
        rows = await repository.list_inbox(session, actor, recipient, position, page_size + 1)
        shown = rows[:page_size]
        following = encode_after(scope, [shown[-1][0].id]) if len(rows) > page_size else None
        return Page(data=[_message(*row) for row in shown], pagination=Pagination(after=following, page_size=page_size))

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
        return _message(*found)


def _delivery(row: Delivery, person: Individual, incident: Incident, message: str | None) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        incident=row.incident_id,
        incident_reference=f"INC-{incident.reference}",
        incident_title=incident.title,
        kind=row.kind,
        recipient=RecipientView(id=row.recipient_id, name=person.name, address=row.address),
        channel=row.channel,
        provider=row.provider,
        state=row.state,
        reason=row.reason,
        in_doubt=row.in_doubt,
        attempts=row.attempts,
        provider_id=row.provider_id,
        inbox_message=message,
        intended_at=row.intended_at,
        sent_at=row.sent_at,
    )


def _message(row: InboxMessage, person: Individual, incident: Incident) -> InboxMessageView:
    return InboxMessageView(
        id=row.id,
        delivery=row.delivery_id,
        incident=row.incident_id,
        incident_reference=f"INC-{incident.reference}",
        recipient=RecipientView(id=row.recipient_id, name=person.name, address=row.address),
        channel=row.channel,
        subject=row.subject,
        text=row.text,
        html=row.html,
        at=row.created_at,
    )
