"""A world for the workflows' tests: one set of workers, a case (an organization with one incident) for each test."""

from collections.abc import AsyncIterator

import pytest

from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import new_namespace
from tests.support.workflows import World, working_world


@pytest.fixture(scope="session")
async def world(temporal: EmbeddedTemporal) -> AsyncIterator[World]:
    """Workers on the test run's Temporal."""
    async with working_world(await new_namespace(temporal)) as made:
        yield made
