"""The built-in channel: each message once, and only for those it is for."""

import asyncio

import pytest

from services.chat.builtin import BuiltinChannel
from services.chat.platform import ChannelNotReady
from services.kit.database import Database
from services.store.contacts import Individual
from services.store.conversation import Conversation, Message
from services.store.incidents import Incident
from tests.store.rows import fill


@pytest.fixture
async def place(database: Database) -> tuple[BuiltinChannel, str, str]:
    """A channel of an incident, with a person."""
    made = await fill(database, "a")
    async with database.write("a") as session:
        await session.delete(made[Message])
    return BuiltinChannel(database), made[Incident].id, made[Individual].id


async def texts(database: Database, channel: BuiltinChannel, incident: str, reader: str, limit: int = 100) -> list[str]:
    async with database.read("a") as session:
        return [post.text for post in await channel.history(session, incident, reader, limit)]


async def test_the_same_message_is_posted_once(place: tuple[BuiltinChannel, str, str], database: Database) -> None:
    channel, incident, person = place
    ids = await asyncio.gather(*(channel.post("a", incident, "token", "hello", person) for _ in range(10)))
    assert len(set(ids)) == 1
    assert (await texts(database, channel, incident, person)).count("hello") == 1


async def test_a_message_for_one_is_seen_by_one(place: tuple[BuiltinChannel, str, str], database: Database) -> None:
    channel, incident, person = place
    await channel.post_only_to("a", incident, "secret", "psst", person)
    assert "psst" in await texts(database, channel, incident, person)
    assert "psst" not in await texts(database, channel, incident, "someone else")


async def test_history_is_the_latest_oldest_first(place: tuple[BuiltinChannel, str, str], database: Database) -> None:
    channel, incident, person = place
    for number in range(5):
        await channel.post("a", incident, f"t{number}", f"message {number}", None)
    assert await texts(database, channel, incident, person, 2) == ["message 3", "message 4"]


async def test_without_a_channel_nothing_is_posted(place: tuple[BuiltinChannel, str, str], database: Database) -> None:
    channel, incident, person = place
    async with database.write("a") as session:
        await session.delete(await session.get_one(Conversation, incident))
    with pytest.raises(ChannelNotReady):
        await channel.post("a", incident, "token", "hello", person)
    assert await channel.create("a", incident, "inc-1") is None
    assert await channel.create("a", incident, "inc-1-again") is None
    assert await channel.post("a", incident, "token", "hello", person)
