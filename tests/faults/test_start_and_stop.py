"""`muster up` as a process: it says why it does not start, stops cleanly, and goes on where it was."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.faults import story
from tests.faults.processes import MUSTER, MusterProcess


@pytest.mark.feature("L1", "R4")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly_with_a_stream_open_and_goes_on_afterwards(
    how: signal.Signals, program: Path, tmp_path: Path
) -> None:
    muster = MusterProcess(tmp_path, program)
    async with muster.running(), story.Client(muster) as client:
        path = f"/incidents/{(await client.ask('POST', '/incidents', {'title': 'leak'}))['id']}"
        await client.until(lambda: _ready(client, path), "ready")
        async with client.http.stream("GET", f"{path}/stream") as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            stopping = asyncio.create_task(muster.stop(how))
            with contextlib.suppress(httpx.RemoteProtocolError):
                async for _ in lines:
                    pass
        async with asyncio.timeout(15):
            assert await stopping == 0
    assert "Stopped." in muster.log
    assert "Traceback" not in muster.log
    assert muster.left_behind() == []

    async with muster.running(), story.Client(muster) as client:
        await client.ask("POST", f"{path}/transitions", {"to": "stable"})
        assert (await client.get(path))["status"]["id"] == "stable"


@pytest.mark.feature("R4")
async def test_ctrl_c_pressed_twice_still_stops_cleanly(program: Path, tmp_path: Path) -> None:
    muster = MusterProcess(tmp_path, program)
    async with muster.running():
        assert muster.process is not None
        muster.process.send_signal(signal.SIGINT)
        assert await muster.stop(signal.SIGINT) == 0
    assert muster.log.rstrip().endswith("Stopped.")
    assert muster.left_behind() == []


@pytest.mark.feature("L11", "O3")
async def test_commands_beside_it_find_where_it_runs(program: Path, tmp_path: Path) -> None:
    muster = MusterProcess(tmp_path, program, MUSTER_PUBLIC_URL="http://muster.example:81")
    async with muster.running():
        # Given by somebody who does not repeat the settings.
        assert await _beside(muster, "recover") == (0, "0 open incidents have a workflow.\n")
        code, said = await _beside(muster, "sign-in-link")
        assert (code, said.partition("=")[0]) == (0, "http://muster.example:81/sign-in?link")
        _, said = await _beside(muster, "sign-in-link", MUSTER_PORT="82")
        assert said.startswith("http://127.0.0.1:82/sign-in?link=")
        code, said = await _beside(muster, "recover", TEMPORAL_ADDRESS="127.0.0.1:1")
        assert code == 1
    assert not (tmp_path / "running.json").exists()


@pytest.mark.feature("R4")
@pytest.mark.parametrize(("arguments", "words"), [((), "sign-in-link"), (("bogus",), "muster: No such command 'bogus'.")])
async def test_a_command_that_does_not_exist_is_explained(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    code, said = await MusterProcess(tmp_path, None, arguments).run()
    assert code == 2
    assert words in said
    assert "Traceback" not in said


@pytest.mark.feature("R4")
async def test_a_second_one_on_the_same_data_refuses(program: Path, tmp_path: Path) -> None:
    async with MusterProcess(tmp_path, program).running() as first, story.Client(first) as client:
        code, said = await MusterProcess(tmp_path, program).run()
        assert code == 1
        assert f"Another process runs a Temporal server in {tmp_path}. Stop it, or set MUSTER_DATA_DIR" in said
        assert (await client.get("/me"))["role"] == "owner"


@pytest.mark.feature("R4")
async def test_a_port_that_is_taken_is_named_with_what_to_do(program: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = await MusterProcess(tmp_path, program, MUSTER_PORT=str(port)).run()
    assert code == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in said
    assert "MUSTER_PORT" in said
    assert "Traceback" not in said


@pytest.mark.feature("R4")
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"MUSTER_PORT": "eighty", "MUSTER_TEMPORAL_PORT": "99999", "MUSTER_LOG_LEVEL": "LOUD", "MUSTER_DATABASE_URL": "x"}, 2),
        ({"MUSTER_DATABASE_URL": "postgresql://127.0.0.1:1/muster"}, 1),
        ({"MUSTER_SMTP_SECURITY": "strong"}, 2),
    ],
)
async def test_settings_that_make_no_sense_are_named(settings: dict[str, str], code: int, program: Path, tmp_path: Path) -> None:
    ended, said = await MusterProcess(tmp_path, program, **settings).run()
    assert ended == code
    assert [setting for setting in settings if setting not in said] == []
    assert "Traceback" not in said


@pytest.mark.feature("R4")
async def test_a_service_that_does_not_exist_is_named(program: Path, tmp_path: Path) -> None:
    code, said = await MusterProcess(tmp_path, program, ("serve", "coffee")).run()
    assert code == 2
    assert "there is no service coffee" in said


@pytest.mark.feature("L11")
async def test_recover_says_when_there_is_no_temporal(tmp_path: Path) -> None:
    code, said = await MusterProcess(tmp_path, None, ("recover",), TEMPORAL_ADDRESS="127.0.0.1:1").run()
    assert code == 1
    assert "Temporal does not answer. Set TEMPORAL_ADDRESS" in said


async def _beside(muster: MusterProcess, command: str, **settings: str) -> tuple[int, str]:
    """A command on the same data, in another terminal: its exit code, and what it wrote."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MUSTER_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        *MUSTER,
        command,
        env=environment | {"MUSTER_DATA_DIR": str(muster.folder)} | settings,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return await process.wait(), said.decode()


async def _ready(client: story.Client, path: str) -> bool:
    return bool((await client.get(f"{path}/receipt"))["state"] == "ready")
