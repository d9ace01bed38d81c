"""A report is taken while Temporal is away, and started when it is back (R4)."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update
from temporalio.client import WorkflowExecutionStatus

from services.intake.relay import Relay
from services.kit.clock import now
from services.kit.database import Database
from services.kit.settings import Settings
from services.kit.temporal import Target, connect, register_search_attributes
from services.store import outbox
from services.store.incidents import Incident
from services.store.outbox import OutboxRow
from tests.kit.problems import problem
from tests.store.rows import fill
from tests.support.ports import free_port
from tests.support.running import Organization, running_muster
from workflows.gateway import IncidentGateway

PATIENCE = 60.0
"""Seconds after which an answer would be a hang."""


@pytest.mark.feature("R4", "R3")
async def test_without_temporal_reports_are_taken_and_nothing_hangs(
    database: Database, tmp_path: Path, namespace: Target
) -> None:
    async with running_muster(database, Target(f"127.0.0.1:{free_port()}"), Settings(data_dir=tmp_path)) as muster:
        org = await muster.organization()
        async with asyncio.timeout(PATIENCE):
            made = await org.api.post("/incidents", json={"title": "Temporal is away"})
            await answers_without_temporal(org, made)
        incident = made.json()["id"]
        await org.until(lambda: _waits(database, incident))
        await org.api.aclose()
    # Temporal is back: a relay finds in the outbox what is to be started.
    async with database.write() as session:
        await session.execute(update(OutboxRow).values(next_at=OutboxRow.created_at), execution_options=outbox.EVERY)
    client = await connect(namespace)
    await register_search_attributes(client)
    assert await Relay(database, IncidentGateway(client)).work() >= 1
    description = await client.get_workflow_handle(f"incident:{incident}").describe()
    assert description.status is WorkflowExecutionStatus.RUNNING
    async with database.read() as session:
        left = (await session.scalars(select(OutboxRow.errand), execution_options=outbox.EVERY)).all()
    assert "start" not in left


async def answers_without_temporal(org: Organization, made: httpx.Response) -> None:
    """The report was taken; whatever needs Temporal is refused, and says so."""
    assert made.status_code == 201
    assert made.json()["status"]["category"] == "reported"
    path = f"/incidents/{made.json()['id']}"
    receipt = await org.get(f"{path}/receipt")
    assert (receipt["state"], receipt["participants"]) == ("starting", [])
    for command, body in (("/transitions", {"to": "fixing"}), ("/timeline", {"text": "x"}), ("/join", {})):
        response = await org.api.post(f"{path}{command}", json=body)
        problem(response, 503, "temporal_unavailable")
        assert response.headers["Retry-After"]
    problem(await org.api.patch(path, json={"title": "x"}), 503, "temporal_unavailable")
    problem(await org.api.post(f"{path}/messages", json={"text": "x"}), 409, "channel_not_ready")
    ready = await org.api.get(f"{org.base_url}/readyz")
    assert ready.status_code == 503
    assert ready.json()["dependencies"] == {"database": "ready", "temporal": "down"}
    assert (await org.api.get(f"{org.base_url}/healthz")).status_code == 200


async def _waits(database: Database, incident: str) -> bool:
    """Whether the errand to start was tried, and put off with the reason."""
    async with database.read() as session:
        query = select(OutboxRow).where(OutboxRow.subject_id == incident, OutboxRow.errand == "start")
        row = (await session.scalars(query, execution_options=outbox.EVERY)).one()
    return row.attempts > 0 and bool(row.last_error)


@pytest.mark.feature("R4")
async def test_an_errand_that_cannot_be_read_does_not_stop_the_others(database: Database, namespace: Target) -> None:
    await fill(database, "a")
    async with database.write() as session:
        await session.execute(update(OutboxRow).values(errand="start"), execution_options=outbox.EVERY)
    relay = Relay(database, IncidentGateway(await connect(namespace)))
    assert await relay.work() == 1
    async with database.read("a") as session:
        row = (await session.scalars(select(OutboxRow))).one()
    assert row.last_error
    assert row.next_at > now()


@pytest.mark.feature("R4")
async def test_whatever_is_wrong_with_one_errand_the_relay_goes_on(database: Database, namespace: Target) -> None:
    made = await fill(database, "a")
    async with database.write() as session:
        errand = update(OutboxRow).values(errand="start", subject_id=made[Incident].id)
        await session.execute(errand, execution_options=outbox.EVERY)
    async with database.write("a") as session:
        (await session.get_one(Incident, made[Incident].id)).state = {"version": {}}
    relay = Relay(database, IncidentGateway(await connect(namespace)))
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(PATIENCE):
        while not await _was_put_off(database):
            await asyncio.sleep(0.05)
    assert not running.done()
    running.cancel()


async def _was_put_off(database: Database) -> bool:
    async with database.read("a") as session:
        return bool((await session.scalars(select(OutboxRow))).one().last_error)
