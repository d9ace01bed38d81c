"""Slowing down those who guess (NIST SP 800-63B-4, 3.2.2): each failure after the first few makes the next try wait longer."""

import hashlib
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.clock import now
from services.kit.errors import TooMany
from services.store.accounts import Throttle
from services.store.base import insert_if_new, organization_of

FREE: Final = 5
"""Failures before anyone has to wait."""
LONGEST: Final = timedelta(hours=1)
"""The longest wait: a hundred failures in a row take more than three days."""
FORGET: Final = timedelta(days=1)
"""How long after the last wait failures are remembered."""


MOST: Final = 10_000
"""How many who try in organizations that there are not are remembered."""

What = Literal["sign_in", "reset"]
"""What is tried, each counted by itself: signing in, and asking for a mail to set a new password by."""


async def take_turn(session: AsyncSession, what: What, email: str) -> bool:
    """Count a try as failed before it is made, so that many at once count as many; ``succeeded`` takes it back.

    Answers whether this is the one that makes the next wait for the first time, should it fail.

    Raises:
        TooMany: ``too_many_tries``: it is not yet time for another one.
    """
    organization, key = organization_of(session), _key(what, email)
    await session.execute(delete(Throttle).where(Throttle.until < now() - FORGET))
    values = {"organization_id": organization, "key": key, "failures": 0, "until": now()}
    await session.execute(insert_if_new(session, Throttle).values(values))
    row = await session.get_one(Throttle, (organization, key), with_for_update=True, populate_existing=True)
    row.failures, row.until = _next(row.failures, row.until)
    return row.failures == FREE + 1


async def succeeded(session: AsyncSession, email: str) -> None:
    """Forget the failures, of whatever was tried."""
    keys = [_key("sign_in", email), _key("reset", email)]
    await session.execute(delete(Throttle).where(Throttle.key.in_(keys)))


class Nowhere:
    """Slows down those who try in an organization that there is not, since its absence could be told otherwise.

    A process remembers by itself, and the last ones only.
    """

    def __init__(self) -> None:
        self._tries: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def take_turn(self, slug: str, what: What, email: str) -> None:
        """Count a try, each of which fails.

        Raises:
            TooMany: ``too_many_tries``: it is not yet time for another one.
        """
        key = _key(what, email, slug)
        failures, until = self._tries.get(key, (0, now()))
        self._tries[key] = _next(0 if until + FORGET < now() else failures, until)
        self._tries.move_to_end(key)
        if len(self._tries) > MOST:
            self._tries.popitem(last=False)


def _next(failures: int, until: datetime) -> tuple[int, datetime]:
    """How many failures there are with this try, and until when the next one waits.

    Raises:
        TooMany: this one has to wait.
    """
    left = (until - now()).total_seconds()
    if failures > FREE and left > 0:
        wait = int(left) + 1
        raise TooMany(f"Too many tries. The next one is possible in {_in_words(wait)}.", "too_many_tries", retry_after=wait)
    failures += 1
    return failures, now() + min(timedelta(seconds=2 ** min(max(failures - FREE, 0), 12)), LONGEST)


def _in_words(seconds: int) -> str:
    count, unit = (seconds, "second") if seconds < 60 else (-(-seconds // 60), "minute")
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def _key(what: What, email: str, slug: str = "") -> str:
    return hashlib.sha256(f"{what}\n{slug}\n{email.casefold()}".encode()).hexdigest()
