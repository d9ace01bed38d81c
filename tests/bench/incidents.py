"""Incidents per second, from the report to everyone's welcome, as a ratio to bare workflows of the same shape."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.bench.bare import INCIDENTS, BareIncident, Shape
from tests.bench.setting import Setting
from workflows.contracts.incident import workflow_id

PEOPLE = ("Credential", "Leak", "Credential Leak")
TITLE = "credential-leak!"
DELIVERIES = 2 * (len(PEOPLE) + 1)
"""Mail and chat for each of those who match, and for the reporter."""
CLIENTS = 8
"""How many reports are under way at once."""
TARGET = 0.7
_LOOK = 0.01
"""Seconds between looks into the ledger."""
_SETTLE = 2.0
"""Seconds after which everything that follows a report by itself is in the histories."""


class Ledger:
    """Tells when everyone of an incident was welcomed, by one query for all who wait."""

    def __init__(self, setting: Setting) -> None:
        self._connection = sqlite3.connect(f"file:{setting.database}?mode=ro", uri=True, isolation_level=None)
        self._waiting: dict[str, asyncio.Event] = {}

    async def welcomed(self, incident: str) -> None:
        self._waiting[incident] = asyncio.Event()
        await self._waiting[incident].wait()

    async def look(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_LOOK)
            if not self._waiting:
                continue
            marks = ", ".join("?" * len(self._waiting))
            query = (
                f"SELECT incident_id FROM deliveries WHERE incident_id IN ({marks}) AND state = 'sent'"  # noqa: S608
                " GROUP BY incident_id HAVING count(*) = ?"
            )
            for (incident,) in self._connection.execute(query, [*self._waiting, DELIVERIES]).fetchall():
                self._waiting.pop(incident).set()


@asynccontextmanager
async def watching(setting: Setting) -> AsyncIterator[Ledger]:
    """A ledger that is looked into for as long as the block runs."""
    ledger = Ledger(setting)
    looking = asyncio.create_task(ledger.look())
    try:
        yield ledger
    finally:
        looking.cancel()


async def engage(setting: Setting) -> None:
    """Make the people whom every report will engage."""
    for phrase in PEOPLE:
        body = {"name": phrase, "email": f"{uuid.uuid4().hex}@example.org", "terms": [phrase]}
        (await setting.api.post("/individuals", json=body)).raise_for_status()


async def report(setting: Setting, ledger: Ledger) -> str:
    """Report an incident, and wait until all are welcomed; answers its id."""
    response = await setting.api.post("/incidents", json={"title": TITLE})
    incident = str(response.raise_for_status().json()["id"])
    await ledger.welcomed(incident)
    return incident


async def shape_of(client: Client, incident: str) -> Shape:
    """Count what an incident's workflow and its children did, in their histories."""
    local, remote, children = await _count(client, workflow_id(incident))
    counted = [await _count(client, child) for child in children]
    return Shape(local=local, remote=remote, children=tuple(count[1] for count in counted))


async def _count(client: Client, workflow: str) -> tuple[int, int, list[str]]:
    history = await client.get_workflow_handle(workflow).fetch_history()
    kinds = [event.event_type for event in history.events]
    children = [
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    ]
    # Everything a local activity leaves behind is a marker; Muster records no other kind.
    return kinds.count(EventType.EVENT_TYPE_MARKER_RECORDED), kinds.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED), children


async def rate(work: Callable[[], Awaitable[object]], total: int, clients: int = CLIENTS) -> float:
    """Do something ``total`` times by ``clients`` at once; answers how many a second."""
    left = iter(range(total))

    async def client() -> None:
        for _ in left:
            await work()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return total / (time.perf_counter() - started)


async def example(setting: Setting, ledger: Ledger) -> tuple[str, Shape]:
    """Make the people, and one incident that engages them; answers it, and its shape."""
    await engage(setting)
    incident = await report(setting, ledger)
    await asyncio.sleep(_SETTLE)
    return incident, await shape_of(setting.client, incident)


async def compare(setting: Setting, ledger: Ledger, shape: Shape, total: int, repeats: int) -> tuple[float, float, float]:
    """The medians of both rates, and the median of their ratios, taken in turns."""

    async def one() -> None:
        await report(setting, ledger)

    async def bare() -> None:
        await setting.client.execute_workflow(BareIncident.run, shape, id=f"bare:{uuid.uuid4().hex}", task_queue=INCIDENTS)

    for work in (one, bare):
        await rate(work, min(total, CLIENTS))
    pairs = [(await rate(one, total), await rate(bare, total)) for _ in range(repeats)]
    return median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)
