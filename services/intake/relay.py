"""The relay: carries the outbox's errands to Temporal, for as long as it takes (R4). It needs nothing but the database."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog
from opentelemetry import trace

from services.desk.notices import notice_of
from services.kit.database import Database
from services.kit.telemetry import continued
from services.store import outbox
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from workflows.domain.incident import IncidentState
from workflows.gateway import GatewayError, IncidentGateway, NotRunning

_log = structlog.get_logger(__name__)
_tracer = trace.get_tracer("muster.relay")

BATCH: Final = 20
LEASE: Final = timedelta(seconds=10)
"""For how long a claimed errand is out of other relays' sight; it comes back when this process dies.
To do an errand twice is harmless."""
IDLE: Final = 1.0
"""Seconds between looks when nobody calls."""
_FIRST_WAIT: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(seconds=15)


class Relay:
    """Looks into the outbox when woken, and every second anyway."""

    def __init__(self, database: Database, incidents: IncidentGateway) -> None:
        self._database = database
        self._incidents = incidents
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: something was just committed."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled, whatever happens: without it no report would reach Temporal."""
        while True:
            self._woken.clear()
            try:
                while await self.work():
                    pass
            except Exception:  # noqa: BLE001  (mostly a database that is away; it must not end for anything)
                _log.exception("the relay met a fault; it looks again")
            try:
                async with asyncio.timeout(IDLE):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def work(self) -> int:
        """Carry out the errands that are due now; answers how many there were."""
        async with self._database.read() as session:
            if not await outbox.any_due(session):
                return 0
        async with self._database.write() as session:
            rows = await outbox.claim(session, BATCH, LEASE)
        await asyncio.gather(*(self._carry_out(row) for row in rows))
        return len(rows)

    async def _carry_out(self, row: outbox.OutboxRow) -> None:
        with continued(row.trace), _tracer.start_as_current_span(f"relay {row.errand}"):
            try:
                await self._do(row)
            except GatewayError as error:
                _log.warning("an errand waits for Temporal", subject=row.subject_id, errand=row.errand, error=str(error))
                await self._postpone(row, error)
                return
            except Exception as error:  # noqa: BLE001  (whatever is wrong with one errand delays only itself)
                _log.exception("an errand failed", subject=row.subject_id, errand=row.errand)
                await self._postpone(row, error)
                return
            async with self._database.write() as session:
                await outbox.done(session, row.id)

    async def _postpone(self, row: outbox.OutboxRow, error: Exception) -> None:
        wait = min(_FIRST_WAIT * 2 ** min(row.attempts, 6), _LONGEST_WAIT)
        async with self._database.write() as session:
            await outbox.postpone(session, row.id, wait, str(error) or repr(error))

    async def _do(self, row: outbox.OutboxRow) -> None:
        if row.errand == outbox.Errand.DELIVER:
            await self._deliver(row)
            return
        async with self._database.read(row.organization_id) as session:
            incident = await session.get_one(Incident, row.subject_id)
            state = IncidentState.model_validate(incident.state)
        if row.errand == outbox.Errand.START:
            await self._incidents.start(state)
            return
        try:
            await self._incidents.catch_up(row.subject_id)
        except NotRunning:
            # Over, and so up to date; or lost, and started afresh from the log.
            if not state.over:
                await self._incidents.start(state)

    async def _deliver(self, row: outbox.OutboxRow) -> None:
        async with self._database.read(row.organization_id) as session:
            delivery = await session.get_one(Delivery, row.subject_id)
        await self._incidents.send(notice_of(delivery), delivery.id)
