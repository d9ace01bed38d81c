"""`muster up` as a process: it says why it does not start, stops cleanly, and goes on where it was."""

import asyncio
import contextlib
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.faults import story
from tests.faults.processes import MusterProcess


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


async def _ready(client: story.Client, path: str) -> bool:
    return bool((await client.get(f"{path}/receipt"))["state"] == "ready")
