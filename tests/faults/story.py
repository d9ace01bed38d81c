"""One incident from report to closed, told by a client that asks again until it is answered; and what came of it."""

import asyncio
import contextlib
import re
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from services.kit.temporal import Target, connect
from tests.faults.processes import MusterProcess
from workflows.contracts.incident import workflow_id
from workflows.domain.record import Record, faults

FIRST = ("Credential", "Leak", "Credential Leak")
LATER = ("System", "Compromise", "System Compromise")
PATIENCE = 90.0
"""Seconds for anything to happen: a restart, and the time-outs by which Temporal notices that a worker is dead."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z|\+00:00)?")


class Client:
    """Asks until it is answered, with the same key, as a careful client does."""

    def __init__(self, muster: MusterProcess, token: str | None = None) -> None:
        """``token``: the owner's, where this process did not make it."""
        self.http = httpx.AsyncClient(
            base_url=f"{muster.url}/api/v1/default", headers={"Authorization": f"Bearer {token or muster.token}"}, timeout=30
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        """The answer to a request that must be granted in the end."""
        headers = {"Idempotency-Key": f"{method} {path} {body}"} if method == "POST" else {}
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    response = await self.http.request(method, path, json=body, headers=headers, **more)
                    if response.status_code not in {202, 503}:
                        break
                await asyncio.sleep(0.2)
        assert response.is_success, f"{method} {path} {body}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def get(self, path: str, **params: Any) -> Any:
        """The answer to a GET."""
        return await self.ask("GET", path, params=params)

    async def data(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """A whole list, that is short."""
        return list((await self.get(path, page_size=100, **params))["data"])

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until a condition holds."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not await condition():
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{what}: not after {PATIENCE} s") from None


async def prepare(client: Client) -> None:
    """The people of the story."""
    for phrase in FIRST + LATER:
        email = f"{phrase.lower().replace(' ', '.')}@example.org"
        await client.ask("POST", "/individuals", {"name": f"{phrase} Person", "email": email, "terms": [phrase]})


CLOSE = {"to": "closed", "run_learning_flow": False, "reason": "A drill."}


async def tell(client: Client) -> str:
    """The whole story; answers the incident's id."""
    incident = await respond(client)
    await client.ask("POST", f"/incidents/{incident}/transitions", CLOSE)
    return incident


async def respond(client: Client) -> str:
    """All but its end: report, engage, change, engage more, let one go, hand over, stabilise; answers the incident's id."""
    made = await client.ask("POST", "/incidents", {"title": "credential-leak!", "severity": "High"})
    incident, path = made["id"], f"/incidents/{made['id']}"
    await client.until(lambda: _welcomed(client, incident, 4), "four welcomed")
    people = {one["individual"]["name"]: one["individual"]["id"] for one in await client.data(f"{path}/participants")}
    await client.ask("PATCH", path, {"title": "System Compromise", "description": "A system compromise."})
    await client.until(lambda: _welcomed(client, incident, 7), "seven welcomed")
    await client.ask("DELETE", f"{path}/participants/{people['Leak Person']}")
    await client.ask("PUT", f"{path}/commander", {"individual": people["Credential Person"]})
    await client.ask("POST", f"{path}/timeline", {"text": "The key is revoked."})
    await client.ask("POST", f"{path}/messages", {"text": "All quiet."})
    await client.ask("POST", f"{path}/transitions", {"to": "fixing"})
    await client.ask("POST", f"{path}/transitions", {"to": "stable"})
    return str(incident)


async def settle(muster: MusterProcess, client: Client, incident: str) -> None:
    """Wait until nothing is left to do, in the outbox and in Temporal."""

    async def settled() -> bool:
        with sqlite3.connect(f"file:{muster.folder / 'muster.db'}?mode=ro", uri=True, timeout=10) as database:
            errands = database.execute("SELECT subject_id, errand, attempts, last_error FROM outbox").fetchall()
        try:
            temporal = await connect(Target(f"127.0.0.1:{muster.temporal_port}"))
            described = await temporal.get_workflow_handle(workflow_id(incident)).describe()
            running = await temporal.count_workflows("ExecutionStatus='Running'")
        except (RPCError, RuntimeError):
            return False
        return not errands and described.status is WorkflowExecutionStatus.COMPLETED and running.count == 0

    await client.until(settled, "outbox empty, every workflow complete")


@dataclass
class Outcome:
    """All that can be seen of an incident, without ids and times; what runs side by side is in no order."""

    parts: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, part: str, items: list[Any], *, ordered: bool = False) -> None:
        """Keep items, told without ids and times."""
        lines = [self._told(item) for item in items]
        self.parts[part] = lines if ordered else sorted(lines)

    def differences(self, other: "Outcome") -> list[str]:
        """What the other has not, or has besides."""
        found = []
        for part in self.parts | other.parts:
            mine, theirs = self.parts.get(part, []), other.parts.get(part, [])
            if mine != theirs:
                missing, besides = Counter(mine) - Counter(theirs), Counter(theirs) - Counter(mine)
                found.append(f"{part}: missing {list(missing.elements())}, besides {list(besides.elements())}")
        return found

    def _told(self, item: Any) -> str:
        told = repr(item)
        for known, name in self.names.items():
            told = told.replace(known, name)
        return _ID.sub("ID", _MOMENT.sub("TIME", told))


async def outcome(muster: MusterProcess, client: Client, incident: str) -> Outcome:
    """Read everything about an incident; its record must hold."""
    path = f"/incidents/{incident}"
    record = Record.model_validate(await client.get(f"{path}/record.json"))
    assert faults(record.events) == []
    people = {one["id"]: one["name"] for one in await client.data("/individuals")}
    seen = Outcome(names={incident: "INCIDENT"} | people)
    view = await client.get(path)
    ignored = {"id", "links", "version", "attributes_version", "duration_seconds"}
    seen.add("incident", [(name, value) for name, value in view.items() if name not in ignored])
    for number, segment in enumerate(_segments(record)):
        seen.add(f"events {number}", segment)
    stamps = ("reported_at", "stable_at", "closed_at")
    seen.add("stamps", sorted(stamps, key=lambda stamp: str(view[stamp])), ordered=True)
    participants = await client.data(f"{path}/participants")
    seen.add("participants", [(p["individual"]["id"], p["roles"], p["state"], p["evidence"]) for p in participants])
    deliveries = await client.data("/deliveries", incident=incident)
    seen.add("deliveries", [(d["recipient"]["id"], d["kind"], d["channel"], d["state"], d["in_doubt"]) for d in deliveries])
    inbox = [message for message in await client.data("/inbox") if message["incident"] == incident]
    seen.add("inbox", [(m["recipient"]["id"], m["channel"], m["subject"], _without_links(m["text"])) for m in inbox])
    # What each person sees in the channel is theirs alone, so this looks where all of it is.
    with sqlite3.connect(f"file:{muster.folder / 'muster.db'}?mode=ro", uri=True, timeout=10) as database:
        query = "SELECT author_id, only_to, text FROM messages WHERE incident_id = ?"
        posts = database.execute(query, (incident,)).fetchall()
        seen.add("channel", [(author, only_to, _without_links(text)) for author, only_to, text in posts])
    return seen


def _segments(record: Record) -> list[list[Any]]:
    """The events between what people did: there Muster works on several things at once, in no order."""
    segments: list[list[Any]] = [[]]
    for event in record.events:
        payload = event.payload or {}
        if payload["actor"] is not None:
            segments.append([])
        if _tells_of_a_delay(payload["body"]):
            continue
        segments[-1].append((payload["actor"], payload["body"]))
    return segments


def _tells_of_a_delay(body: Any) -> bool:
    """What the record says of a resource that is late, and still being made, is true only of the run that was disturbed."""
    return bool(body["kind"] == "resource_changed" and body["resource"]["state"] == "pending")


def _without_links(text: str) -> str:
    """A message without its list of resources: a welcome does not wait long for one that is late."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("- "))


async def _welcomed(client: Client, incident: str, people: int) -> bool:
    receipt = await client.get(f"/incidents/{incident}/receipt")
    deliveries = await client.data("/deliveries", incident=incident)
    sent = Counter(delivery["state"] for delivery in deliveries)
    return receipt["state"] == "ready" and sent == {"sent": 2 * people}
