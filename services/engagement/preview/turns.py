"""How much is tried at once (E7): it is work for a processor, which those who are brought in, and everyone else, need as well."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from services.kit.auth import Actor
from services.kit.errors import TooMany

WAIT: Final = 10.0
"""For how many seconds one waits for others, who try something at the same time."""
RETRY_AFTER: Final = 5
_MOST: Final = 2
_AT_ONCE: Final = asyncio.Semaphore(_MOST)
_THREADS: Final = ThreadPoolExecutor(_MOST, "preview")
"""Not those in which incidents are evaluated."""
_trying: Final[set[str]] = set()
"""The accounts that try something, or wait to: each once, since whoever waits has a connection to the database."""

Answer = TypeVar("Answer")


@asynccontextmanager
async def turn(actor: Actor) -> AsyncIterator[None]:
    """Go on when few enough others try something.

    Raises:
        TooMany: ``too_many_previews``, of this account or of all.
    """
    if actor.account in _trying:
        message = "You are trying something already. Wait until that is answered, then try this."
        raise TooMany(message, "too_many_previews", RETRY_AFTER)
    _trying.add(actor.account)
    try:
        try:
            await asyncio.wait_for(_AT_ONCE.acquire(), WAIT)
        except TimeoutError as error:
            message = "Many others try something too. Try this again in a moment."
            raise TooMany(message, "too_many_previews", RETRY_AFTER) from error
        try:
            yield
        finally:
            _AT_ONCE.release()
    finally:
        _trying.remove(actor.account)


async def in_thread(work: Callable[[], Answer]) -> Answer:
    """Do work for a processor: not on the loop that answers requests."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
