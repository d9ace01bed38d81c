"""What the tests of the pages share."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from tests.support.running import RunningMuster


@pytest.fixture
def statements(muster: RunningMuster) -> Iterator[list[str]]:
    """Every statement that is sent to the database, as it is sent."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = muster.muster.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
