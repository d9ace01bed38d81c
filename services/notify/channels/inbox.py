"""The built-in inbox: mail that stays in the database, where it can be read as its recipient would see it."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.clock import now
from services.kit.ids import new_id
from services.notify.channels.channel import ChannelName, Outgoing
from services.store.deliveries import InboxMessage


class InboxChannel:
    """Keeps mail."""

    provider = "inbox"

    async def keep(self, session: AsyncSession, message: Outgoing) -> str:
        """See ``StoredChannel``."""
        return keep(session, message, ChannelName.EMAIL, message.text, message.html)


def keep(session: AsyncSession, message: Outgoing, channel: ChannelName, text: str, html: str = "") -> str:
    """Put a message into its recipient's inbox, and answer its id."""
    row = InboxMessage(
        id=new_id(),
        organization_id=message.organization,
        delivery_id=message.delivery,
        incident_id=message.incident,
        recipient_id=message.recipient,
        address=message.address,
        channel=channel,
        subject=message.subject,
        text=text,
        html=html,
        created_at=now(),
    )
    session.add(row)
    return row.id
