"""The built-in channel: messages on the incident's page, kept in the database."""

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.chat.platform import ChannelNotReady, Post
from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.base import organization_of
from services.store.conversation import Conversation, Message


class BuiltinChannel:
    """A chat platform that needs nothing but the database; so each message is there exactly once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, organization: str, incident: str, name: str) -> str | None:
        """See ``ChatPlatform``. The channel has no address of its own: it is on the incident's page."""
        async with self._database.write(organization) as session:
            if await session.get(Conversation, incident) is None:
                session.add(Conversation(incident_id=incident, organization_id=organization, name=name, created_at=now()))
        return None

    async def post(self, organization: str, incident: str, token: str, text: str, author: str | None) -> str:
        """See ``ChatPlatform``."""
        return await self._post(organization, incident, token, text, author, None)

    async def post_only_to(self, organization: str, incident: str, token: str, text: str, person: str) -> str:
        """See ``ChatPlatform``."""
        return await self._post(organization, incident, token, text, None, person)

    async def history(self, session: AsyncSession, incident: str, reader: str, limit: int) -> list[Post]:
        """See ``ChatPlatform``."""
        query = (
            select(Message)
            .where(Message.incident_id == incident, or_(Message.only_to.is_(None), Message.only_to == reader))
            .order_by(Message.id.desc())
            .limit(limit)
        )
        rows = (await session.scalars(query)).all()
        return [
            Post(id=row.id, author=row.author_id, only_to=row.only_to, text=row.text, created_at=row.created_at)
            for row in reversed(rows)
        ]

    async def _post(
        self, organization: str, incident: str, token: str, text: str, author: str | None, only_to: str | None
    ) -> str:
        try:
            return await self._write(organization, incident, token, text, author, only_to)
        except IntegrityError:
            # The same message was posted at the same moment.
            async with self._database.read(organization) as session:
                known = await _known(session, incident, token)
            if known is None:
                raise
            return known

    async def _write(
        self, organization: str, incident: str, token: str, text: str, author: str | None, only_to: str | None
    ) -> str:
        async with self._database.write(organization) as session:
            return await place(session, incident, token, text, author, only_to)


async def place(session: AsyncSession, incident: str, token: str, text: str, author: str | None, only_to: str | None) -> str:
    """Put a message into an incident's channel, in the caller's transaction; answers its id.

    Raises:
        ChannelNotReady: see there.
    """
    same = and_(Message.incident_id == Conversation.incident_id, Message.token == token)
    query = select(Conversation.incident_id, Message.id).outerjoin(Message, same).where(Conversation.incident_id == incident)
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise ChannelNotReady("the incident's channel is not ready")
    if found[1] is not None:
        return str(found[1])
    message = Message(
        id=new_id(),
        organization_id=organization_of(session),
        incident_id=incident,
        token=token,
        author_id=author,
        only_to=only_to,
        text=text,
        created_at=now(),
    )
    session.add(message)
    return message.id


async def _known(session: AsyncSession, incident: str, token: str) -> str | None:
    return await session.scalar(select(Message.id).where(Message.incident_id == incident, Message.token == token))
