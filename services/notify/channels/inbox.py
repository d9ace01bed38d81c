"""The built-in inbox: mail that stays in the database, where it can be read as its recipient would see it."""

from sqlalchemy import select

from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.notify.channels.channel import ChannelName, Outgoing
from services.store.deliveries import InboxMessage


class InboxChannel:
    """Keeps messages; a delivery is kept once, however often it is sent."""

    provider = "inbox"
    idempotent = True

    def __init__(self, database: Database, channel: ChannelName = ChannelName.EMAIL) -> None:
        self._database = database
        self._channel = channel

    async def send(self, message: Outgoing) -> str:
        """See ``Channel``."""
        async with self._database.write(message.organization) as session:
            query = select(InboxMessage.id).where(InboxMessage.delivery_id == message.delivery)
            if (known := await session.scalar(query)) is not None:
                return known
            row = InboxMessage(
                id=new_id(),
                organization_id=message.organization,
                delivery_id=message.delivery,
                incident_id=message.incident,
                recipient_id=message.recipient,
                address=message.address,
                channel=self._channel,
                subject=message.subject,
                text=message.text if self._channel is ChannelName.EMAIL else message.chat,
                html=message.html if self._channel is ChannelName.EMAIL else "",
                created_at=now(),
            )
            session.add(row)
            return row.id
