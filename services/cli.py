"""``muster``: run it, look after it, check a record."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import uvicorn
from alembic.util import CommandError
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from sqlalchemy.exc import SQLAlchemyError
from typer.exceptions import TyperException

from services.accounts.service import AccountsService
from services.app import NAMES, Muster, assemble, create_app
from services.kit import telemetry
from services.kit.database import Database
from services.kit.errors import MusterError
from services.kit.running import Running
from services.kit.settings import Settings
from services.kit.temporal import Target, connect, reachable, register_search_attributes
from services.kit.temporal_program import TemporalUnavailable, find_temporal
from services.kit.temporal_server import EmbeddedTemporal, TemporalNotStarted
from services.lifecycle.reconcile import recover as recover_incidents
from services.lifecycle.reconcile import remember_open
from services.store import schema
from workflows.domain.record import Record, faults
from workflows.gateway import GatewayError, IncidentGateway

_Result = TypeVar("_Result")


class NotStarted(RuntimeError):
    """Muster cannot start. The message says why, and what to do."""


cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help="Muster runs incidents.")
database_cli = typer.Typer(no_args_is_help=True, help="Look after the database.")
cli.add_typer(database_cli, name="db")


def main() -> None:
    """Run the command, and leave without the interpreter's own farewell: the Temporal SDK can crash in it."""
    try:
        # What a command raises as typer.Exit comes back as a number.
        code = cli(standalone_mode=False) or 0
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except Exception as error:  # noqa: BLE001  (the last resort of the process: it is explained or logged, and ends it)
        code = _explain(error)
    telemetry.flush_tracing()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@cli.command()
def up() -> None:
    """Run everything in one process, beside an embedded Temporal unless TEMPORAL_ADDRESS names one."""
    settings = _begin("muster")
    asyncio.run(_until_stopped(_up(settings)))


@cli.command()
def serve(names: Annotated[list[str], typer.Argument(help=f"Any of: {', '.join(NAMES)}.")]) -> None:
    """Run some services alone, against the Temporal of TEMPORAL_ADDRESS and the database of MUSTER_DATABASE_URL."""
    if unknown := [name for name in names if name not in NAMES]:
        raise typer.BadParameter(f"there is no service {unknown[0]}; there are {', '.join(NAMES)}")
    settings = _begin(f"muster-{'-'.join(names)}")
    asyncio.run(_until_stopped(_serve(settings, names)))


@cli.command("sign-in-link")
def sign_in_link(organization: str = "default") -> None:
    """Print a one-time link that signs in as the organization's owner."""
    settings = Settings()
    said = {"host", "port", "public_url"} & settings.model_fields_set
    running = None if said else Running.read(settings.data_dir)

    async def run() -> str:
        database = Database(settings.database)
        secret = await AccountsService(database).issue_link(organization)
        await database.close()
        return secret

    _say(_link(running.base_url if running else settings.base_url, asyncio.run(run())))


@cli.command()
def recover() -> None:
    """Rebuild the workflow of every open incident from the event log, after Temporal's data was lost."""
    settings = _begin("muster-recover")
    running = None if os.environ.get("TEMPORAL_ADDRESS") else Running.read(settings.data_dir)

    async def run() -> int:
        client = await connect(Target(running.temporal) if running else Target())
        if not await reachable(client):
            raise NotStarted("Temporal does not answer. Set TEMPORAL_ADDRESS to where it is: HOST:PORT.")
        await register_search_attributes(client)
        database = Database(settings.database)
        count = await recover_incidents(database, IncidentGateway(client))
        await database.close()
        return count

    _say(f"{asyncio.run(run())} open incidents have a workflow.")


@cli.command()
def verify(record: Annotated[Path, typer.Argument(help="A file from …/record.json.")]) -> None:
    """Check an exported record offline: every payload, every link of the chain, and that no event is missing."""
    try:
        read = Record.model_validate_json(record.read_bytes())
    except (OSError, ValidationError) as error:
        _say(f"{record} is not a Muster record: {_first_reason(error)}")
        raise typer.Exit(2) from error
    found = faults(read.events)
    for fault in found:
        _say(f"✗ {fault}")
    if found:
        raise typer.Exit(1)
    _say(f"✓ {read.reference}: {len(read.events)} events, and the chain holds. It ends with {read.events[-1].hash}")


