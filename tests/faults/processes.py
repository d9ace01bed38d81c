"""Muster as its users run it: as processes, that can be stopped and killed."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

import httpx

from tests.support.ports import free_port

MUSTER = (str(Path(sys.executable).parent / "muster"),)
"""The command."""
_OURS = ("MUSTER_", "TEMPORAL_", "OTEL_", "FAULT_")


class MusterProcess:
    """A `muster up` or `muster serve` on a data folder, always on the same ports; its output is in `muster.log` there.

    ``program`` is the Temporal program to run beside, if any.
    """

    def __init__(self, folder: Path, program: Path | None, arguments: Sequence[str] = ("up",), **settings: str) -> None:
        self.folder = folder
        self.arguments = arguments
        self.port = free_port()
        self.temporal_port = free_port()
        self.settings = {
            "MUSTER_DATA_DIR": str(folder),
            "MUSTER_PORT": str(self.port),
            "MUSTER_PUBLIC_URL": "http://muster.example",
            "MUSTER_TEMPORAL_PORT": str(self.temporal_port),
            "MUSTER_TEMPORAL_UI_PORT": str(free_port()),
        } | settings
        self.process: asyncio.subprocess.Process | None = None
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        if program is not None:
            with contextlib.suppress(FileExistsError):
                (folder / "bin" / "temporal").symlink_to(program)

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The owner's token."""
        return (self.folder / "owner-token").read_text().strip()

    @property
    def log(self) -> str:
        """All it wrote."""
        return (self.folder / "muster.log").read_text()

    async def start(self, command: Sequence[str] = MUSTER, **more: str) -> None:
        """Start it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        with (self.folder / "muster.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command,
                *self.arguments,
                env=inherited | self.settings | more,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def until_ready(self) -> None:
        """Wait until it and all it needs are there; it must not end meanwhile."""
        assert self.process is not None
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                assert self.process.returncode is None, self.log
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self.url}/readyz")).is_success:
                        return
                await asyncio.sleep(0.1)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Have it stop, and answer its exit code; one that has ended already is left alone."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        return await self.process.wait()

    async def run(self) -> tuple[int, str]:
        """Start it, wait until it ends by itself, and answer its exit code and what it wrote."""
        await self.start()
        assert self.process is not None
        async with asyncio.timeout(30):
            return await self.process.wait(), self.log

    def left_behind(self) -> list[str]:
        """The command lines of all processes that have to do with the data folder."""
        lines = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                lines.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return [line for line in lines if str(self.folder) in line]

    @contextlib.asynccontextmanager
    async def running(self, command: Sequence[str] = MUSTER, **more: str) -> AsyncIterator[Self]:
        """Run it until the block ends."""
        await self.start(command, **more)
        try:
            await self.until_ready()
            yield self
        finally:
            await self.stop()


def copied(template: Path, folder: Path) -> Path:
    """A data folder with all that another has; the program in it stays a link."""
    shutil.copytree(template, folder, symlinks=True, ignore=shutil.ignore_patterns("*.log", "temporal.pid"))
    return folder
