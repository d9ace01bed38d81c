"""Whom an incident's words engage, with the evidence (E2, E6)."""

import pytest

from tests.support.running import Organization

CASES: list[tuple[str, dict[str, object], str, str]] = [
    # term, report, attribute, the text that matched
    ("Disk Full", {"title": "The DISK—full!"}, "title", "DISK—full"),
    ("quota", {"title": "x", "description": "out of\nQUOTA."}, "description", "QUOTA"),
    ("security", {"title": "x", "type": "Security"}, "type", "Security"),
    ("critical", {"title": "x", "severity": "Critical"}, "severity", "Critical"),
    ("high", {"title": "x", "priority": "High"}, "priority", "High"),
    ("eu west 1", {"title": "x", "tags": ["db", "EU-west-1"]}, "tags", "EU-west-1"),
    ("STRASSE", {"title": "Die Straße ist zu"}, "title", "Straße"),
    ("ｆｕｌｌ width", {"title": "full_width"}, "title", "full_width"),
    ("C++", {"title": "a c compiler"}, "title", "c"),
    ("café", {"title": "CAFE\u0301 down"}, "title", "CAFE\u0301"),
]


@pytest.mark.feature("E2", "E6")
async def test_a_term_matches_in_every_attribute_with_its_span(org: Organization) -> None:
    people = {}
    for number, (term, _, _, _) in enumerate(CASES):
        people[f"P{number}"] = await org.individual(f"P{number}", term)
    for number, (_, report, attribute, matched) in enumerate(CASES):
        incident = await org.report(**report)  # type: ignore[arg-type]
        name = f"P{number}"
        evidence = (await org.participants(incident["id"]))[name]["evidence"]
        pieces = [piece for piece in evidence if piece["attribute"] == attribute]
        assert [piece["text"] for piece in pieces] == [matched]
        detail = people[name]["term_details"][0]
        assert (pieces[0]["kind"], pieces[0]["id"], pieces[0]["version"]) == ("term", detail["id"], 1)
        value = incident[attribute]
        text = value if isinstance(value, str) else value["name"] if isinstance(value, dict) else "EU-west-1"
        assert text[pieces[0]["start"] : pieces[0]["end"]] == matched
        engagements = (await org.get(f"/incidents/{incident['id']}/engagements"))["data"]
        assert [each["evidence"] for each in engagements if each["individual"]["name"] == name] == [evidence]


@pytest.mark.feature("E2")
async def test_what_does_not_match(org: Organization) -> None:
    await org.individual("Whole words", "leak")
    await org.individual("Across tags", "east west")
    await org.individual("Across fields", "end begin")
    await org.individual("Other order", "full disk")
    gone = await org.individual("Inactive", "disk")
    assert (await org.api.delete(f"/individuals/{gone['id']}")).status_code == 204
    incident = await org.report("Disk full leakage end", description="begin", tags=["east", "west"])
    assert set(await org.participants(incident["id"])) == {"Olive Owner"}


@pytest.mark.feature("E2")
async def test_a_phrase_of_eight_words_is_the_longest(org: Organization) -> None:
    await org.individual("Eight", "one two three four five six seven eight")
    body = {"name": "Nine", "email": "nine@example.org", "terms": ["1 2 3 4 5 6 7 8 9"]}
    response = await org.api.post("/individuals", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "terms.0"
    assert "at most 8" in response.json()["errors"][0]["message"]
    incident = await org.report("zero one two three four five six seven eight nine")
    assert "Eight" in await org.participants(incident["id"])
