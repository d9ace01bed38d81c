"""Where the measurements happen: a Temporal server, a Muster in a process of its own, and clients for both."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from temporalio.client import Client

from services.kit.temporal import Target, connect
from services.kit.temporal_program import find_temporal
from services.kit.temporal_server import EmbeddedTemporal
from tests.support.running import PATIENCE

_START = 120.0
"""Seconds the process under measurement may take to start, on a machine that has much else to do."""


@dataclass(frozen=True)
class Setting:
    """What is measured: Muster by its API and its database file, and the Temporal server it runs on."""

    base_url: str
    token: str
    database: Path
    client: Client
    api: httpx.AsyncClient


@asynccontextmanager
async def setting(folder: Path, data: Path) -> AsyncIterator[Setting]:
    """Start it all, on free ports and new files in ``folder``; ``data`` is where set-up keeps the Temporal program."""
    program = await find_temporal(data, _say)
    async with EmbeddedTemporal(program, folder, _say, port=0, ui_port=0) as temporal:
        with (folder / "host.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.host", str(folder), temporal.address, stdin=PIPE, stdout=PIPE, stderr=log
            )
        try:
            where = await _where(process, folder)
            client = await connect(Target(temporal.address), lazy=False)
            headers = {"Authorization": f"Bearer {where['token']}"}
            async with httpx.AsyncClient(base_url=where["api"], headers=headers, timeout=PATIENCE) as api:
                yield Setting(where["api"], where["token"], folder / "muster.db", client, api)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _where(process: Process, folder: Path) -> dict[str, str]:
    assert process.stdout is not None
    async with asyncio.timeout(_START):
        line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"the process under measurement did not start:\n{(folder / 'host.log').read_text()}")
    where: dict[str, str] = json.loads(line)
    return where


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
