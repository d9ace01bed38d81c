"""Running Muster's services until they are stopped."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import typer
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from services.app import Muster, assemble, create_app
from services.kit.database import Database
from services.kit.running import Running
from services.kit.settings import Settings
from services.kit.temporal import Target
from services.kit.temporal_program import find_temporal
from services.kit.temporal_server import EmbeddedTemporal
from services.lifecycle.reconcile import remember_open
from services.store import schema

_Result = TypeVar("_Result")


class NotStarted(RuntimeError):
    """Muster cannot start. The message says why, and what to do."""


async def up(settings: Settings) -> None:
    """Run everything in one process, beside an embedded Temporal unless TEMPORAL_ADDRESS names one."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listener(settings))
        say(f"Data folder    {settings.data_dir}")
        database = await _timed("Database       ready", _database(settings, stack))
        target = await _temporal(settings, database, stack)
        muster = await assemble(settings, database, target)
        Running(base_url=settings.base_url, temporal=muster.client.service_client.config.target_host).write(settings.data_dir)
        stack.callback(Running.forget, settings.data_dir)
        ways_in = await _ways_in(muster)
        await _listen(muster, create_app(muster), listener, [*ways_in, "Ctrl-C stops it; the next start goes on where it was."])


async def _database(settings: Settings, stack: AsyncExitStack) -> Database:
    """The database at its newest revision; it closes with ``stack``.

    Raises:
        NotStarted: it cannot be reached.
    """
    database = Database(settings.database)
    stack.push_async_callback(database.close)
    try:
        async with database.engine.connect():
            pass
    except (OSError, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise NotStarted(
            f"The database does not let Muster in: {reason}. See that it runs, and that MUSTER_DATABASE_URL is right."
        ) from error
    await schema.upgrade(database)
    return database


async def _temporal(settings: Settings, database: Database, stack: AsyncExitStack) -> Target:
    """The Temporal to use; the embedded one is started, and stops with ``stack``."""
    if address := os.environ.get("TEMPORAL_ADDRESS"):
        say(f"Temporal       {address} (TEMPORAL_ADDRESS)")
        return Target()
    program = await _timed("Temporal       program", find_temporal(settings.data_dir, say))
    server = EmbeddedTemporal(program, settings.data_dir, say, port=settings.temporal_port, ui_port=settings.temporal_ui_port)
    # Before it has data again: if this process dies in between, the next start sees the loss as well.
    if not server.has_data and (lost := await remember_open(database)):
        say(f"Temporal       has no data: {lost} open incidents go on from the event log")
    await _timed("Temporal       server", stack.enter_async_context(server))
    say(f"Temporal       {server.address}")
    say(f"Temporal UI    {server.ui_url}")
    return Target(server.address)


async def serve(settings: Settings, names: list[str]) -> None:
    """Run some services alone."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listener(settings))
        database = await _database(settings, stack)
        muster = await assemble(settings, database)
        ways_in = await _ways_in(muster) if "accounts" in names else []
        await _listen(muster, create_app(muster, names), listener, ways_in)


async def _ways_in(muster: Muster) -> list[str]:
    """How to sign in, in lines to say; on an empty database the organization and its owner's token are made first.

    A link signs in as an owner: once one has another way in, it is for eyes at a terminal, and not for what keeps logs.
    """
    settings = muster.settings
    file = settings.data_dir / "owner-token"
    if (token := await muster.organizations.begin()) is not None:
        _write_secret(file, token)
    lines = [f"API token      in {file}"] if file.exists() else []
    if sys.stdout.isatty() or not await muster.accounts.owned():
        return [*lines, f"Sign in once   {sign_in_address(settings.base_url, await muster.accounts.issue_link())}"]
    return [*lines, "Sign in        by password or provider; `muster sign-in-link` makes a link for an owner"]


def sign_in_address(base_url: str, secret: str) -> str:
    """Where a one-time link leads."""
    return f"{base_url}/sign-in?link={secret}"


@contextmanager
def _listener(settings: Settings) -> Generator[socket.socket]:
    """The socket to serve on, taken before anything is started.

    Raises:
        NotStarted: something else listens there.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise NotStarted(
            f"Muster cannot listen on {settings.host}, port {settings.port}: {os.strerror(error.errno or 0)}. "
            "Perhaps Muster runs there already. Stop what does, or set MUSTER_PORT to another port."
        ) from error
    with listener:
        yield listener


async def until_stopped(work: Coroutine[None, None, None]) -> None:
    """Do the work until it is done, or until Ctrl-C or SIGTERM; then it is cancelled, and stops everything in its order."""
    task = asyncio.ensure_future(work)
    asked = asyncio.Event()

    def stop() -> None:
        # Once: Ctrl-C is often pressed twice, and a stop that has begun must not be cut off.
        if not asked.is_set():
            asked.set()
            task.cancel()

    for signalled in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signalled, stop)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    say("Stopped.")


class _Server(uvicorn.Server):
    """Leaves the signals to ``_until_stopped``, which hears them before and after there is a server, too."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """None of them."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as ever, then tell that requests are answered."""
        await super().startup(sockets)
        if self.started:
            self._ready()


async def _listen(muster: Muster, app: FastAPI, listener: socket.socket, lines: Sequence[str]) -> None:
    """Serve until cancelled; what is under way then is finished, and the workers stop, before this returns.

    ``lines`` are said once it answers, below all that a start has to say.
    """

    def ready() -> None:
        for line in (f"Muster         {muster.settings.base_url} is ready", *lines):
            say(line)

    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="on", timeout_graceful_shutdown=2
    )
    server = _Server(config, ready)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        muster.tail.end()
        await serving


async def _timed(what: str, work: Coroutine[None, None, _Result]) -> _Result:
    began = time.monotonic()
    result = await work
    say(f"{what} ({time.monotonic() - began:.1f} s)")
    return result


def _write_secret(path: Path, secret: str) -> None:
    # Created with its mode, so that it is never readable by others, not even for a moment.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")


def say(line: str) -> None:
    """A line for whoever runs it."""
    typer.echo(line)
    sys.stdout.flush()
