"""Messages in the incident's channel that only their recipient sees."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.chat import builtin
from services.chat.platform import ChannelNotReady
from services.notify.channels import inbox
from services.notify.channels.channel import ChannelName, NotSent, Outgoing


class ChatChannel:
    """Posts into the built-in channel, with a copy for the inbox."""

    provider = "builtin"

    async def keep(self, session: AsyncSession, message: Outgoing) -> str:
        """See ``StoredChannel``."""
        if message.incident is None:
            raise ValueError("a letter belongs to no incident, so there is no channel to post it in")
        try:
            posted = await builtin.place(
                session, message.incident, message.delivery, message.chat, author=None, only_to=message.recipient
            )
        except ChannelNotReady as error:
            raise NotSent(str(error)) from error
        inbox.keep(session, message, ChannelName.CHAT, message.chat)
        return posted
