"""``muster``: run it, look after it, check a record."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated

import typer
from alembic.util import CommandError
from pydantic import TypeAdapter, ValidationError
from pydantic_settings import BaseSettings
from typer.exceptions import TyperException

from services.accounts.organizations import OPERATOR, NewOrganization, Organizations
from services.accounts.service import AccountsService
from services.app import NAMES
from services.cli import serving
from services.cli.serving import NotStarted, say, sign_in_address
from services.kit import telemetry
from services.kit.database import Database
from services.kit.errors import MusterError
from services.kit.running import Running
from services.kit.schemas import Email, Name, Named
from services.kit.settings import Settings
from services.kit.temporal import Target, connect, reachable, register_search_attributes
from services.kit.temporal_program import TemporalUnavailable
from services.kit.temporal_server import TemporalNotStarted
from services.lifecycle.reconcile import recover as recover_incidents
from services.store import schema
from services.web import forms
from workflows.domain.record import Record, faults
from workflows.gateway import GatewayError, IncidentGateway

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help="Muster runs incidents.")
database_cli = typer.Typer(no_args_is_help=True, help="Look after the database.")
cli.add_typer(database_cli, name="db")
organization_cli = typer.Typer(no_args_is_help=True, help="Look after organizations.")
cli.add_typer(organization_cli, name="org")


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


def _taken_as(kind: TypeAdapter[str]) -> Callable[[str | None], str | None]:
    """What the API takes for something is what a command takes for it, and nothing else."""

    def check(given: str | None) -> str | None:
        try:
            return None if given is None else kind.validate_python(given)
        except ValidationError as error:
            raise typer.BadParameter(forms.faults(error)[""]) from error

    return check


@cli.command()
def up() -> None:
    """Run everything in one process, beside an embedded Temporal unless TEMPORAL_ADDRESS names one."""
    settings = _begin("muster")
    asyncio.run(serving.until_stopped(serving.up(settings)))


@cli.command()
def serve(names: Annotated[list[str], typer.Argument(help=f"Any of: {', '.join(NAMES)}.")]) -> None:
    """Run some services alone, against the Temporal of TEMPORAL_ADDRESS and the database of MUSTER_DATABASE_URL."""
    if unknown := [name for name in names if name not in NAMES]:
        raise typer.BadParameter(f"there is no service {unknown[0]}; there are {', '.join(NAMES)}")
    settings = _begin(f"muster-{'-'.join(names)}")
    asyncio.run(serving.until_stopped(serving.serve(settings, names)))


@cli.command("sign-in-link")
def sign_in_link(organization: str = "default") -> None:
    """Print a one-time link that signs in as the organization's owner."""
    settings = Settings()

    async def run() -> str:
        database = Database(settings.database)
        secret = await AccountsService(database, secure=settings.is_secure).issue_link(organization)
        await database.close()
        return secret

    say(sign_in_address(_base_url(settings), asyncio.run(run())))


@organization_cli.command("create")
def create_organization(
    slug: Annotated[str, typer.Argument(help="Its name in addresses: small letters, digits and hyphens.")],
    owner_email: Annotated[str, typer.Option(help="The address of its first owner.", callback=_taken_as(TypeAdapter(Email)))],
    owner_name: Annotated[
        str, typer.Option(help="The name of its first owner.", callback=_taken_as(TypeAdapter(Name)))
    ] = "Owner",
    name: Annotated[
        str | None,
        typer.Option(help="Its name for people; without it, the one in addresses.", callback=_taken_as(TypeAdapter(Named))),
    ] = None,
) -> None:
    """Make an organization, and print a one-time link that signs in as its first owner."""
    settings = Settings()

    async def run() -> str:
        database = Database(settings.database)
        await schema.upgrade(database)
        new = NewOrganization(slug=slug, name=name or slug)
        await Organizations(database).create(new, (owner_name, owner_email), OPERATOR)
        secret = await AccountsService(database, secure=settings.is_secure).issue_link(slug)
        await database.close()
        return secret

    _make_folder(settings)
    say(sign_in_address(_base_url(settings), asyncio.run(run())))


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

    say(f"{asyncio.run(run())} open incidents have a workflow.")


@cli.command()
def verify(record: Annotated[Path, typer.Argument(help="A file from …/record.json.")]) -> None:
    """Check an exported record offline: every payload, every link of the chain, and that no event is missing."""
    try:
        read = Record.model_validate_json(record.read_bytes())
    except (OSError, ValidationError) as error:
        say(f"{record} is not a Muster record: {_first_reason(error)}")
        raise typer.Exit(2) from error
    found = faults(read.events)
    for fault in found:
        say(f"✗ {fault}")
    if found:
        raise typer.Exit(1)
    say(f"✓ {read.reference}: {len(read.events)} events, and the chain holds. It ends with {read.events[-1].hash}")


@database_cli.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest revision."""
    asyncio.run(_with_schema(schema.upgrade))
    say("The database is up to date.")


@database_cli.command("check")
def check() -> None:
    """Say whether the database is as the tables are declared."""
    try:
        asyncio.run(_with_schema(schema.check))
    except CommandError as error:
        say(f"The database differs: {error}")
        raise typer.Exit(1) from error
    say("The database is as declared.")


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


async def _with_schema(work: Callable[[Database], Coroutine[None, None, None]]) -> None:
    settings = Settings()
    _make_folder(settings)
    database = Database(settings.database)
    await work(database)
    await database.close()


def _explain(error: Exception) -> int:
    if isinstance(error, TyperException):
        # A group without a command has printed its help, and has nothing to add.
        if message := error.format_message():
            say(f"muster: {message}")
        return 2
    if isinstance(error, ValidationError) and (reasons := _nonsense(error)):
        say(f"muster: {reasons}")
        return 2
    if isinstance(error, (NotStarted, TemporalUnavailable, TemporalNotStarted, MusterError, GatewayError, OSError)):
        say(f"muster: {error}")
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


def _base_url(settings: Settings) -> str:
    """Where people reach Muster: what runs beside knows best, unless the settings say."""
    said = {"host", "port", "public_url"} & settings.model_fields_set
    running = None if said else Running.read(settings.data_dir)
    return running.base_url if running else settings.base_url
