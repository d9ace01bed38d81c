"""Messages in the incident's channel that only their recipient sees."""

from services.chat.platform import ChannelNotReady, ChatPlatform
from services.notify.channels.channel import Channel, NotSent, Outgoing


class ChatChannel:
    """Sends through the chat platform, under the delivery's name, so that a repeat finds the first message.

    ``copy`` keeps the message for the inbox as well, where the platform is built in.
    """

    idempotent = True

    def __init__(self, platform: ChatPlatform, provider: str, copy: Channel) -> None:
        self._platform = platform
        self._copy = copy
        self.provider = provider

    async def send(self, message: Outgoing) -> str:
        """See ``Channel``."""
        try:
            posted = await self._platform.post_only_to(
                message.organization, message.incident, message.delivery, message.chat, message.recipient
            )
        except ChannelNotReady as error:
            raise NotSent(str(error)) from error
        await self._copy.send(message)
        return posted
