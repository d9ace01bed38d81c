"""A report is taken while Temporal is away, and started when it is back (R4)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, update

from services.intake.relay import Relay
from services.kit.clock import now
from services.kit.database import Database
from services.kit.settings import Settings
from services.kit.temporal import Target, connect, register_search_attributes
from services.store import outbox
from services.store.outbox import OutboxRow
from tests.kit.problems import problem
from tests.store.rows import fill
from tests.support.running import Organization, RunningMuster, running_muster
from workflows.gateway import IncidentGateway

PATIENCE = 20.0
"""Seconds after which an answer would be a hang."""


def closed_port() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@dataclass
class Alone:
    """A Muster whose Temporal does not answer."""

    muster: RunningMuster
    org: Organization


@pytest.fixture
async def alone(database: Database, tmp_path: Path) -> AsyncIterator[Alone]:
    async with running_muster(database, Target(closed_port()), Settings(data_dir=tmp_path)) as muster:
        org = await muster.organization()
        yield Alone(muster, org)
        await org.api.aclose()


@pytest.mark.feature("R4", "R3")
async def test_without_temporal_reports_are_taken_and_nothing_hangs(alone: Alone, database: Database, target: Target) -> None:
    org = alone.org
    async with asyncio.timeout(PATIENCE):
        made = await org.api.post("/incidents", json={"title": "Temporal is away"})
    assert made.status_code == 201
    incident = made.json()["id"]
    receipt = await org.get(f"/incidents/{incident}/receipt")
    assert (receipt["state"], receipt["participants"]) == ("starting", [])
    assert made.json()["status"]["category"] == "reported"
    async with asyncio.timeout(PATIENCE):
        for path, body in (("/transitions", {"to": "fixing"}), ("/timeline", {"text": "x"}), ("/join", {})):
            response = await org.api.post(f"/incidents/{incident}{path}", json=body)
            problem(response, 503, "temporal_unavailable")
            assert response.headers["Retry-After"]
        problem(await org.api.patch(f"/incidents/{incident}", json={"title": "x"}), 503, "temporal_unavailable")
    problem(await org.api.post(f"/incidents/{incident}/messages", json={"text": "x"}), 409, "channel_not_ready")
    ready = await org.api.get(f"{alone.muster.base_url}/readyz")
    assert ready.status_code == 503
    assert ready.json()["dependencies"] == {"database": "ready", "temporal": "down"}
    assert (await org.api.get(f"{alone.muster.base_url}/healthz")).status_code == 200
    await org.until(lambda: _waits(database, incident))
    # Temporal is back, for a relay that reaches it.
    client = await connect(target)
    await register_search_attributes(client)
    relay = Relay(database, IncidentGateway(client))

    async def started() -> bool:
        await relay.work()
        return bool((await org.get(f"/incidents/{incident}/receipt"))["state"] == "working")

    await org.until(started)
    assert await client.get_workflow_handle(f"incident:{incident}").describe()


async def _waits(database: Database, incident: str) -> bool:
    """Whether the errand to start was tried, and put off with the reason."""
    async with database.read() as session:
        query = select(OutboxRow).where(OutboxRow.incident_id == incident, OutboxRow.errand == "start")
        row = (await session.scalars(query, execution_options=outbox.EVERY)).one()
    return row.attempts > 0 and bool(row.last_error)


@pytest.fixture
async def target(namespace: Target) -> Target:
    """A Temporal that answers."""
    return namespace


@pytest.mark.feature("R4")
async def test_an_errand_that_cannot_be_read_does_not_stop_the_others(database: Database, target: Target) -> None:
    await fill(database, "a")
    async with database.write() as session:
        await session.execute(update(OutboxRow).values(errand="start"), execution_options=outbox.EVERY)
    relay = Relay(database, IncidentGateway(await connect(target)))
    assert await relay.work() == 1
    async with database.read("a") as session:
        row = (await session.scalars(select(OutboxRow))).one()
    assert row.last_error
    assert row.next_at > now()