@database_cli.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest revision."""
    asyncio.run(_with_schema(schema.upgrade))
    _say("The database is up to date.")


@database_cli.command("check")
def check() -> None:
    """Say whether the database is as the tables are declared."""
    try:
        asyncio.run(_with_schema(schema.check))
    except CommandError as error:
        _say(f"The database differs: {error}")
        raise typer.Exit(1) from error
    _say("The database is as declared.")


async def _up(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listener(settings))
        _say(f"Data folder    {settings.data_dir}")
        database = await _timed("Database       ready", _database(settings, stack))
        target = await _temporal(settings, database, stack)
        muster = await assemble(settings, database, target)
        Running(base_url=settings.base_url, temporal=muster.client.service_client.config.target_host).write(settings.data_dir)
        stack.callback(Running.forget, settings.data_dir)
        ways_in = await _ways_in(settings, muster.accounts)
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
        _say(f"Temporal       {address} (TEMPORAL_ADDRESS)")
        return Target()
    program = await _timed("Temporal       program", find_temporal(settings.data_dir, _say))
    server = EmbeddedTemporal(program, settings.data_dir, _say, port=settings.temporal_port, ui_port=settings.temporal_ui_port)
    # Before it has data again: if this process dies in between, the next start sees the loss as well.
    if not server.has_data and (lost := await remember_open(database)):
        _say(f"Temporal       has no data: {lost} open incidents go on from the event log")
    await _timed("Temporal       server", stack.enter_async_context(server))
    _say(f"Temporal       {server.address}")
    _say(f"Temporal UI    {server.ui_url}")
    return Target(server.address)


async def _serve(settings: Settings, names: list[str]) -> None:
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listener(settings))
        database = await _database(settings, stack)
        muster = await assemble(settings, database)
        ways_in = await _ways_in(settings, muster.accounts) if "accounts" in names else []
        await _listen(muster, create_app(muster, names), listener, ways_in)


async def _ways_in(settings: Settings, accounts: AccountsService) -> list[str]:
    """How to sign in, in lines to say; on an empty database the organization and its owner's token are made first."""
    file = settings.data_dir / "owner-token"
    if (token := await accounts.begin()) is not None:
        _write_secret(file, token)
    lines = [f"API token      in {file}"] if file.exists() else []
    return [*lines, f"Sign in once   {_link(settings.base_url, await accounts.issue_link())}"]


def _link(base_url: str, secret: str) -> str:
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


async def _until_stopped(work: Coroutine[None, None, None]) -> None:
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
    _say("Stopped.")


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
            _say(line)

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


def _begin(process: str) -> Settings:
    settings = Settings()
    _make_folder(settings)
    telemetry.configure_logging(settings.log_level)
    telemetry.start_tracing(process)
    return settings


def _make_folder(settings: Settings) -> None:
    # What is in it is nobody else's business: the database, the owner's token, Temporal's data.
    os.umask(0o077)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


async def _timed(what: str, work: Coroutine[None, None, _Result]) -> _Result:
    began = time.monotonic()
    result = await work
    _say(f"{what} ({time.monotonic() - began:.1f} s)")
    return result


async def _with_schema(work: Callable[[Database], Coroutine[None, None, None]]) -> None:
    settings = Settings()
    _make_folder(settings)
    database = Database(settings.database)
    await work(database)
    await database.close()


def _write_secret(path: Path, secret: str) -> None:
    # Created with its mode, so that it is never readable by others, not even for a moment.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")


def _explain(error: Exception) -> int:
    if isinstance(error, TyperException):
        # A group without a command has printed its help, and has nothing to add.
        if message := error.format_message():
            _say(f"muster: {message}")
        return 2
    if isinstance(error, ValidationError) and (reasons := _nonsense(error)):
        _say(f"muster: {reasons}")
        return 2
    if isinstance(error, (NotStarted, TemporalUnavailable, TemporalNotStarted, MusterError, GatewayError, OSError)):
        _say(f"muster: {error}")
        return 1
    logging.getLogger("muster").error("muster ended with a fault", exc_info=error)
    return 1


def _nonsense(error: ValidationError) -> str:
    """Which settings make no sense, by the names they are set by; nothing, if it is not about settings."""
    prefixes = {section.__name__: section.model_config["env_prefix"] for section in BaseSettings.__subclasses__()}
    if (prefix := prefixes.get(error.title)) is None:
        return ""
    return "; ".join(f"{prefix}{'_'.join(map(str, fault['loc']))}".upper() + f": {fault['msg']}" for fault in error.errors())


def _first_reason(error: OSError | ValidationError) -> str:
    """Why a file cannot be read as what it should be, in a few words."""
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)
    first = error.errors(include_url=False)[0]
    return ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"]]))


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()
