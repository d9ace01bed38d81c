"""A whole Muster for tests: real workers, a real HTTP server on loopback, a real Temporal."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from services.app import Muster, assemble, create_app
from services.engagement.oncall.provider import OnCallProvider
from services.engagement.targets import PROVIDERS
from services.kit.database import Database
from services.kit.settings import Settings
from services.kit.temporal import Target

PATIENCE = 30.0
"""Seconds a test waits for something that takes a moment."""


@dataclass
class Organization:
    """An organization of its own for one test, with a client that is its owner."""

    slug: str
    token: str
    base_url: str
    api: httpx.AsyncClient

    async def post(self, path: str, body: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """POST that must succeed."""
        response = await self.api.post(path, json=body, **more)
        assert response.is_success, response.text
        return dict(response.json())

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """GET that must succeed."""
        response = await self.api.get(path, params=params)
        assert response.is_success, response.text
        return dict(response.json())

    async def every(self, path: str, entries: str = "data", **params: Any) -> list[dict[str, Any]]:
        """A whole list, page by page."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = await self.get(path, page_size=100, **params, **after)
            found += page[entries]
            if page["pagination"]["after"] is None:
                return found
            after = {"after": page["pagination"]["after"]}

    async def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PATCH that must succeed."""
        response = await self.api.patch(path, json=body)
        assert response.is_success, response.text
        return dict(response.json())

    async def individual(self, name: str, *terms: str) -> dict[str, Any]:
        """A contact with terms."""
        email = f"{name.lower().replace(' ', '.')}.{uuid.uuid4().hex[:6]}@example.org"
        return await self.post("/individuals", {"name": name, "email": email, "terms": list(terms)})

    async def report(self, title: str, **more: Any) -> dict[str, Any]:
        """A report that was worked off: its receipt is ready. Answers the incident as it is then."""
        made = await self.post("/incidents", {"title": title, **more})
        await self.until(lambda: self._ready(made["id"]))
        return await self.get(f"/incidents/{made['id']}")

    async def participants(self, incident: str) -> dict[str, dict[str, Any]]:
        """Who is or was in an incident, by name."""
        found = await self.every(f"/incidents/{incident}/participants")
        return {participant["individual"]["name"]: participant for participant in found}

    async def deliveries(self, incident: str) -> list[dict[str, Any]]:
        """Every delivery of an incident."""
        found = await self.get("/deliveries", incident=incident, page_size=100)
        return list(found["data"])

    async def all_sent(self, incident: str) -> bool:
        """Whether there are deliveries, and none is pending."""
        found = await self.deliveries(incident)
        return bool(found) and all(delivery["state"] == "sent" for delivery in found)

    async def until(self, condition: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(patience):
            while not await condition():
                await asyncio.sleep(0.05)

    async def _ready(self, incident: str) -> bool:
        return bool((await self.get(f"/incidents/{incident}/receipt"))["state"] == "ready")


@dataclass
class RunningMuster:
    """A Muster that is up."""

    muster: Muster
    base_url: str

    async def organization(self) -> Organization:
        """A new organization that nobody else uses."""
        slug = f"t{uuid.uuid4().hex[:10]}"
        token = await self.muster.organizations.begin(slug, slug.capitalize(), ("Olive Owner", f"olive@{slug}.example"))
        assert token is not None
        api = httpx.AsyncClient(
            base_url=f"{self.base_url}/api/v1/{slug}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
        )
        return Organization(slug, token, self.base_url, api)


@asynccontextmanager
async def running_muster(
    database: Database,
    target: Target,
    settings: Settings,
    port: int = 0,
    providers: Mapping[str, OnCallProvider] = PROVIDERS,
) -> AsyncIterator[RunningMuster]:
    """Serve every service on a port of this machine (0: any free one), with workers, until the block ends."""
    muster = await assemble(settings, database, target, providers)
    app = create_app(muster)
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield RunningMuster(muster, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await serving
