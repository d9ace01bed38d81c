"""What the notify worker does for a notice."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from services.kit.clock import now
from services.kit.database import Database
from services.notify import repository
from services.notify.channels.channel import Channel, ChannelName, NotSent, Outgoing, Rejected, StoredChannel
from services.notify.composing import NoLongerWanted, compose
from services.notify.rendering import Renderer
from services.store.deliveries import Delivery, Intent, intend
from workflows.contracts.notify import DeliveryOutcome, DeliveryRequest, NoticeInput, NoticeKind, Planned

_BEAT: Final = 3.0
"""Seconds between signs of life while a message is sent."""
_DOUBT: Final = "An earlier attempt may have gone out as well."
_DOUBT_TWICE: Final = "It may have arrived, once or twice; only a person should try again."


class _Attempt(NamedTuple):
    """One try of a delivery. ``after_doubt``: an earlier one may have gone out."""

    organization: str
    delivery: str
    number: int
    after_doubt: bool


class NotifyActivities:
    """The activities, with the channels they send by."""

    def __init__(self, database: Database, renderer: Renderer, channels: Mapping[ChannelName, Channel | StoredChannel]) -> None:
        self._database = database
        self._renderer = renderer
        self._channels = channels

    @activity.defn(name="notify.plan")
    async def plan(self, notice: NoticeInput) -> Planned:
        """Write an intent for each recipient and channel, once, and answer those that are still to be carried out."""
        async with self._database.write(notice.organization) as session:
            found = await repository.individuals(session, notice.recipients)
            if not found and notice.incident is not None and notice.kind is NoticeKind.QUESTION:
                found = await repository.answering(session, notice.incident)
            recipients = [person.id for person in found]
            intents = [
                Intent(person.id, person.email, channel)
                for person in sorted(found, key=lambda person: person.id)
                for channel in self._channels
                # Behind a mailing list nobody can be told apart who could chat.
                if person.kind != "list" or channel is ChannelName.EMAIL
            ]
            await intend(session, notice.organization, notice.incident, notice.kind, notice.cause, intents)
            await repository.unfold(session, notice.incident, notice.kind, notice.cause, recipients)
            ids = await repository.pending(session, notice.incident, notice.kind, notice.cause, recipients)
        return Planned(deliveries=tuple(ids))

    @activity.defn(name="notify.deliver")
    async def deliver(self, request: DeliveryRequest) -> DeliveryOutcome:
        """Make one delivery, unless the ledger says that it was made, or the present that it is no longer wanted."""
        async with self._database.write(request.organization) as session:
            row = await session.get_one(Delivery, request.delivery, with_for_update=True)
            if row.state != "pending" and not (request.retry and row.state == "failed"):
                return DeliveryOutcome(state=row.state)
            try:
                message = await compose(session, self._renderer, row)
            except NoLongerWanted as stale:
                row.state, row.reason, row.updated_at = "folded", str(stale), now()
                return DeliveryOutcome(state=row.state)
            channel = self._channels[ChannelName(row.channel)]
            row.state, row.attempts, row.updated_at = "pending", row.attempts + 1, now()
            if isinstance(channel, StoredChannel):
                await _keep(session, row, channel, message)
            else:
                attempt = _Attempt(row.organization_id, row.id, row.attempts, row.in_doubt)
                row.in_doubt = not channel.idempotent
        if not isinstance(channel, StoredChannel):
            return await self._send(attempt, channel, message)
        if row.state == "pending":
            raise ApplicationError(row.reason or "", type="NotSent")
        return DeliveryOutcome(state=row.state)

    async def _send(self, attempt: _Attempt, channel: Channel, message: Outgoing) -> DeliveryOutcome:
        doubt = attempt.after_doubt
        try:
            async with _alive():
                provider_id = await channel.send(message)
        except Rejected as error:
            return await self._record(attempt, state="failed", reason=message.without_secret(str(error)), in_doubt=doubt)
        except NotSent as error:
            reason = message.without_secret(str(error))
            await self._record(attempt, state="pending", reason=reason, in_doubt=doubt)
            # Without its cause, which Temporal and the log would get as well: the server's own words.
            raise ApplicationError(reason, type="NotSent") from None
        except (Exception, asyncio.CancelledError) as error:
            # Whether it went out is not known. Once more is right, but not for ever: a recipient gets two copies at the most.
            reason = message.without_secret(f"{type(error).__name__}: {error}")
            if doubt and not channel.idempotent:
                return await self._record(attempt, state="failed", reason=f"{_DOUBT_TWICE} {reason}", in_doubt=True)
            await self._record(attempt, state="pending", reason=reason, in_doubt=not channel.idempotent)
            if message.secret is None or isinstance(error, asyncio.CancelledError):
                raise
            raise ApplicationError(reason, type=type(error).__name__) from None
        return await self._record(
            attempt,
            state="sent",
            reason=_DOUBT if doubt else None,
            in_doubt=doubt,
            provider=channel.provider,
            provider_id=provider_id,
        )

    async def _record(
        self,
        attempt: _Attempt,
        *,
        state: str,
        reason: str | None,
        in_doubt: bool,
        provider: str | None = None,
        provider_id: str | None = None,
    ) -> DeliveryOutcome:
        """Write what came of an attempt, and answer the state then. One that ended late says no more than that it sent."""
        async with self._database.write(attempt.organization) as session:
            row = await session.get_one(Delivery, attempt.delivery, with_for_update=True)
            late = row.attempts != attempt.number
            if row.state == "sent" or (state != "sent" and (late or row.state != "pending")):
                return DeliveryOutcome(state=row.state)
            row.state, row.reason, row.in_doubt, row.updated_at = state, reason, in_doubt or late, now()
            if state == "sent":
                row.provider, row.provider_id, row.sent_at = provider, provider_id, now()
        return DeliveryOutcome(state=state)


@asynccontextmanager
async def _alive() -> AsyncIterator[None]:
    """Say every few seconds that this worker is at it: one that has died is noticed soon, however long a try may take.

    Most mails take less, and Temporal keeps each sign of life: it is a fifth of all that a mail costs it.
    """

    async def beat() -> None:
        while True:
            await asyncio.sleep(_BEAT)
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


async def _keep(session: AsyncSession, row: Delivery, channel: StoredChannel, message: Outgoing) -> None:
    """Keep the message and say so in the ledger, in one transaction: exactly once."""
    try:
        row.provider_id = await channel.keep(session, message)
    except NotSent as error:
        row.reason = str(error)
        return
    row.state, row.reason, row.provider, row.sent_at = "sent", _DOUBT if row.in_doubt else None, channel.provider, now()
