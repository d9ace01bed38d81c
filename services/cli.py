"""``muster``: run it, look after it, check a record."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import uvicorn
from alembic.util import CommandError
from fastapi import FastAPI
from pydantic import ValidationError

from services.accounts.service import AccountsService
from services.app import NAMES, assemble, create_app
from services.kit import telemetry
from services.kit.database import Database
from services.kit.errors import MusterError
from services.kit.settings import Settings
from services.kit.temporal import Target, connect
from services.kit.temporal_program import TemporalUnavailable, find_temporal
from services.kit.temporal_server import EmbeddedTemporal, TemporalNotStarted
from services.lifecycle.reconcile import recover as recover_incidents
from services.store import schema
from workflows.domain.record import Record, faults
from workflows.gateway import GatewayError, IncidentGateway

_Result = TypeVar("_Result")

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help="Muster runs incidents.")
database_cli = typer.Typer(no_args_is_help=True, help="Look after the database.")
cli.add_typer(database_cli, name="db")


def main() -> None:
    """Run the command, and leave without the interpreter's own farewell: the Temporal SDK can crash in it."""
    code = 0
    try:
        cli(standalone_mode=False)
    except typer.Exit as done:
        code = done.exit_code
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
    asyncio.run(_up(settings))


@cli.command()
def serve(names: Annotated[list[str], typer.Argument(help=f"Any of: {', '.join(NAMES)}.")]) -> None:
    """Run some services alone, against the Temporal of TEMPORAL_ADDRESS and the database of MUSTER_DATABASE_URL."""
    if unknown := [name for name in names if name not in NAMES]:
        raise typer.BadParameter(f"there is no service {unknown[0]}; there are {', '.join(NAMES)}")
    settings = _begin(f"muster-{'-'.join(names)}")
    asyncio.run(_serve(settings, names))


@cli.command("sign-in-link")
def sign_in_link(organization: str = "default") -> None:
    """Print a one-time link that signs in as the organization's owner."""
    settings = Settings()

    async def run() -> str:
        database = Database(settings.database)
        secret = await AccountsService(database).issue_link(organization)
        await database.close()
        return secret

    _say(f"{settings.base_url}/sign-in?link={asyncio.run(run())}")


@cli.command()
def recover() -> None:
    """Rebuild the workflow of every open incident from the event log, after Temporal's data was lost."""
    settings = _begin("muster-recover")

    async def run() -> int:
        database = Database(settings.database)
        count = await recover_incidents(database, IncidentGateway(await connect()))
        await database.close()
        return count

    _say(f"{asyncio.run(run())} open incidents have a workflow.")


@cli.command()
def verify(record: Annotated[Path, typer.Argument(help="A file from …/record.json.")]) -> None:
    """Check an exported record offline: every payload, every link of the chain, and that no event is missing."""
    try:
        read = Record.model_validate_json(record.read_bytes())
    except (OSError, ValidationError) as error:
        _say(f"{record} is not a record that can be read: {error}")
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
        data = settings.data_dir
        _say(f"Data folder    {data}")
        target = Target()
        if "TEMPORAL_ADDRESS" in os.environ:
            _say(f"Temporal       {os.environ['TEMPORAL_ADDRESS']} (TEMPORAL_ADDRESS)")
        else:
            program = await _timed("Temporal       program", find_temporal(data, _say))
            server = EmbeddedTemporal(program, data, _say, port=settings.temporal_port, ui_port=settings.temporal_ui_port)
            await _timed("Temporal       server", stack.enter_async_context(server))
            target = Target(server.address)
            _say(f"Temporal UI    {server.ui_url}")
        database = Database(settings.database)
        stack.push_async_callback(database.close)
        await _timed("Database       ready", schema.upgrade(database))
        accounts = AccountsService(database)
        if (token := await accounts.begin()) is not None:
            _write_secret(data / "owner-token", token)
        link = await accounts.issue_link()
        muster = await assemble(settings, database, target)
        _say(f"API token      in {data / 'owner-token'}")
        _say(f"Muster         {settings.base_url}")
        _say(f"Sign in once   {settings.base_url}/sign-in?link={link}")
        _say("Ctrl-C stops it; the next start goes on where it was.")
        await _listen(settings, create_app(muster))


async def _serve(settings: Settings, names: list[str]) -> None:
    database = Database(settings.database)
    await schema.upgrade(database)
    muster = await assemble(settings, database)
    await _listen(settings, create_app(muster, names))
    await database.close()


async def _listen(settings: Settings, app: FastAPI) -> None:
    # Streams stay open for minutes; a stop does not wait for them.
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    await uvicorn.Server(config).serve()


def _begin(process: str) -> Settings:
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    telemetry.configure_logging(settings.log_level)
    telemetry.start_tracing(process)
    return settings


async def _timed(what: str, work: Coroutine[None, None, _Result]) -> _Result:
    began = time.monotonic()
    result = await work
    _say(f"{what} ({time.monotonic() - began:.1f} s)")
    return result


async def _with_schema(work: Callable[[Database], Coroutine[None, None, None]]) -> None:
    settings = Settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    await work(database)
    await database.close()


def _write_secret(path: Path, secret: str) -> None:
    # Created with its mode, so that it is never readable by others, not even for a moment.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")


def _explain(error: Exception) -> int:
    if isinstance(error, typer.BadParameter):
        _say(f"muster: {error.format_message()}")
        return 2
    if isinstance(error, (TemporalUnavailable, TemporalNotStarted, MusterError, GatewayError, ValidationError)):
        _say(f"muster: {error}")
        return 1
    logging.getLogger("muster").error("muster ended with a fault", exc_info=error)
    return 1


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()
