"""Slowing down those who guess (NIST SP 800-63B-4, 3.2.2): each failure after the first few makes the next try wait longer."""

import hashlib
from datetime import timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.clock import now
from services.kit.errors import TooMany
from services.store.accounts import Throttle
from services.store.base import organization_of

FREE: Final = 5
"""Failures before anyone has to wait."""
LONGEST: Final = timedelta(hours=1)
"""The longest wait: a hundred failures in a row take more than three days."""
FORGET: Final = timedelta(days=1)
"""How long after the last wait failures are remembered."""


async def take_turn(session: AsyncSession, email: str) -> None:
    """Count a try as failed before it is made, so that many at once count as many; ``succeeded`` takes it back.

    Raises:
        TooMany: ``too_many_tries``: it is not yet time for another one.
    """
    organization, key = organization_of(session), _key(email)
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"organization_id": organization, "key": key, "failures": 0, "until": now()}
    await session.execute(insert(Throttle).values(values).on_conflict_do_nothing())
    row = await session.get_one(Throttle, (organization, key), with_for_update=True, populate_existing=True)
    if row.until + FORGET < now():
        row.failures = 0
    left = (row.until - now()).total_seconds()
    if row.failures > FREE and left > 0:
        raise TooMany("Too many tries. Wait, or ask for a new password by mail.", "too_many_tries", retry_after=int(left) + 1)
    row.failures += 1
    row.until = now() + min(timedelta(seconds=2 ** min(max(row.failures - FREE, 0), 12)), LONGEST)


async def succeeded(session: AsyncSession, email: str) -> None:
    """Forget the failures."""
    await session.execute(delete(Throttle).where(Throttle.key == _key(email)))


def _key(email: str) -> str:
    return hashlib.sha256(email.casefold().encode()).hexdigest()
