"""A Muster on SQLite and a browser, for all journeys; a visitor of an organization of its own for each."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from services.kit.settings import Settings
from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import new_database, new_namespace
from tests.support import chromium
from tests.support.chromium import Tab, Visitor
from tests.support.ports import free_port
from tests.support.running import RunningMuster, running_muster


@pytest.fixture(scope="session")
async def front(
    temporal: EmbeddedTemporal, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[RunningMuster]:
    """A running Muster. What a database can do differently is tested below the pages."""
    folder = tmp_path_factory.mktemp("front")
    database = await new_database("sqlite", folder, request)
    port = free_port()
    async with running_muster(database, await new_namespace(temporal), Settings(data_dir=folder, port=port), port) as running:
        yield running
    await database.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser of this machine."""
    executable = chromium.program()
    if executable is None:
        pytest.skip("there is no Chromium on this machine's PATH")
    async with chromium.chromium(executable) as running:
        yield running


@pytest.fixture
async def visitor(browser: Browser, front: RunningMuster) -> AsyncIterator[Visitor]:
    """A visitor, on whose way nothing goes wrong."""
    made = Visitor(browser, front, await front.organization())
    yield made
    await made.leave()
    await made.org.api.aclose()
    assert made.faults == []


@pytest.fixture
async def tab(visitor: Visitor) -> Tab:
    """A tab, signed in."""
    return await visitor.tab()
