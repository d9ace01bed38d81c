"""How long a change of status takes: through the gateway and over HTTP, against a bare update with one local activity."""

import itertools
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

from tests.bench.bare import INCIDENTS, BareMailbox, Nothing
from tests.bench.setting import Setting
from workflows.domain.commands import ChangeStatus
from workflows.gateway import IncidentGateway

TARGET = 1.5
_ROUND_TRIP = ("fixing", "monitoring")
_WARM_UP = 10


@dataclass
class Latencies:
    """Seconds each call took, and for each round its ratio to the bare update of the same round."""

    seconds: list[float] = field(default_factory=list)
    ratio: float = 1.0


async def compare(setting: Setting, incident: str, repeats: int) -> tuple[Latencies, Latencies, Latencies]:
    """Bare, gateway and HTTP, in turns; the ratios are of medians."""
    gateway = IncidentGateway(setting.client)
    mailbox = await setting.client.start_workflow(BareMailbox.run, id=f"bare:{uuid.uuid4().hex}", task_queue=INCIDENTS)
    statuses = itertools.cycle(_ROUND_TRIP)

    async def bare() -> None:
        await mailbox.execute_update("do_nothing", Nothing(number=0), result_type=Nothing)

    async def by_gateway() -> None:
        await gateway.command(incident, ChangeStatus(command_id=uuid.uuid4().hex, to=next(statuses)))

    async def by_http() -> None:
        response = await setting.api.post(f"/incidents/{incident}/transitions", json={"to": next(statuses)})
        response.raise_for_status()

    found = (Latencies(), Latencies(), Latencies())
    for number in range(repeats + _WARM_UP):
        for latencies, call in zip(found, (bare, by_gateway, by_http), strict=True):
            seconds = await _timed(call)
            if number >= _WARM_UP:
                latencies.seconds.append(seconds)
    for latencies in found:
        latencies.ratio = median(latencies.seconds) / median(found[0].seconds)
    return found


async def _timed(call: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await call()
    return time.perf_counter() - started
