"""The embedded server, run for real: its start, its deaths, its neighbours and its end."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from services.kit.temporal_program import TemporalUnavailable, find_temporal
from services.kit.temporal_server import EmbeddedTemporal, TemporalNotStarted

# What a Muster that is killed with no chance to clean up looks like from outside.
OWNER = """
import asyncio, sys
from pathlib import Path
from services.kit.temporal_server import EmbeddedTemporal

async def main():
    async with EmbeddedTemporal(Path(sys.argv[1]), Path(sys.argv[2]), print, port=0, ui_port=0):
        print("ready", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
async def program() -> Path:
    try:
        return await find_temporal(Path(os.environ.get("MUSTER_DATA_DIR") or "var"), print)
    except TemporalUnavailable as error:
        pytest.skip(str(error))


class Said(list[str]):
    """Collects what the server says."""

    def __call__(self, line: str) -> None:
        self.append(line)

    def __str__(self) -> str:
        return "\n".join(self)


@pytest.fixture
def said() -> Said:
    return Said()


def pid_of(data_dir: Path) -> int:
    return int((data_dir / "temporal.pid").read_text())


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.02)


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


async def test_it_answers_while_open_and_leaves_no_process(program: Path, tmp_path: Path, said: Said) -> None:
    async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0) as temporal:
        pid = pid_of(tmp_path)
        await (await Client.connect(temporal.address)).count_workflows()
        async with httpx.AsyncClient() as browser:
            assert (await browser.get(temporal.ui_url, follow_redirects=True)).status_code == 200
        # Ctrl-C in a terminal must not reach the server before the workers have stopped.
        assert os.getsid(pid) != os.getsid(0)

    assert not is_running(pid)
    assert (tmp_path / "temporal.db").exists()
    assert said == []


async def test_it_returns_after_kill_9_with_its_address_and_its_data(program: Path, tmp_path: Path, said: Said) -> None:
    async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0) as temporal:
        address, pid = temporal.address, pid_of(tmp_path)
        client = await Client.connect(address)
        await client.start_workflow("Waits", id="before", task_queue="nobody")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: "answers again" in str(said))

        assert temporal.address == address
        assert pid_of(tmp_path) != pid
        assert (await client.get_workflow_handle("before").describe()).id == "before"
        assert "was ended by SIGKILL; starting it again" in said[0]


async def test_busy_ports_are_replaced_and_said(program: Path, tmp_path: Path, said: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        busy = [one.getsockname()[1], two.getsockname()[1]]
        async with EmbeddedTemporal(program, tmp_path, said, port=busy[0], ui_port=busy[1]) as temporal:
            await (await Client.connect(temporal.address)).count_workflows()

    assert said[0] == f"Port {busy[0]} is taken; Temporal will be on {temporal.address.rpartition(':')[2]}"
    assert said[1] == f"Port {busy[1]} is taken; Temporal's pages will be on {temporal.ui_url.rpartition(':')[2]}"


async def test_the_wanted_ports_are_kept_over_restarts(program: Path, tmp_path: Path, said: Said) -> None:
    async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0) as first:
        ports = [int(url.rpartition(":")[2]) for url in (first.address, first.ui_url)]
    async with EmbeddedTemporal(program, tmp_path, said, port=ports[0], ui_port=ports[1]) as second:
        assert (second.address, second.ui_url) == (first.address, first.ui_url)


async def test_a_server_left_behind_is_ended_first(program: Path, tmp_path: Path, said: Said) -> None:
    database = str(tmp_path / "temporal.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    options = ["--ip", "127.0.0.1", "--port", port, "--headless", "--db-filename", database]
    orphan = await asyncio.create_subprocess_exec(program, "server", "start-dev", *options)
    await until(Path(database).exists)
    (tmp_path / "temporal.pid").write_text(str(orphan.pid))

    async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0):
        assert not is_running(orphan.pid)
    assert f"left behind (pid {orphan.pid})" in said[0]
    assert await orphan.wait() == 0


async def test_a_process_that_only_has_the_number_is_left_alone(program: Path, tmp_path: Path, said: Said) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    (tmp_path / "temporal.pid").write_text(str(stranger.pid))

    async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0):
        assert is_running(stranger.pid)
    stranger.kill()
    await stranger.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_it_ends_with_an_owner_that_is_killed(program: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-c", OWNER, str(program), str(tmp_path))
    owner = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert owner.stdout is not None
    assert await owner.stdout.readline() == b"ready\n"
    pid = pid_of(tmp_path)
    owner.kill()
    await owner.wait()

    await until(lambda: not is_running(pid))


async def test_a_data_folder_in_use_is_refused(program: Path, tmp_path: Path, said: Said) -> None:
    async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0):
        pid = pid_of(tmp_path)
        with pytest.raises(TemporalNotStarted, match="MUSTER_DATA_DIR"):
            async with EmbeddedTemporal(program, tmp_path, said, port=0, ui_port=0):
                pass
        assert is_running(pid)


async def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path, said: Said) -> None:
    (tmp_path / "temporal.log").write_text("of an earlier run\n")
    broken = script(tmp_path / "temporal", "echo the disk is full >&2; exit 3")

    with pytest.raises(TemporalNotStarted) as caught:
        async with EmbeddedTemporal(broken, tmp_path, said, port=0, ui_port=0):
            pass

    assert "ended with exit code 3" in str(caught.value)
    assert "the disk is full" in str(caught.value)
    assert "of an earlier run" not in str(caught.value)


async def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path: Path, said: Said) -> None:
    silent = script(tmp_path / "temporal", f"echo $$ > {tmp_path}/silent; exec sleep 60")
    limit = timedelta(seconds=0.5)

    with pytest.raises(TemporalNotStarted, match="did not answer"):
        async with EmbeddedTemporal(silent, tmp_path, said, port=0, ui_port=0, start_limit=limit):
            pass

    assert not is_running(int(await asyncio.to_thread((tmp_path / "silent").read_text)))
