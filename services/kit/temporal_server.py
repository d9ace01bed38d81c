"""The embedded Temporal server: `temporal server start-dev` as a supervised child of this process.

It is for one machine and for trying things out: Temporal does not support its development server
in production. Point TEMPORAL_ADDRESS at a cluster for that, and nothing here is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from services.kit.temporal_program import Say

_HOST = "127.0.0.1"
_STOP_LIMIT = timedelta(seconds=10)
_FIRST_PAUSE = timedelta(seconds=0.2)
_LONGEST_PAUSE = timedelta(seconds=10)
_STEADY_AFTER = timedelta(seconds=60)
_POLL_EVERY = timedelta(seconds=0.1)

# Becomes the server, after asking Linux to end it when this process ends, even by kill -9. A small
# program rather than a preexec_fn, which can deadlock in a process that has threads, as the SDK's.
# The parent may be gone before its death could be noticed: then nothing is started.
_LAUNCHER = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class TemporalNotStarted(RuntimeError):
    """The embedded server does not answer. The message says why and shows the end of its log."""


class EmbeddedTemporal:
    """Runs a Temporal server for as long as the context is open, and starts it again if it dies.

    Its data is `{data_dir}/temporal.db` and its log `{data_dir}/temporal.log`. It listens on this
    machine's loopback only. A port that is taken is replaced by a free one before the first start;
    after that the ports never change, so that clients find a restarted server where it was. Port 0
    asks for any free one.

    Open it in a thread that lives as long as the context: Linux ends the server with that thread.
    """

    def __init__(
        self,
        program: Path,
        data_dir: Path,
        say: Say,
        *,
        port: int = 7233,
        ui_port: int = 8233,
        start_limit: timedelta = timedelta(seconds=60),
    ) -> None:
        self._program = program.resolve()
        self._data_dir = data_dir.resolve()
        self._say = say
        self._port = port
        self._ui_port = ui_port
        self._start_limit = start_limit
        self._pid_file = _PidFile(self._data_dir / "temporal.pid")
        self._child: Process | None = None
        self._log_start = 0
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where clients connect, as in `127.0.0.1:7233`."""
        return f"{_HOST}:{self._port}"

    @property
    def ui_url(self) -> str:
        """Where Temporal's own pages are, as in `http://127.0.0.1:8233`."""
        return f"http://{_HOST}:{self._ui_port}"

    @property
    def has_data(self) -> bool:
        """Whether an earlier run left its data; without it every workflow is lost."""
        return self._database.exists()

    async def __aenter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            TemporalNotStarted: if it does not answer, or another process uses the data folder.
        """
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._pid_file.claim()
        try:
            await self._end_orphan()
            self._port = self._port_near(self._port, "Temporal")
            self._ui_port = self._port_near(self._ui_port, "Temporal's pages")
            await self._start()
        except BaseException:
            await self._stop()
            raise
        self._supervisor = asyncio.create_task(self._supervise(), name="embedded-temporal")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the server; it is killed if it has not ended by itself after ten seconds."""
        try:
            if self._supervisor is not None:
                self._supervisor.cancel()
                await asyncio.wait({self._supervisor})
        finally:
            await self._stop()

    async def _start(self) -> None:
        """Start the child and wait until it answers."""
        log = self._data_dir / "temporal.log"
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._child = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                # The program reads TEMPORAL_* as a client would; none of it is meant for a server.
                env={name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")},
                # Ctrl-C reaches the whole session of a terminal: the workers must stop first.
                start_new_session=True,
            )
        self._pid_file.write(self._child.pid)
        await self._until_it_answers(self._child)

    def _command(self) -> list[str]:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())] if sys.platform == "linux" else []
        return [
            *launcher, str(self._program), "server", "start-dev",
            "--ip", _HOST, "--port", str(self._port), "--ui-port", str(self._ui_port),
            "--db-filename", str(self._database), "--sqlite-pragma", "journal_mode=wal",
            "--log-level", "error", "--color", "never",
        ]  # fmt: skip

    @property
    def _database(self) -> Path:
        return self._data_dir / "temporal.db"

    async def _until_it_answers(self, child: Process) -> None:
        """Wait for the default namespace: it is made last, and without it nothing can be started."""
        client = await ServiceClient.connect(ConnectConfig(target_host=self.address, lazy=True))
        request = DescribeNamespaceRequest(namespace="default")
        deadline = time.monotonic() + self._start_limit.total_seconds()
        while child.returncode is None:
            try:
                await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=1))
            except (RPCError, RuntimeError):  # not yet: a lazy connection that fails is a RuntimeError
                if time.monotonic() > deadline:
                    limit = f"{self._start_limit.total_seconds():.0f} s"
                    raise self._not_started(f"did not answer on {self.address} within {limit}") from None
                await asyncio.sleep(_POLL_EVERY.total_seconds())
            else:
                return
        raise self._not_started(_ending(child.returncode))

    def _not_started(self, what: str) -> TemporalNotStarted:
        log = self._data_dir / "temporal.log"
        with log.open("rb") as lines:
            lines.seek(self._log_start)
            tail = lines.read().decode(errors="replace").splitlines()[-20:]
        shown = "\n".join(f"  {line}" for line in tail) or "  (it wrote nothing)"
        return TemporalNotStarted(f"The embedded Temporal {what}. The end of {log}:\n{shown}")

    async def _supervise(self) -> None:
        """Start the server again whenever it has ended, more slowly each time it does not last."""
        pause = _FIRST_PAUSE
        while self._child is not None:
            started = time.monotonic()
            code = await self._child.wait()
            if time.monotonic() - started > _STEADY_AFTER.total_seconds():
                pause = _FIRST_PAUSE
            self._say(f"Temporal {_ending(code)}; starting it again on {self.address}")
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await self._start()
            except (TemporalNotStarted, OSError) as error:
                self._say(str(error))
                await self._end_child()
            else:
                self._say(f"Temporal answers again on {self.address}")

    async def _stop(self) -> None:
        try:
            await self._end_child()
        finally:
            self._pid_file.release()

    async def _end_child(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), _STOP_LIMIT.total_seconds())
        except TimeoutError:
            self._say("Temporal did not stop in time and is killed")
        finally:  # also when the wait is cancelled, by a second Ctrl-C
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
        await child.wait()

    async def _end_orphan(self) -> None:
        """End a server that a killed run has left behind: it holds the database and the ports.

        The claimed pid file says that no living run owns it.
        """
        pid = self._pid_file.read()
        if pid is None or not self._is_ours(pid):
            return
        self._say(f"Ending the Temporal server that an earlier run left behind (pid {pid})")
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, ending)
            deadline = time.monotonic() + _STOP_LIMIT.total_seconds()
            while self._is_ours(pid) and time.monotonic() < deadline:  # noqa: ASYNC110 - not our child: nothing to await
                await asyncio.sleep(_POLL_EVERY.total_seconds())

    def _is_ours(self, pid: int) -> bool:
        """Tell whether the process is a server on our database: its number may be another's by now."""
        return f" server start-dev --ip {_HOST} " in (line := _command_line(pid)) and f" {self._database} " in line

    def _port_near(self, wanted: int, whose: str) -> int:
        for port in (wanted, 0):
            with socket.socket() as probe:
                # As the server will: a port in TIME_WAIT from its last run is not taken.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((_HOST, port))
                except OSError:
                    continue
                found: int = probe.getsockname()[1]
            if wanted not in (0, found):
                self._say(f"Port {wanted} is taken; {whose} will be on {found}")
            return found
        raise TemporalNotStarted(f"No free port on {_HOST} for {whose}")


class _PidFile:
    """Names the running server, and by its lock says whether a living process owns it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def claim(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise TemporalNotStarted(
                f"Another process runs a Temporal server in {self._path.parent}."
                " Stop it, or set MUSTER_DATA_DIR to another folder."
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Forget the server, which has ended, and let go of the file. The file stays: removing it would race."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def read(self) -> int | None:
        text = self._path.read_text(errors="replace").strip()
        return int(text) if text.isdecimal() else None

    def write(self, pid: int) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(pid).encode(), 0)


def _command_line(pid: int) -> str:
    """Return a process's arguments with spaces between and a final one; empty if there is none such."""
    if sys.platform == "linux":  # small images have no ps
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    ps = ["/bin/ps", "-o", "args=", "-p", str(pid)]
    shown = subprocess.run(ps, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, and a number
    return shown.stdout.strip() + " "


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
