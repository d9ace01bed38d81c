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
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.faults import right_people, story
from tests.faults.dies_at import STRUCK
from tests.faults.outcome import Outcome, outcome
from tests.faults.processes import MUSTER, MusterProcess, copied
from workflows.domain.record import Record

AT_ONCE = 6
SAMPLE = 4
"""How many moments an ordinary run kills at, for each victim, where it is not said at which."""
VICTIMS = ("muster", "temporal")
MORTAL = (sys.executable, "-m", "tests.faults.dies_at")


class Kill(NamedTuple):
    """Whom to kill, and when: at the ``at``-th of the moments in which ``among`` is found."""

    victim: str
    among: str
    at: int = 1


@dataclass(frozen=True)
class Tale:
    """A story, and the kills of an ordinary run; none are a sample of all there are."""

    prepare: Callable[[story.Client], Awaitable[None]]
    tell: Callable[[story.Client], Awaitable[str]]
    kills: tuple[Kill, ...] = ()


WORDS = Tale(story.prepare, story.tell)
RIGHT_PEOPLE = Tale(
    right_people.prepare,
    right_people.tell,
    (
        Kill("muster", "after .*on_call_resolved"),
        Kill("muster", "after .*engagement_held"),
        Kill("muster", "after .*engagement_answered"),
        Kill("muster", "after .*participants_engaged", 4),
        Kill("muster", "after .*commander_changed", 3),
        Kill("muster", "after .*participant_left"),
        Kill("temporal", "after .*engagement_answered"),
    ),
)


@dataclass
class Undisturbed:
    """The run that all others are compared with."""

    tale: Tale
    template: Path
    moments: list[str]
    outcome: Outcome


def _muster(folder: Path, program: Path) -> MusterProcess:
    return MusterProcess(folder, program, MUSTER_CALL_URL_TEMPLATE="https://call.example/{organization}-{reference}")


def _fault(journal: Path, kill: Kill) -> dict[str, str]:
    return {
        "FAULT_JOURNAL": str(journal),
        "FAULT_VICTIM": kill.victim,
        "FAULT_AMONG": kill.among,
        "FAULT_AT": str(kill.at),
    }


def _journal(folder: Path) -> list[str]:
    file = folder / "journal"
    return file.read_text().splitlines() if file.exists() else []


def _struck(folder: Path) -> str | None:
    """The moment of the kill, if it came."""
    lines = _journal(folder)
    return lines[lines.index(STRUCK) - 1] if STRUCK in lines else None


@pytest.fixture(scope="session", params=[WORDS, RIGHT_PEOPLE], ids=["words", "right people"])
async def undisturbed(program: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Undisturbed:
    """A data folder with the people of a story, and what comes of the story when nothing fails."""
    tale: Tale = request.param
    template, folder = tmp_path_factory.mktemp("template"), tmp_path_factory.mktemp("runs") / "undisturbed"
    async with _muster(template, program).running() as muster, story.Client(muster) as client:
        await tale.prepare(client)
    muster = _muster(copied(template, folder), program)
    settings = {"FAULT_JOURNAL": str(folder / "journal"), "FAULT_VICTIM": "muster"}
    async with muster.running(MORTAL, **settings), story.Client(muster) as client:
        incident = await tale.tell(client)
        await story.settle(client, incident)
        seen = await outcome(client, incident)
        await _verified_by_command(muster, client, incident)
    return Undisturbed(tale, template, _journal(folder), seen)


async def _verified_by_command(muster: MusterProcess, client: story.Client, incident: str) -> None:
    record = Record.model_validate(await client.get(f"/incidents/{incident}/record.json"))
    file = muster.folder / "record.json"
    file.write_text(record.model_dump_json())
    verify = await asyncio.create_subprocess_exec(*MUSTER, "verify", str(file), stdout=asyncio.subprocess.DEVNULL)
    assert await verify.wait() == 0


async def _killed(undisturbed: Undisturbed, program: Path, folder: Path, kill: Kill) -> list[str]:
    """Tell the story with one kill; answers how it came out differently."""
    muster = _muster(copied(undisturbed.template, folder), program)
    began = time.monotonic()
    await muster.start(MORTAL, **_fault(folder / "journal", kill))
    async with _looked_after(muster), story.Client(muster) as client:
        try:
            incident = await undisturbed.tale.tell(client)
            await story.settle(client, incident)
            differences = undisturbed.outcome.differences(await outcome(client, incident))
        except (AssertionError, TimeoutError) as error:
            differences = [repr(error), muster.log]
    sys.stderr.write(f"{kill}: {time.monotonic() - began:.1f} s {_struck(folder)} {differences}\n")
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
@pytest.mark.feature("R4", "E3", "E4", "E5", "E7", "E8", "E9", "E10", "N6", "L1", "L11")
async def test_a_kill_changes_nothing(
    undisturbed: Undisturbed, program: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    every = request.config.getoption("--all-kill-points", default=False)
    chosen = _every(undisturbed) if every else undisturbed.tale.kills or _sample(undisturbed)
    turns = asyncio.Semaphore(AT_ONCE)

    async def strike(number: int, kill: Kill) -> tuple[Kill, list[str], bool]:
        async with turns:
            folder = tmp_path / str(number)
            differences = await _killed(undisturbed, program, folder, kill)
            return kill, differences, _struck(folder) is not None

    results = await asyncio.gather(*(strike(number, kill) for number, kill in enumerate(chosen)))
    assert {kill: differences for kill, differences, _ in results if differences} == {}
    # The last moments may not come in every run: which work is done in how many transactions depends on its timing.
    assert sum(struck for *_, struck in results) >= 0.75 * len(results)


@pytest.mark.feature("L1")
@pytest.mark.parametrize("undisturbed", [WORDS], ids=["words"], indirect=True)
async def test_a_closure_nobody_heard_of_is_carried_out(undisturbed: Undisturbed, program: Path, tmp_path: Path) -> None:
    """Killed when the log has the closure and Temporal does not; whoever asked for it never asks again."""
    last = sum("events" in moment for moment in undisturbed.moments)
    muster = _muster(copied(undisturbed.template, tmp_path / "data"), program)
    await muster.start(MORTAL, **_fault(tmp_path / "journal", Kill("muster", "events", last)))
    async with _looked_after(muster), story.Client(muster) as client:
        incident = await story.respond(client)
        with pytest.raises(httpx.TransportError):
            await client.http.post(f"/incidents/{incident}/transitions", json=story.CLOSE)
        await story.settle(client, incident)
        assert undisturbed.outcome.differences(await outcome(client, incident)) == []


def _every(undisturbed: Undisturbed) -> list[Kill]:
    return [Kill(victim, "", at) for victim in VICTIMS for at in range(1, len(undisturbed.moments) + 1)]


def _sample(undisturbed: Undisturbed) -> list[Kill]:
    """One of each stretch of the run, the same ones every time."""
    kills = []
    for victim in VICTIMS:
        chance = random.Random(20260101)  # noqa: S311  (a choice, not a secret)
        stretch = len(undisturbed.moments) / SAMPLE
        kills += [Kill(victim, "", 1 + int(stretch * (number + chance.random()))) for number in range(SAMPLE)]
    return kills
