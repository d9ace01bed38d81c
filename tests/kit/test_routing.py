"""Idempotency-Key: the same key and body is the same request (R2)."""

import asyncio
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.store.answers import AnswerRow
from tests.accounts.members import member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


async def together(
    api: httpx.AsyncClient, path: str, body: Any, headers: dict[str, str], times: int = 20
) -> list[httpx.Response]:
    return list(await asyncio.gather(*(api.post(path, json=body, headers=headers) for _ in range(times))))


def same(answers: list[httpx.Response]) -> None:
    assert Counter(answer.status_code for answer in answers).keys() == {answers[0].status_code}, [a.text for a in answers]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert {answer.headers.get("ETag") for answer in answers} == {answers[0].headers.get("ETag")}
    assert {answer.headers.get("Location") for answer in answers} == {answers[0].headers.get("Location")}


@pytest.mark.feature("R2", "R4")
async def test_the_same_report_twice_is_one_incident(org: Organization) -> None:
    headers = key()
    first = await org.api.post("/incidents", json={"title": "Once"}, headers=headers)
    second = await org.api.post("/incidents", json={"title": "Once"}, headers=headers)
    assert first.status_code == 201
    assert first.headers["Location"].endswith(f"/incidents/{first.json()['id']}")
    same([first, second])
    assert len((await org.get("/incidents"))["data"]) == 1


@pytest.mark.feature("R2", "R4")
async def test_twenty_at_once_are_one_incident(org: Organization) -> None:
    answers = await together(org.api, "/incidents", {"title": "Double click"}, key())
    assert answers[0].status_code == 201
    same(answers)
    assert len((await org.get("/incidents"))["data"]) == 1


@pytest.mark.feature("R2")
async def test_other_posts_are_idempotent_too(org: Organization) -> None:
    incident = (await org.report("Said once"))["id"]
    paths: list[tuple[str, dict[str, object]]] = [
        ("/individuals", {"name": "Twin", "email": "twin@example.org"}),
        (f"/incidents/{incident}/messages", {"text": "hello"}),
        (f"/incidents/{incident}/timeline", {"text": "noted"}),
        (f"/incidents/{incident}/transitions", {"to": "fixing"}),
        (f"/incidents/{incident}/join", {}),
        (f"/incidents/{incident}/transitions", {"to": "closed"}),
    ]
    for path, body in paths:
        headers = key()
        answers = await together(org.api, path, body, headers, times=8)
        assert answers[0].is_success, (path, answers[0].text)
        assert {answer.status_code for answer in answers} == {answers[0].status_code}, [answer.text for answer in answers]
        again = [await org.api.post(path, json=body, headers=headers) for _ in range(2)]
        same(again)
    assert [message["text"] for message in (await org.get(f"/incidents/{incident}/messages"))["data"] if message["author"]] == [
        "hello"
    ]
    notes = [entry for entry in (await org.get(f"/incidents/{incident}/timeline"))["data"] if entry["kind"] == "note_added"]
    assert len(notes) == 1


@pytest.mark.feature("R2")
async def test_another_body_under_the_same_key_is_refused(org: Organization) -> None:
    incident = (await org.report("Mine"))["id"]
    for path, first, other in (
        ("/incidents", {"title": "One"}, {"title": "Two"}),
        ("/individuals", {"name": "A", "email": "a@example.org"}, {"name": "B", "email": "b@example.org"}),
        (f"/incidents/{incident}/timeline", {"text": "one"}, {"text": "two"}),
    ):
        headers = key()
        assert (await org.api.post(path, json=first, headers=headers)).status_code == 201
        problem(await org.api.post(path, json=other, headers=headers), 422, "idempotency_key_reused")
        problem(await org.api.post(path, content=b"{", headers=headers), 422, "idempotency_key_reused")
    assert [entry["note"] for entry in (await org.get(f"/incidents/{incident}/timeline"))["data"] if entry["note"]] == ["one"]


@pytest.mark.feature("R2")
async def test_of_two_bodies_at_once_under_one_key_one_is_taken(org: Organization) -> None:
    incident = (await org.report("Mine"))["id"]
    headers = key()
    answers = await asyncio.gather(
        *(org.api.post(f"/incidents/{incident}/timeline", json={"text": f"note {n % 2}"}, headers=headers) for n in range(8))
    )
    notes = [entry["note"] for entry in (await org.get(f"/incidents/{incident}/timeline"))["data"] if entry["note"]]
    assert len(notes) == 1
    taken = [n for n, answer in enumerate(answers) if answer.status_code == 201]
    assert len({n % 2 for n in taken}) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 422, "idempotency_key_reused")


@pytest.mark.feature("R2")
async def test_the_same_key_on_another_path_is_refused(org: Organization) -> None:
    headers = key()
    await org.post("/individuals", {"name": "A", "email": "a@example.org"}, headers=headers)
    problem(await org.api.post("/incidents", json={"title": "x"}, headers=headers), 422, "idempotency_key_reused")


@pytest.mark.feature("R2", "O1")
async def test_keys_of_others_do_not_collide(muster: RunningMuster, org: Organization) -> None:
    headers, body = key(), {"title": "Whose"}
    other = await muster.organization()
    async with member(muster, org) as colleague:
        mine = await org.api.post("/incidents", json=body, headers=headers)
        hers = await colleague.api.post("/incidents", json=body, headers=headers)
        theirs = await other.api.post("/incidents", json=body, headers=headers)
    await other.api.aclose()
    assert [answer.status_code for answer in (mine, hers, theirs)] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in (mine, hers, theirs)}) == 3


@pytest.mark.feature("R2")
async def test_an_error_is_not_remembered(org: Organization) -> None:
    headers, body = key(), {"title": "x", "commander": "late@example.org"}
    problem(await org.api.post("/incidents", json=body, headers=headers), 422, "invalid")
    await org.post("/individuals", {"name": "Late", "email": "late@example.org"})
    assert (await org.api.post("/incidents", json=body, headers=headers)).status_code == 201


@pytest.mark.feature("R2")
async def test_a_key_that_is_no_key_is_a_problem(org: Organization) -> None:
    for bad in ("", "x" * 256, "tab\there"):
        response = await org.api.post("/incidents", json={"title": "x"}, headers={"Idempotency-Key": bad})
        problem(response, 422, "idempotency_key_invalid")
    longest = await org.api.post("/incidents", json={"title": "x"}, headers={"Idempotency-Key": "k" * 255})
    assert longest.status_code == 201
    assert len((await org.get("/incidents"))["data"]) == 1


@pytest.mark.feature("R2")
async def test_answers_are_forgotten_in_time_but_those_to_reports_never(muster: RunningMuster, org: Organization) -> None:
    report, contact = key(), key()
    made = await org.post("/incidents", {"title": "Kept"}, headers=report)
    await org.post("/individuals", {"name": "A", "email": "a@example.org"}, headers=contact)
    await age_answers(muster, org)
    assert (await org.post("/incidents", {"title": "Kept"}, headers=report))["id"] == made["id"]
    problem(await org.api.post("/individuals", json={"name": "A", "email": "a@example.org"}, headers=contact), 422, "email_taken")


async def age_answers(muster: RunningMuster, org: Organization) -> None:
    """Two days go by for the answers of an organization."""
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.write(organization) as session:
        for row in await session.scalars(select(AnswerRow)):
            row.created_at -= timedelta(days=2)
            if row.expires_at is not None:
                row.expires_at -= timedelta(days=2)
