"""One incident from report to closed, told by a client that asks again until it is answered."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from services.kit.temporal import Target, connect
from tests.faults.processes import MusterProcess
from workflows.contracts.incident import workflow_id

FIRST = ("Credential", "Leak", "Credential Leak")
LATER = ("System", "Compromise", "System Compromise")
PATIENCE = 90.0
"""Seconds for anything to happen: a restart, and the time-outs by which Temporal notices that a worker is dead."""


class Client:
    """Asks until it is answered, with the same key, as a careful client does."""

    def __init__(self, muster: MusterProcess, token: str | None = None) -> None:
        """``token``: the one of whoever asks, where it is not the owner's, or another process made that."""
        self.muster = muster
        self.http = httpx.AsyncClient(
            base_url=f"{muster.url}/api/v1/default", headers={"Authorization": f"Bearer {token or muster.token}"}, timeout=30
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        """The answer to a request that must be granted in the end."""
        headers = {"Idempotency-Key": f"{method} {path} {body}"} if method == "POST" else {}
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    response = await self.http.request(method, path, json=body, headers=headers, **more)
                    if response.status_code not in {202, 503}:
                        break
                await asyncio.sleep(0.2)
        assert response.is_success, f"{method} {path} {body}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def get(self, path: str, **params: Any) -> Any:
        """The answer to a GET."""
        return await self.ask("GET", path, params=params)

    async def data(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """A whole list, that is short."""
        return list((await self.get(path, page_size=100, **params))["data"])

    async def sent(self, incident: str, deliveries: int) -> bool:
        """Whether an incident is open, and so many deliveries of it were made, and all of them sent."""
        receipt = await self.get(f"/incidents/{incident}/receipt")
        states = Counter(delivery["state"] for delivery in await self.data("/deliveries", incident=incident))
        return receipt["state"] == "ready" and states == {"sent": deliveries}

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until a condition holds."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await condition():
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{what}: not after {PATIENCE} s") from None


async def prepare(client: Client) -> None:
    """The people of the story."""
    for phrase in FIRST + LATER:
        email = f"{phrase.lower().replace(' ', '.')}@example.org"
        await client.ask("POST", "/individuals", {"name": f"{phrase} Person", "email": email, "terms": [phrase]})


CLOSE = {"to": "closed", "run_learning_flow": False, "reason": "A drill."}


async def tell(client: Client) -> str:
    """The whole story; answers the incident's id."""
    incident = await respond(client)
    await client.ask("POST", f"/incidents/{incident}/transitions", CLOSE)
    return incident


async def respond(client: Client) -> str:
    """All but its end: report, engage, change, engage more, let one go, hand over, stabilise; answers the incident's id."""
    made = await client.ask("POST", "/incidents", {"title": "credential-leak!", "severity": "High"})
    incident, path = made["id"], f"/incidents/{made['id']}"
    await client.until(lambda: client.sent(incident, 2 * 4), "four welcomed")
    people = {one["individual"]["name"]: one["individual"]["id"] for one in await client.data(f"{path}/participants")}
    await client.ask("PATCH", path, {"title": "System Compromise", "description": "A system compromise."})
    await client.until(lambda: client.sent(incident, 2 * 7), "seven welcomed")
    await client.ask("DELETE", f"{path}/participants/{people['Leak Person']}")
    await client.ask("PUT", f"{path}/commander", {"individual": people["Credential Person"]})
    await client.until(lambda: client.sent(incident, 2 * 8), "the new commander told")
    await client.ask("POST", f"{path}/timeline", {"text": "The key is revoked."})
    await client.ask("POST", f"{path}/messages", {"text": "All quiet."})
    await client.ask("POST", f"{path}/transitions", {"to": "fixing"})
    await client.ask("POST", f"{path}/transitions", {"to": "stable"})
    return str(incident)


async def settle(client: Client, incident: str) -> None:
    """Wait until nothing is left to do, in the outbox and in Temporal."""

    async def settled() -> bool:
        with sqlite3.connect(f"file:{client.muster.folder / 'muster.db'}?mode=ro", uri=True, timeout=10) as database:
            errands = database.execute("SELECT subject_id, errand, attempts, last_error FROM outbox").fetchall()
        try:
            temporal = await connect(Target(f"127.0.0.1:{client.muster.temporal_port}"))
            described = await temporal.get_workflow_handle(workflow_id(incident)).describe()
            running = await temporal.count_workflows("ExecutionStatus='Running'")
        except (RPCError, RuntimeError):
            return False
        return not errands and described.status is WorkflowExecutionStatus.COMPLETED and running.count == 0

    await client.until(settled, "outbox empty, every workflow complete")
