"""Reports acknowledged per second, and how long each takes. The load is a process of its own:

    python -m tests.bench.reports URL TOKEN CLIENTS TOTAL

posts and prints the seconds of each, and of all, as JSON.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from dataclasses import dataclass

import httpx

from tests.bench.setting import Setting
from tests.support.running import PATIENCE


@dataclass(frozen=True)
class Load:
    """What the clients of one round saw: seconds of each report, and of the whole."""

    each: list[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Reports acknowledged per second."""
        return len(self.each) / self.seconds


async def load(setting: Setting, clients: int, total: int) -> Load:
    """One round, from another process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, setting.base_url, setting.token, str(clients), str(total), stdout=PIPE
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError("the load did not go through")
    return Load(**json.loads(output))


async def _post(url: str, token: str, clients: int, total: int) -> Load:
    each: list[float] = []
    left = iter(range(total))

    async def client() -> None:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE) as api:
            (await api.get("/incidents", params={"page_size": 1})).raise_for_status()
            ready.release()
            await go.wait()
            for number in left:
                started = time.perf_counter()
                (await api.post("/incidents", json={"title": f"report {number}"})).raise_for_status()
                each.append(time.perf_counter() - started)

    ready, go = asyncio.Semaphore(0), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
        for _ in range(clients):
            await ready.acquire()
        started = time.perf_counter()
        go.set()
    return Load(each, time.perf_counter() - started)


if __name__ == "__main__":
    done = asyncio.run(_post(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    sys.stdout.write(json.dumps({"each": done.each, "seconds": done.seconds}))
