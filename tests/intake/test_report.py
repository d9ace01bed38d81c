"""Reports: what is taken, what is left to the defaults, and what the receipt shows."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.intake.schemas import ReportBody
from tests.support.running import Organization


@pytest.mark.feature("R2")
def test_a_title_of_nothing_but_separators_is_empty() -> None:
    with pytest.raises(ValidationError):
        ReportBody(title="\x1c")


@pytest.mark.feature("R2", "R3", "R7")
async def test_a_report_is_shown_as_it_was_given(org: Organization) -> None:
    ana = await org.individual("Ana")
    began = (datetime.now(UTC) - timedelta(hours=2)).replace(microsecond=0)
    given = {
        "title": "  Disk\r\nBcc: all@example.org  ",
        "description": "Gone 🙈\nall of it",
        "type": "security",
        "severity": "High",
        "priority": "LOW",
        "tags": ["a", "b", "a"],
        "commander": ana["email"].upper(),
        "occurred_at": began.astimezone().isoformat(),
        "mode": "practice",
    }
    incident = await org.report(**given)
    assert incident["title"] == "Disk Bcc: all@example.org"
    assert incident["description"] == given["description"]
    assert [incident[name]["name"] for name in ("type", "severity", "priority")] == ["Security", "High", "Low"]
    assert (incident["tags"], incident["mode"], incident["reference"]) == (["a", "b"], "practice", "INC-1")
    assert incident["commander"]["id"] == ana["id"]
    assert datetime.fromisoformat(incident["started_at"]) == began
    assert incident["duration_seconds"] >= 7200
    roles = {name: person["roles"] for name, person in (await org.participants("INC-1")).items()}
    assert roles == {"Ana": ["commander"], "Olive Owner": ["reporter"]}


@pytest.mark.feature("R2", "E9")
async def test_what_is_left_out_takes_the_default(org: Organization) -> None:
    incident = await org.report("Minimal")
    assert [incident[name]["name"] for name in ("type", "severity", "priority")] == ["Other", "Medium", "Medium"]
    assert (incident["project"]["name"], incident["mode"], incident["visibility"]) == ("Default", "standard", "public")
    assert incident["commander"] == incident["reporter"]
    assert incident["status"]["category"] == "active"


@pytest.mark.feature("R3")
async def test_the_receipt_shows_every_resource_and_person(org: Organization) -> None:
    ana = await org.individual("Ana", "receipt")
    incident = await org.report("A receipt")
    receipt = await org.get("/incidents/inc-1/receipt")
    assert receipt["state"] == "ready"
    assert {resource["kind"]: resource["state"] for resource in receipt["resources"]} == {
        "channel": "ready",
        "call": "ready",
        "document": "not_configured",
        "ticket": "not_configured",
    }
    assert {person["individual"]["id"] for person in receipt["participants"]} == {ana["id"], incident["reporter"]["id"]}
    assert receipt["commander"]["id"] == incident["reporter"]["id"]
    assert receipt["links"]["self"].endswith(f"/incidents/{incident['id']}")
