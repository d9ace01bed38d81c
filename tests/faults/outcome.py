"""What came of an incident, so that it can be compared with what came of the same story told again."""

import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.story import Client
from workflows.domain.record import Record, faults

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z|\+00:00)?|\b\d\d:\d\d\b")
_RESOURCE: Final = re.compile(r"- \[?(Channel|Call|Investigation document|Ticket)\b")


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


async def outcome(client: Client, incident: str) -> Outcome:
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
    for individual, name in people.items():
        seen.add(f"why {name}", list((await client.get(f"{path}/engagements/why", individual=individual)).items()))
    records = await client.data("/engagement-rules") + await client.data("/engagement/terms")
    seen.add("records", [(one["id"], one["matches"], one["not_relevant"]) for one in records])
    # What each person sees in the channel is theirs alone, so this looks where all of it is.
    with sqlite3.connect(f"file:{client.muster.folder / 'muster.db'}?mode=ro", uri=True, timeout=10) as database:
        query = "SELECT author_id, only_to, text FROM messages WHERE incident_id = ?"
        posts = database.execute(query, (incident,)).fetchall()
        seen.add("channel", [(author, only_to, _without_links(text)) for author, only_to, text in posts])
    return seen


def _segments(record: Record) -> list[list[Any]]:
    """The events between what people did: there Muster works on several things at once, in no order."""
    segments: list[list[Any]] = [[]]
    for event in record.events:
        payload: dict[str, Any] = dict(event.payload or {})
        if payload["actor"] is not None:
            segments.append([])
        # A number of an event: there are more of them where something is late.
        body = {name: value for name, value in payload["body"].items() if name != "attributes_seq"}
        if not _tells_of_a_delay(body):
            segments[-1].append((payload["actor"], body))
    return segments


def _tells_of_a_delay(body: Any) -> bool:
    """What the record says of a resource or of roles that are late is true only of the run that was disturbed."""
    if body["kind"] == "resource_changed":
        return bool(body["resource"]["state"] == "pending")
    return body["kind"] in {"roles_awaited", "roles_chosen"}


def _without_links(text: str) -> str:
    """A message without its list of resources: a welcome does not wait long for one that is late."""
    return "\n".join(line for line in text.splitlines() if not _RESOURCE.match(line))
