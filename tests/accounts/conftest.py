"""What the tests of accounts share."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.accounts.members import PASSWORD, Member, member
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML


@pytest.fixture
async def mia(muster: RunningMuster, org: Organization) -> AsyncIterator[Member]:
    """A member who has a password."""
    async with member(muster, org, password=PASSWORD) as made:
        yield made


@pytest.fixture
async def browser(muster: RunningMuster) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which nobody is signed in."""
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as client:
        yield client
