"""The hash chain over an incident's events (L11).

Each event has a random salt. Its commitment is ``SHA-256(salt ‖ canonical JSON of the payload)``, and the link is
``SHA-256(previous link ‖ canonical JSON of seq, moment and commitment)``. The chain covers only commitments, so a payload
(and its salt) can later be redacted without breaking it; nobody can guess the payload from the commitment without the salt.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import JsonValue, StringConstraints

from workflows.domain.model import Value

GENESIS: Final = "0" * 64
"""The link before the first event."""


Digest = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
"""32 bytes as hexadecimal."""


class RecordedEvent(Value):
    """One event of an exported record. ``payload`` holds command id, actor and body; it and ``salt`` (hex) go when redacted."""

    seq: int
    at: str
    payload: dict[str, JsonValue] | None
    salt: Digest | None
    commitment: Digest
    hash: Digest


class Record(Value):
    """An incident's whole record, as exported by ``record.json``."""

    format: str = "muster-record/1"
    incident: str
    reference: str
    organization: str
    events: tuple[RecordedEvent, ...]


def commit(salt: str, payload: dict[str, JsonValue]) -> str:
    """The commitment to a payload, as hexadecimal."""
    return hashlib.sha256(bytes.fromhex(salt) + _canonical(payload)).hexdigest()


def link(previous: str, seq: int, at: str, commitment: str) -> str:
    """The chain's next link, as hexadecimal. ``at`` is the moment in RFC 3339, exactly as stored."""
    header = _canonical({"seq": seq, "at": at, "commitment": commitment})
    return hashlib.sha256(bytes.fromhex(previous) + header).hexdigest()


def faults(events: Iterable[RecordedEvent]) -> list[str]:
    """What is wrong with a record, in words; empty when every commitment and link holds and no event is missing."""
    found: list[str] = []
    previous, expected = GENESIS, 1
    for event in events:
        if event.seq != expected:
            found.append(f"event {expected} is missing: the record goes on with event {event.seq}")
        if event.payload is not None and (event.salt is None or commit(event.salt, event.payload) != event.commitment):
            found.append(f"event {event.seq}: the payload is not the one that was recorded")
        if link(previous, event.seq, event.at, event.commitment) != event.hash:
            found.append(f"event {event.seq}: the chain does not hold here")
        previous, expected = event.hash, event.seq + 1
    if expected == 1:
        found.append("the record holds no event")
    return found


def _canonical(value: dict[str, JsonValue]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
