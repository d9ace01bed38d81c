"""What the fault tests share."""

from pathlib import Path

import pytest

from services.kit.temporal_program import find_temporal
from tests.conftest import DATA


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/faults --all-kill-points` kills at every moment there is, not at a few."""
    parser.addoption("--all-kill-points", action="store_true", help="kill at every commit, not at a sample of them")


@pytest.fixture(scope="session")
async def program() -> Path:
    """The Temporal program that set-up brought."""
    return await find_temporal(DATA, lambda _: None)
