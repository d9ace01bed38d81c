"""The timeline in words, the incident as it was, and a record that can be checked offline (L11, I4)."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import cli
from tests.kit.problems import problem
from tests.support.running import Organization


def verify(file: Path) -> tuple[int, str]:
    """``muster verify FILE``: its status, and what it said."""
    result = CliRunner().invoke(cli, ["verify", str(file)])
    return result.exit_code, result.output


async def status_of_the_program(file: Path) -> int:
    """The status that a shell sees."""
    program = [sys.executable, "-c", "from services.cli import main; main()", "verify", str(file)]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


@pytest.mark.feature("L11")
async def test_a_record_is_verified_offline(org: Organization, tmp_path: Path) -> None:
    incident = await org.report("For the record")
    await org.post("/incidents/INC-1/timeline", {"text": "A secret note"})
    record = await org.get("/incidents/INC-1/record.json")
    assert (record["incident"], record["reference"], record["format"]) == (incident["id"], "INC-1", "muster-record/1")
    last = record["events"][-1]
    note = next(event for event in record["events"] if event["payload"]["body"]["kind"] == "note_added")

    def without(seq: int) -> list[Any]:
        return [event for event in record["events"] if event["seq"] != seq]

    def altered(**changes: Any) -> list[Any]:
        return [event | changes if event is note else event for event in record["events"]]

    changed = json.loads(json.dumps(note["payload"]).replace("secret", "public"))
    cases: list[tuple[str, Any, int, str]] = [
        ("as it is", record, 0, last["hash"]),
        ("redacted", record | {"events": altered(payload=None, salt=None)}, 0, last["hash"]),
        ("another payload", record | {"events": altered(payload=changed)}, 1, f"event {note['seq']}: the payload"),
        ("another moment", record | {"events": altered(at="2020-01-01T00:00:00.000000Z")}, 1, f"event {note['seq']}: the chain"),
        ("one removed", record | {"events": without(2)}, 1, "event 2 is missing"),
        ("the first removed", record | {"events": without(1)}, 1, "event 1 is missing"),
        ("two swapped", record | {"events": [*record["events"][1::-1], *record["events"][2:]]}, 1, "missing"),
        ("none left", record | {"events": []}, 1, "no event"),
        ("no record", {"hello": "world"}, 2, "is not a Muster record: "),
        ("a bad salt", record | {"events": altered(salt="not hexadecimal")}, 2, "is not a Muster record: "),
        ("a bad hash", record | {"events": altered(hash="xyz")}, 2, "is not a Muster record: "),
    ]
    files = [tmp_path / name.replace(" ", "-") for name, *_ in cases]
    for file, (_, content, _, _) in zip(files, cases, strict=True):
        file.write_text(json.dumps(content))
    (garbage := tmp_path / "garbage").write_bytes(b"\xff\x00 not json")
    for file, (name, _, code, words) in zip(files, cases, strict=True):
        status, said = verify(file)
        assert (status, words in said) == (code, True), (name, said)
        assert "Traceback" not in said
    for file in (garbage, tmp_path / "absent", tmp_path):
        status, said = verify(file)
        assert (status, "Traceback" in said) == (2, False), said
    assert await status_of_the_program(files[2]) == 1


@pytest.mark.feature("L11", "L1", "I4")
async def test_the_timeline_reads_as_it_happened(org: Organization) -> None:
    ana = await org.individual("Ana")
    await org.report("First title")
    before = datetime.now(UTC)
    await org.post("/incidents/INC-1/transitions", {"to": "fixing", "reason": "found it"})
    await org.patch("/incidents/INC-1", {"title": "Second title", "severity": "High"})
    await org.post("/incidents/INC-1/participants", {"individual": ana["id"]})
    await org.api.put("/incidents/INC-1/commander", json={"individual": ana["id"]})
    await org.post("/incidents/INC-1/leave", {"reason": "my shift is over"})
    await org.post("/incidents/INC-1/timeline", {"text": "  a note  "})
    await org.post("/incidents/INC-1/transitions", {"to": "closed"})
    entries = (await org.get("/incidents/INC-1/timeline", page_size=100))["data"]
    assert [entry["seq"] for entry in entries] == sorted((entry["seq"] for entry in entries), reverse=True)
    said = {(entry["text"], entry["detail"], entry["note"]) for entry in entries if entry["actor"]}
    assert said >= {
        ("reported the incident", None, None),
        ("moved the incident: Investigating → Fixing", "found it", None),
        ("changed the title and severity", "title: “First title” → “Second title”; severity: “Medium” → “High”", None),
        ("added 1 person", None, None),
        ("made Ana commander", "Olive Owner was the commander before", None),
        ("left", "my shift is over", None),
        ("wrote", None, "a note"),
        ("moved the incident: Fixing → Closed", None, None),
    }
    now = await org.get("/incidents/INC-1")
    assert (now["title"], now["status"]["name"], now["commander"]["name"]) == ("Second title", "Closed", "Ana")
    assert now["stable_at"] is not None
    assert now["closed_at"] is not None
    past = await org.get("/incidents/INC-1", at=before.isoformat())
    assert (past["title"], past["status"]["name"], past["commander"]["name"]) == ("First title", "Investigating", "Olive Owner")
    assert past["closed_at"] is None
    ahead = (before + timedelta(days=1)).isoformat()
    assert (await org.get("/incidents/INC-1", at=ahead))["version"] == now["version"]
    problem(await org.api.get("/incidents/INC-1", params={"at": "2001-01-01T00:00:00Z"}), 404, "not_found")


@pytest.mark.feature("L1", "E5", "E9")
async def test_who_may_go_and_who_may_command(org: Organization) -> None:
    ana = await org.individual("Ana", "pump")
    ben = await org.individual("Ben")
    incident = await org.report("The pump failed")
    owner = incident["commander"]["id"]
    await org.until(lambda: org.all_sent("INC-1"))
    problem(await org.api.post("/incidents/INC-1/leave"), 409, "commander_cannot_leave")
    problem(await org.api.delete(f"/incidents/INC-1/participants/{owner}"), 409, "commander_cannot_leave")
    problem(await org.api.put("/incidents/INC-1/commander", json={"individual": ben["id"]}), 409, "not_a_participant")
    version = (await org.get("/incidents/INC-1"))["version"]
    same = await org.api.put("/incidents/INC-1/commander", json={"individual": owner})
    assert (same.status_code, same.json()["version"]) == (200, version)
    for _ in range(2):
        assert (await org.api.delete(f"/incidents/INC-1/participants/{ana['id']}")).status_code == 204
    problem(await org.api.put("/incidents/INC-1/commander", json={"individual": ana["id"]}), 409, "not_a_participant")
    back = await org.post("/incidents/INC-1/participants", {"individual": ana["id"]})
    assert (back["state"], back["evidence"][0]["kind"]) == ("engaged", "manual")
    await org.post("/incidents/INC-1/transitions", {"to": "stable"})
    await org.until(lambda: org.all_sent("INC-1"))
    welcomes = [each for each in await org.deliveries("INC-1") if each["recipient"]["id"] == ana["id"]]
    assert sorted(each["channel"] for each in welcomes) == ["chat", "email"]
    await org.api.delete(f"/individuals/{ben['id']}")
    problem(await org.api.post("/incidents/INC-1/participants", json={"individual": ben["id"]}), 409, "individual_inactive")
    await org.post("/incidents/INC-1/transitions", {"to": "closed"})
    problem(await org.api.patch("/incidents/INC-1", json={"title": "x"}), 409, "incident_over")
    problem(await org.api.post("/incidents/INC-1/join"), 409, "incident_over")
    problem(await org.api.post("/incidents/INC-1/transitions", json={"to": "closed"}), 409, "already_in_status")
    reopened = await org.post("/incidents/INC-1/transitions", {"to": "active"})
    assert (reopened["status"]["category"], reopened["closed_at"]) == ("active", None)
