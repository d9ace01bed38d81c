"""Bringing workflows back in step with the log, which is the truth."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from services.kit.clock import rfc3339
from services.kit.database import Database
from services.lifecycle import repository
from services.store import outbox
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from workflows.domain.incident import IncidentState
from workflows.gateway import IncidentGateway

_MARGIN: Final = timedelta(minutes=1)


async def nudge_in_doubt(database: Database) -> None:
    """After a start: have those workflows catch up that may have missed their last event.

    Events are appended a moment before Temporal learns of them. When everything dies in that moment, only incidents that
    changed just before the end can be concerned: so this looks at what changed last, not at all there is.
    """
    async with database.read() as session:
        last = await repository.last_event_at(session)
        if last is None:
            return
        since = rfc3339(datetime.fromisoformat(last) - _MARGIN)
        found = await repository.changed_since(session, since)
    await _leave(database, found, outbox.Errand.CATCH_UP)


async def remember_open(database: Database) -> int:
    """Leave an errand for every open incident, so that the relay brings each one's workflow back; answers how many there are."""
    async with database.read() as session:
        rows = await repository.open_incidents(session)
    await _leave(database, rows, outbox.Errand.CATCH_UP)
    await _remember_letters(database)
    return len(rows)


async def recover(database: Database, incidents: IncidentGateway) -> int:
    """Start the workflow of every open incident that has none, from the log; answers how many are open. Letters that are not
    out yet are left to the relay.

    Raises:
        Unavailable: Temporal cannot be reached.
    """
    async with database.read() as session:
        rows = await repository.open_incidents(session)
    for row in rows:
        await incidents.start(IncidentState.model_validate(row.state))
    await _remember_letters(database)
    return len(rows)


async def _remember_letters(database: Database) -> None:
    async with database.read() as session:
        rows = await repository.waiting_letters(session)
    await _leave(database, rows, outbox.Errand.DELIVER)


async def _leave(database: Database, subjects: Iterable[Incident | Delivery], errand: outbox.Errand) -> None:
    for row in subjects:
        async with database.write(row.organization_id) as session:
            await outbox.put(session, row.organization_id, row.id, errand)
