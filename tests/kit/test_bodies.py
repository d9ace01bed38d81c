"""Bodies that cannot be taken: each gets a problem document, and nothing changes."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.kit.problems import fields, problem
from tests.support.running import Organization

JSON = {"Content-Type": "application/json"}
MEGABYTES = b'{"title": "' + b"x" * 10_000_000 + b'"}'
POSTS = [
    "/incidents",
    "/individuals",
    "/incidents/INC-1/transitions",
    "/incidents/INC-1/messages",
    "/incidents/INC-1/participants",
]


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


@pytest.fixture
async def org(org: Organization) -> AsyncIterator[Organization]:
    """With an incident, after which nothing else may have been made."""
    before = await org.report("The only one")
    people = (await org.get("/individuals"))["data"]
    yield org
    after = await org.get("/incidents")
    assert [incident["id"] for incident in after["data"]] == [before["id"]]
    assert after["data"][0]["version"] == before["version"]
    assert (await org.get("/individuals"))["data"] == people


@pytest.mark.feature("R2")
async def test_what_is_no_json_object_is_a_problem(org: Organization) -> None:
    for path in POSTS:
        await refuses_what_is_no_object(org, path)


async def refuses_what_is_no_object(org: Organization, path: str) -> None:
    problem(await org.api.post(path, headers=JSON), 422, "invalid")
    problem(await org.api.post(path, content=b"", headers=JSON), 422, "invalid")
    for text in (b"{", b"title=x", b'{"title": "x"', b"\x00", b'{"title": "\x01"}'):
        problem(await org.api.post(path, content=text, headers=JSON), 400, "malformed")
    for value in (b"null", b"[]", b'"text"', b"7", b"true", b"[{}]"):
        problem(await org.api.post(path, content=value, headers=JSON), 422, "invalid")
    for broken in (b'{"title": "\xff\xfe\xfd"}', b"[" * 100_000, b'{"title": ' + b"9" * 5_000 + b"}"):
        response = await org.api.post(path, content=broken, headers=JSON)
        assert response.status_code in {400, 422}, response.text
        problem(response, response.status_code, response.json()["code"])


@pytest.mark.feature("R2")
async def test_a_body_of_ten_megabytes_is_too_large(org: Organization) -> None:
    for path in POSTS:
        problem(await org.api.post(path, content=MEGABYTES, headers=JSON), 413, "body_too_large")
        problem(await org.api.post(path, content=in_pieces(MEGABYTES), headers=JSON), 413, "body_too_large")


@pytest.mark.feature("R2")
async def test_a_body_of_another_type_is_a_problem(org: Organization) -> None:
    for kind in ("text/plain", "application/xml", "application/octet-stream"):
        problem(await org.api.post("/incidents", content=b'{"title": "x"}', headers={"Content-Type": kind}), 422, "invalid")


WRONG: list[tuple[dict[str, object], str]] = [
    ({}, "title"),
    ({"title": ""}, "title"),
    ({"title": "x" * 201}, "title"),
    ({"title": 7}, "title"),
    ({"title": ["x"]}, "title"),
    ({"title": None}, "title"),
    ({"title": "a\x00b"}, "title"),
    ({"title": "x", "description": "y" * 20_001}, "description"),
    ({"title": "x", "description": "half \udc00"}, "description"),
    ({"title": "x", "tags": "not a list"}, "tags"),
    ({"title": "x", "tags": ["ok", 3]}, "tags.1"),
    ({"title": "x", "tags": ["t" * 81]}, "tags.0"),
    ({"title": "x", "tags": [f"t{n}" for n in range(51)]}, "tags"),
    ({"title": "x", "severity": "no such"}, "severity"),
    ({"title": "x", "severity": "\x00"}, "severity"),
    ({"title": "x", "project": "018f0000-0000-7000-8000-000000000000"}, "project"),
    ({"title": "x", "type": {"name": "Other"}}, "type"),
    ({"title": "x", "priority": ""}, "priority"),
    ({"title": "x", "commander": "nobody@example.org"}, "commander"),
    ({"title": "x", "commander": "x" * 201}, "commander"),
    ({"title": "x", "mode": "serious"}, "mode"),
    ({"title": "x", "visibility": "secret"}, "visibility"),
    ({"title": "x", "occurred_at": "yesterday"}, "occurred_at"),
    ({"title": "x", "occurred_at": "2024-01-01T00:00:00"}, "occurred_at"),
    ({"title": "x", "occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
    ({"title": "x", "occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
    ({"title": "x", "unknown": 1}, "unknown"),
]


@pytest.mark.feature("R2")
async def test_every_wrong_field_of_a_report_is_named(org: Organization) -> None:
    for body, field in WRONG:
        response = await org.api.post("/incidents", content=json.dumps(body), headers=JSON)
        assert fields(problem(response, 422, "invalid")) == {field}, body


BLANK: list[tuple[str, dict[str, object], str]] = [
    ("/incidents", {"title": "  "}, "title"),
    ("/incidents", {"title": "x", "tags": ["  "]}, "tags.0"),
    ("/individuals", {"name": "  ", "email": "a@b.example"}, "name"),
    ("/incidents/INC-1/messages", {"text": " "}, "text"),
    ("/incidents/INC-1/timeline", {"text": " "}, "text"),
]


@pytest.mark.feature("R2")
async def test_what_is_blank_is_empty(org: Organization) -> None:
    for path, body, field in BLANK:
        assert fields(problem(await org.api.post(path, json=body), 422, "invalid")) == {field}


@pytest.mark.feature("R2")
async def test_all_wrong_fields_are_named_at_once(org: Organization) -> None:
    response = await org.api.post("/incidents", json={"title": "x", "type": "a", "severity": "b", "priority": "c"})
    assert fields(problem(response, 422, "invalid")) == {"type", "severity", "priority"}


@pytest.mark.feature("R2")
async def test_a_field_whose_name_is_no_text_is_a_problem_too(org: Organization) -> None:
    body = rb'{"title": "x", "\ud800": 1}'
    problem(await org.api.post("/incidents", content=body, headers=JSON), 422, "invalid")


async def test_unknown_pages_and_methods_are_problems(org: Organization) -> None:
    problem(await org.api.get("/nothing-here"), 404, "not_found")
    response = await org.api.delete("/incidents")
    problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["Allow"] or "POST" in response.headers["Allow"]
