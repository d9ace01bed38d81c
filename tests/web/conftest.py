"""What the tests of the pages share."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from structlog.contextvars import get_contextvars

from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML, Browser


@pytest.fixture
def statements(muster: RunningMuster) -> Iterator[list[str]]:
    """Every statement that is sent to the database for a request, as it is sent: what goes on besides does not count."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "request_id" in get_contextvars():
            sent.append(statement)

    engine = muster.muster.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
async def browser(muster: RunningMuster, org: Organization) -> AsyncIterator[Browser]:
    """A browser that is signed in as the organization's owner."""
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as client:
        link = await muster.muster.accounts.issue_link(org.slug)
        assert (await client.post("/sign-in", data={"link": link})).status_code == 303
        yield Browser(client, org.slug)
