"""Lists: stable pages, filters, and a fixed number of statements however many rows there are (C9)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from structlog.contextvars import get_contextvars

from services.kit.database import Database
from tests.support.running import Organization, RunningMuster


async def pages(org: Organization, path: str, **params: Any) -> list[list[str]]:
    """The ids on each page of a list."""
    found: list[list[str]] = []
    after: dict[str, str] = {}
    while True:
        page = await org.get(path, **params, **after)
        found.append([row["id"] for row in page["data"]])
        assert page["pagination"]["page_size"] == params["page_size"]
        if page["pagination"]["after"] is None:
            return found
        after = {"after": page["pagination"]["after"]}


@contextmanager
def statements(database: Database) -> Iterator[list[str | None]]:
    """For each statement meanwhile, the request it was for."""
    seen: list[str | None] = []

    def note(*_: Any) -> None:
        seen.append(get_contextvars().get("request_id"))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.feature("C9")
async def test_pages_are_whole_and_stable(org: Organization) -> None:
    answers = await asyncio.gather(*(org.post("/incidents", {"title": f"Number {n}"}) for n in range(7)))
    people = await asyncio.gather(*(org.individual("Same Name") for _ in range(6)))
    everyone = {person["id"] for person in people} | {(await org.get("/me"))["individual"]["id"]}
    for path, made in (("/incidents", {answer["id"] for answer in answers}), ("/individuals", everyone)):
        for size in (1, 3, 7, 100):
            found = await pages(org, path, page_size=size)
            flat = [each for page in found for each in page]
            assert (set(flat), len(flat)) == (made, len(made))
            assert all(len(page) == size for page in found[:-1])
    newest = [each for page in await pages(org, "/incidents", page_size=2) for each in page]
    oldest = [each for page in await pages(org, "/incidents", page_size=2, sort="reported_at") for each in page]
    assert newest == oldest[::-1]
    first = await org.get("/incidents", page_size=3)
    await org.post("/incidents", {"title": "Meanwhile"})
    second = await org.get("/incidents", page_size=3, after=first["pagination"]["after"])
    assert [row["id"] for row in second["data"]] == newest[3:6]


@pytest.mark.feature("C9")
async def test_filters_narrow(org: Organization) -> None:
    ana = await org.individual("Ana")
    await asyncio.gather(
        org.report("100% full", severity="High", type="Security", commander=ana["id"]),
        org.report("snake_case", description="a back\\slash", priority="Low"),
        org.report("Plain ÉCLAIR"),
    )
    by_title = {row["title"]: row for row in (await org.get("/incidents"))["data"]}
    await org.post(f"/incidents/{by_title['Plain ÉCLAIR']['id']}/transitions", {"to": "closed"})

    async def titles(**params: Any) -> set[str]:
        return {row["title"] for row in (await org.get("/incidents", **params))["data"]}

    assert await titles(q="%") == {"100% full"}
    assert await titles(q="_") == {"snake_case"}
    assert await titles(q="\\") == {"snake_case"}
    assert await titles(q="PLAIN") == {"Plain ÉCLAIR"}
    assert await titles(q=by_title["snake_case"]["reference"].lower()) >= {"snake_case"}
    assert await titles(q="'; DROP TABLE incidents; --") == set()
    assert await titles(severity="high") == await titles(type="SECURITY") == await titles(commander=ana["id"]) == {"100% full"}
    assert await titles(commander=ana["email"]) == {"100% full"}
    assert await titles(severity=by_title["100% full"]["severity"]["id"]) == {"100% full"}
    assert await titles(priority="Low") == {"snake_case"}
    assert await titles(ongoing=False) == await titles(category="closed") == await titles(status="closed") == {"Plain ÉCLAIR"}
    assert await titles(ongoing=True) == {"100% full", "snake_case"}
    assert await titles(project="default") == set(by_title)
    assert await titles(severity="High", priority="Low") == set()
    assert await titles(status="no such status") == set()


@pytest.mark.feature("C9")
async def test_more_rows_are_not_more_statements(muster: RunningMuster, org: Organization) -> None:
    paths = ["/incidents", "/individuals", "/deliveries", "/inbox"]
    paths += [f"/incidents/INC-1/{part}" for part in ("participants", "engagements", "timeline", "messages", "receipt")]

    async def asked() -> dict[str, int]:
        found = {}
        for path in paths:
            with statements(muster.muster.database) as seen:
                request = (await org.api.get(path)).headers["X-Request-ID"]
            found[path] = seen.count(request)
        assert all(found.values())
        return found

    await org.individual("First", "pattern")
    await org.report("A pattern")
    await org.until(lambda: org.all_sent("INC-1"))
    few = await asked()
    for number in range(6):
        await org.individual(f"Another {number}", "pattern", "further")
    await asyncio.gather(*(org.report(f"A pattern again {number}") for number in range(4)))
    await org.patch("/incidents/INC-1", {"title": "The pattern changed"})
    await org.until(lambda: _count(org, 8))
    await asyncio.gather(*(org.until(lambda n=n: org.all_sent(f"INC-{n}")) for n in range(1, 6)))  # type: ignore[misc]
    assert await asked() == few


async def _count(org: Organization, wanted: int) -> bool:
    return len(await org.participants("INC-1")) == wanted
