"""Every service as a process of its own, all at once on an empty PostgreSQL and one Temporal."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.app import NAMES
from services.kit.temporal import Target
from tests.conftest import new_database_url
from tests.faults.processes import MusterProcess
from tests.faults.story import FIRST, LATER, Client

ROUTES = {
    "accounts": "/api/v1/default/me",
    "intake": "/api/v1/default/incidents/{incident}/receipt",
    "engagement": "/api/v1/default/incidents/{incident}/participants",
    "lifecycle": "/api/v1/default/incidents/{incident}",
    "notify": "/api/v1/default/deliveries",
    "web": "/default",
}
"""A route of each service, that no other answers."""


class Split:
    """The processes, and a client for each."""

    def __init__(self, processes: dict[str, MusterProcess], clients: dict[str, Client]) -> None:
        self.processes = processes
        self.clients = clients

    async def report(self, title: str) -> str:
        """A new incident's id."""
        made = await self.clients["intake"].ask("POST", "/incidents", {"title": title})
        return str(made["id"])

    async def sent(self, incident: str) -> Counter[str]:
        """How many deliveries each person has, once all are sent."""
        deliveries = await self.clients["notify"].data("/deliveries", incident=incident)
        return Counter(d["recipient"]["name"] for d in deliveries if d["state"] == "sent")

    async def until_welcomed(self, incident: str, people: int) -> None:
        """Wait until so many people have both their welcomes."""

        async def welcomed() -> bool:
            sent = await self.sent(incident)
            return len(sent) == people and set(sent.values()) == {2}

        await self.clients["notify"].until(welcomed, f"{people} welcomed")


@pytest.fixture
async def split(namespace: Target, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Split]:
    """All services, started at the same time."""
    shared = {
        "MUSTER_DATABASE_URL": await new_database_url("postgresql", tmp_path, request),
        "TEMPORAL_ADDRESS": namespace.address or "",
        "TEMPORAL_NAMESPACE": namespace.namespace or "",
    }
    processes = {name: MusterProcess(tmp_path / name, None, ("serve", name), **shared) for name in NAMES}
    async with contextlib.AsyncExitStack() as stack:
        for process in processes.values():
            await process.start()
            stack.push_async_callback(process.stop)
        await asyncio.gather(*(process.until_ready() for process in processes.values()))
        token = processes["accounts"].token
        clients = {name: await stack.enter_async_context(Client(process, token)) for name, process in processes.items()}
        yield Split(processes, clients)


@pytest.mark.timeout(300)
@pytest.mark.feature("E2", "E4", "N1", "N7", "O1")
async def test_the_story_works_across_processes_and_outlives_one_that_stops(split: Split) -> None:
    assert "/sign-in?link=" in split.processes["accounts"].log
    for phrase in FIRST + LATER:
        email = f"{phrase.lower().replace(' ', '.')}@example.org"
        person = {"name": f"{phrase} Person", "email": email, "terms": [phrase]}
        await split.clients["engagement"].ask("POST", "/individuals", person)
    incident = await split.report("credential-leak!")
    await split.until_welcomed(incident, 4)
    await _each_answers_only_its_own(split, incident)

    notify = split.processes["notify"]
    assert await notify.stop() == 0
    lifecycle, path = split.clients["lifecycle"], f"/incidents/{incident}"
    await lifecycle.ask("PATCH", path, {"title": "System Compromise"})
    await lifecycle.until(lambda: _people(split, incident, 7), "three more engaged")
    await lifecycle.ask("POST", f"{path}/transitions", {"to": "stable"})
    assert (await lifecycle.get(path))["status"]["category"] == "stable"

    await notify.start()
    await notify.until_ready()
    await split.until_welcomed(incident, 7)
    inbox = Counter(message["recipient"]["name"] for message in await split.clients["notify"].data("/inbox"))
    assert set(inbox.values()) == {2}
    await lifecycle.ask("POST", f"{path}/transitions", {"to": "closed", "run_learning_flow": False, "reason": "A drill."})
    assert (await lifecycle.get(path))["closed_at"] is not None


async def _each_answers_only_its_own(split: Split, incident: str) -> None:
    async with httpx.AsyncClient(headers=dict(split.clients["web"].http.headers)) as http:
        for asked, process in split.processes.items():
            for owner, route in ROUTES.items():
                answer = await http.get(process.url + route.format(incident=incident))
                assert (answer.status_code != 404) == (asked == owner), (asked, owner, answer.status_code, answer.text)


async def _people(split: Split, incident: str, wanted: int) -> bool:
    return len(await split.clients["engagement"].data(f"/incidents/{incident}/participants")) == wanted
