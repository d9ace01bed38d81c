"""The stream says what changed, resumes where it was, and ends cleanly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.kit.problems import problem
from tests.support.running import PATIENCE, Organization, RunningMuster


class Stream:
    """What a stream said so far: (event, id) pairs."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.said: list[tuple[str, str]] = []

    async def until(self, *wanted: str) -> None:
        """Read on until these events came."""
        name = ""
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                kind, _, value = line.partition(": ")
                if kind == "event":
                    name = value
                elif kind == "id":
                    self.said.append((name, value))
                if set(wanted) <= {event for event, _ in self.said}:
                    return
        raise AssertionError(f"the stream ended with {self.said}")


@asynccontextmanager
async def stream(org: Organization, incident: str, since: int | None = None) -> AsyncIterator[Stream]:
    headers = {} if since is None else {"Last-Event-ID": str(since)}
    async with org.api.stream("GET", f"/incidents/{incident}/stream", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response.aiter_lines())


@pytest.mark.feature("R3")
async def test_it_says_what_changes(org: Organization) -> None:
    ana = await org.individual("Ana")
    await org.report("Watched")
    await org.until(lambda: org.all_sent("INC-1"))
    async with stream(org, "INC-1") as watched:
        await org.post("/incidents/INC-1/timeline", {"text": "a note"})
        await watched.until("timeline")
        await org.post("/incidents/INC-1/messages", {"text": "hello"})
        await watched.until("channel")
        added = await org.post("/incidents/INC-1/participants", {"individual": ana["id"]})
        assert added["state"] == "engaged"
        await watched.until("people", "incident", "deliveries", "question")
    seqs = [int(seq) for _, seq in watched.said]
    assert seqs == sorted(seqs)
    assert max(seqs) <= (await org.get("/incidents/INC-1"))["version"]


@pytest.mark.feature("R3")
async def test_it_resumes_behind_an_event(org: Organization) -> None:
    incident = await org.report("Left and came back")
    await org.post("/incidents/INC-1/timeline", {"text": "missed"})
    await org.patch("/incidents/INC-1", {"title": "Missed too"})
    async with stream(org, "INC-1", since=incident["version"]) as watched:
        await watched.until("timeline", "incident")
    async with stream(org, "INC-1", since=0) as watched:
        await watched.until("timeline", "incident", "people", "resources")
    async with stream(org, "INC-1", since=999_999_999) as watched:
        await org.post("/incidents/INC-1/timeline", {"text": "still told"})
        await watched.until("timeline")


@pytest.mark.feature("R3", "O4")
async def test_it_is_not_for_others_and_ends_cleanly(muster: RunningMuster, org: Organization) -> None:
    await org.report("Mine")
    other = await muster.organization()
    problem(await other.api.get("/incidents/INC-1/stream"), 404, "not_found")
    await other.api.aclose()
    async with stream(org, "INC-1"), stream(org, "INC-1") as second:
        await org.post("/incidents/INC-1/timeline", {"text": "both"})
        await second.until("timeline")
    async with stream(org, "INC-1") as third:
        await org.post("/incidents/INC-1/timeline", {"text": "again"})
        await third.until("timeline")
