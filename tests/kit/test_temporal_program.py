"""The ways of getting a `temporal` program, with stand-ins for PATH, the SDK's download and Go."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from services.kit import temporal_program
from services.kit.temporal_program import TemporalUnavailable, find_temporal, run_to_end, unless_stalled

TEMPORAL = "echo temporal version 9.9.9"
GO_THAT_BUILDS = f'printf "#!/bin/sh\\n{TEMPORAL}\\n" > "$GOBIN/temporal"'


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def blocked_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's download, as it is where the network lets nothing through."""

    async def start_local(**_: Any) -> None:
        raise RuntimeError("error sending request")

    monkeypatch.setattr(WorkflowEnvironment, "start_local", start_local)


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def nothing(_: str) -> None:
    """Hears what is said and keeps none of it."""


async def test_a_program_on_path_is_used_before_the_kept_one(on_path: Path, data_dir: Path) -> None:
    wanted = script(on_path / "temporal", TEMPORAL)
    script(data_dir / "bin/temporal", TEMPORAL)
    said: list[str] = []

    assert await find_temporal(data_dir, said.append) == wanted
    assert said == [f"Temporal: using {wanted} (temporal version 9.9.9)"]


async def test_a_program_on_path_that_does_not_run_is_passed_over(on_path: Path, data_dir: Path) -> None:
    script(on_path / "temporal", "echo no such shim; exit 127")
    kept = script(data_dir / "bin/temporal", TEMPORAL)

    assert await find_temporal(data_dir, nothing) == kept


@pytest.mark.usefixtures("on_path")
async def test_the_download_is_kept(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[str] = []

    class Server:
        async def shutdown(self) -> None:
            pass

    async def start_local(download_dest_dir: str, **_: Any) -> Server:
        downloads.append(download_dest_dir)
        script(Path(download_dest_dir) / "temporal-sdk-python-1", TEMPORAL)
        return Server()

    monkeypatch.setattr(WorkflowEnvironment, "start_local", start_local)
    first = await find_temporal(data_dir, nothing)
    second = await find_temporal(data_dir, nothing)

    assert first == second == data_dir / "bin/temporal"
    assert len(downloads) == 1
    assert os.listdir(data_dir / "bin") == ["temporal"]


async def test_go_builds_what_cannot_be_downloaded(on_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(on_path / "go", f"{GO_THAT_BUILDS}; /bin/sleep 0.3")
    monkeypatch.setattr(temporal_program, "_TELL_EVERY", timedelta(seconds=0.1))
    said: list[str] = []

    assert await find_temporal(data_dir, said.append) == data_dir / "bin/temporal"
    assert "Temporal: the download failed (error sending request)" in said
    assert "Temporal: building, 0 s" in said


async def test_a_broken_kept_program_is_replaced(on_path: Path, data_dir: Path) -> None:
    script(on_path / "go", GO_THAT_BUILDS)
    kept = script(data_dir / "bin/temporal", "exit 1")

    assert await find_temporal(data_dir, nothing) == kept
    assert TEMPORAL in kept.read_text()


async def test_the_error_names_every_way_its_cause_and_what_to_try(on_path: Path, data_dir: Path) -> None:
    script(on_path / "go", "echo 'go: module lookup disabled' >&2; exit 1")

    with pytest.raises(TemporalUnavailable) as caught:
        await find_temporal(data_dir, nothing)

    message = str(caught.value)
    assert len(caught.value.attempts) == 4
    for part in ("PATH", "TEMPORAL_ADDRESS", str(data_dir), "error sending request", "module lookup disabled", "install Go"):
        assert part in message


@pytest.mark.usefixtures("on_path")
async def test_a_data_folder_that_cannot_be_written_is_named(data_dir: Path) -> None:
    script(data_dir, "a file where a folder should be")

    with pytest.raises(TemporalUnavailable, match="can be written to"):
        await find_temporal(data_dir, nothing)


async def test_a_build_that_is_cancelled_ends_and_leaves_nothing(on_path: Path, data_dir: Path) -> None:
    started = data_dir.parent / "pid"
    script(on_path / "go", f'echo partial > "$GOBIN/temporal"; echo $$ > {started}; /bin/sleep 60')
    search = asyncio.create_task(find_temporal(data_dir, nothing))
    while not (started.exists() and started.read_text()):
        await asyncio.sleep(0.02)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search

    assert os.listdir(data_dir / "bin") == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


async def test_a_stalled_download_is_given_up_but_a_slow_one_is_not(tmp_path: Path) -> None:
    async def slow() -> str:
        for count in range(4):
            (tmp_path / "part").write_text("." * count)
            await asyncio.sleep(0.4)
        return "whole"

    assert await unless_stalled(slow(), tmp_path, timedelta(seconds=1)) == "whole"
    with pytest.raises(TimeoutError, match="nothing arrived"):
        await unless_stalled(asyncio.sleep(60), tmp_path, timedelta(seconds=0.1))


async def test_a_program_that_takes_too_long_is_killed() -> None:
    with pytest.raises(TimeoutError, match="not done"):
        await run_to_end(["/bin/sleep", "60"], limit=timedelta(seconds=0.1))
