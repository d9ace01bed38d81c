"""kill -9 at every step: of the whole Muster, and of Temporal alone. What comes of it equals the undisturbed run.

A step is a moment right before or right after a commit; the undisturbed run says how many there are. Every kill has a data
folder, a Muster and a Temporal of its own. The kills of one test run side by side: most of the time each only waits for Temporal
to notice that the worker that held a task is dead.
"""

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.faults import story
from tests.faults.dies_at import STRUCK
from tests.faults.processes import MUSTER, MusterProcess, copied
from workflows.domain.record import Record

AT_ONCE = 4
SAMPLE = 6
"""How many moments an ordinary run kills at, for each victim."""
MORTAL = (sys.executable, "-m", "tests.faults.dies_at")


@dataclass
class Undisturbed:
    """The run that all others are compared with."""

    template: Path
    moments: list[str]
    outcome: story.Outcome


def _muster(folder: Path, program: Path) -> MusterProcess:
    return MusterProcess(folder, program, MUSTER_CALL_URL_TEMPLATE="https://call.example/{organization}-{reference}")


def _journal(folder: Path) -> list[str]:
    file = folder / "journal"
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="session")
async def undisturbed(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """A data folder with the people of the story, and what comes of the story when nothing fails."""
    template, folder = tmp_path_factory.mktemp("template"), tmp_path_factory.mktemp("runs") / "undisturbed"
    async with _muster(template, program).running() as muster, story.Client(muster) as client:
        await story.prepare(client)
    muster = _muster(copied(template, folder), program)
    settings = {"FAULT_JOURNAL": str(folder / "journal"), "FAULT_VICTIM": "muster"}
    async with muster.running(MORTAL, **settings), story.Client(muster) as client:
        incident = await story.tell(client)
        await story.settle(muster, client, incident)
        seen = await story.outcome(muster, client, incident)
        await _verified_by_command(muster, client, incident)
    return Undisturbed(template, _journal(folder), seen)


async def _verified_by_command(muster: MusterProcess, client: story.Client, incident: str) -> None:
    record = Record.model_validate(await client.get(f"/incidents/{incident}/record.json"))
    file = muster.folder / "record.json"
    file.write_text(record.model_dump_json())
    verify = await asyncio.create_subprocess_exec(*MUSTER, "verify", str(file), stdout=asyncio.subprocess.DEVNULL)
    assert await verify.wait() == 0


async def _killed(undisturbed: Undisturbed, program: Path, folder: Path, victim: str, at: int) -> list[str]:
    """Tell the story with one kill; answers how it came out differently."""
    muster = _muster(copied(undisturbed.template, folder), program)
    fault = {"FAULT_JOURNAL": str(folder / "journal"), "FAULT_VICTIM": victim, "FAULT_AT": str(at)}
    began = time.monotonic()
    await muster.start(MORTAL, **fault)
    async with _looked_after(muster), story.Client(muster) as client:
        try:
            incident = await story.tell(client)
            await story.settle(muster, client, incident)
            differences = undisturbed.outcome.differences(await story.outcome(muster, client, incident))
        except (AssertionError, TimeoutError) as error:
            differences = [repr(error), muster.log]
    sys.stderr.write(f"{victim} at {at}: {time.monotonic() - began:.1f} s {_journal(folder)[at - 1 : at]} {differences}\n")
    return differences


@contextlib.asynccontextmanager
async def _looked_after(muster: MusterProcess) -> AsyncIterator[None]:
    """Start it again once it was killed; stop it when the block ends."""

    async def again() -> None:
        assert muster.process is not None
        await muster.process.wait()
        await muster.start()

    guard = asyncio.create_task(again())
    try:
        yield
    finally:
        guard.cancel()
        await asyncio.wait({guard})
        await muster.stop()


@pytest.mark.timeout(3600)
@pytest.mark.feature("R4", "E4", "E5", "N6", "L1", "L11")
@pytest.mark.parametrize("victim", ["muster", "temporal"])
async def test_a_kill_changes_nothing(
    victim: str, undisturbed: Undisturbed, program: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    moments = range(1, len(undisturbed.moments) + 1)
    chosen = moments if request.config.getoption("--all-kill-points", default=False) else _spread(moments)
    turns = asyncio.Semaphore(AT_ONCE)

    async def kill(at: int) -> tuple[str, list[str], bool]:
        async with turns:
            folder = tmp_path / str(at)
            differences = await _killed(undisturbed, program, folder, victim, at)
            return f"{at}, {undisturbed.moments[at - 1]}", differences, STRUCK in _journal(folder)

    results = await asyncio.gather(*(kill(at) for at in chosen))
    assert {at: differences for at, differences, _ in results if differences} == {}
    # The last moments may not come in every run: which work is done in how many transactions depends on its timing.
    assert sum(struck for *_, struck in results) >= 0.75 * len(results)


@pytest.mark.feature("L1")
async def test_a_closure_nobody_heard_of_is_carried_out(undisturbed: Undisturbed, program: Path, tmp_path: Path) -> None:
    """Killed when the log has the closure and Temporal does not; whoever asked for it never asks again."""
    last = sum("events" in moment for moment in undisturbed.moments)
    muster = _muster(copied(undisturbed.template, tmp_path / "data"), program)
    fault = {"FAULT_JOURNAL": str(tmp_path / "journal"), "FAULT_VICTIM": "muster", "FAULT_AT": str(last), "FAULT_AMONG": "events"}
    await muster.start(MORTAL, **fault)
    async with _looked_after(muster), story.Client(muster) as client:
        incident = await story.respond(client)
        with pytest.raises(httpx.TransportError):
            await client.http.post(f"/incidents/{incident}/transitions", json=story.CLOSE)
        await story.settle(muster, client, incident)
        assert undisturbed.outcome.differences(await story.outcome(muster, client, incident)) == []


def _spread(moments: range) -> list[int]:
    """One of each stretch of the run, the same ones every time."""
    chance = random.Random(20260101)  # noqa: S311  (a choice, not a secret)
    stretch = len(moments) / SAMPLE
    return [moments[int(stretch * number + chance.random() * stretch)] for number in range(SAMPLE)]
