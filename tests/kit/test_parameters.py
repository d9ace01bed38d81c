"""What comes by path, query and header, and cannot be meant: a problem, never a fault, and nothing changes."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest

from services.kit.ids import new_id
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster

LISTS = ["/incidents", "/individuals", "/deliveries", "/inbox", "/incidents/INC-1/timeline"]


@pytest.fixture
async def org(org: Organization) -> AsyncIterator[Organization]:
    """With an incident that must stay as it is."""
    before = await org.report("Stays as it is")
    yield org
    assert (await org.get("/incidents/INC-1"))["version"] == before["version"]


NO_INCIDENT = ["INC-0", "INC-99", "INC-", "INC-٣", "-1", "INC-9999999999", "x" * 3_000, "%00", "%ED%A0%80", "inc 1", new_id()]
NOBODY = [new_id(), "7", "%00", "%ED%A0%80", "x" * 3_000]


@pytest.mark.feature("O4")
async def test_what_is_unknown_is_not_found(org: Organization) -> None:
    for known in NO_INCIDENT:
        await no_incident(org, known)
    for known in NOBODY:
        await nobody(org, known)


async def no_incident(org: Organization, known: str) -> None:
    for path in ("", "/receipt", "/timeline", "/messages", "/record.json", "/participants", "/engagements", "/stream"):
        problem(await org.api.get(f"/incidents/{known}{path}"), 404, "not_found")
    problem(await org.api.patch(f"/incidents/{known}", json={"title": "x"}), 404, "not_found")
    problem(await org.api.post(f"/incidents/{known}/messages", json={"text": "x"}), 404, "not_found")
    problem(await org.api.post(f"/incidents/{known}/transitions", json={"to": "fixing"}), 404, "not_found")
    problem(await org.api.get("/deliveries", params={"incident": known[:200]}), 404, "not_found")


async def nobody(org: Organization, known: str) -> None:
    problem(await org.api.get(f"/individuals/{known}"), 404, "not_found")
    problem(await org.api.patch(f"/individuals/{known}", json={"name": "x"}), 404, "not_found")
    problem(await org.api.delete(f"/individuals/{known}"), 404, "not_found")
    problem(await org.api.put(f"/individuals/{known}/terms", json={"terms": []}), 404, "not_found")
    problem(await org.api.post(f"/deliveries/{known}/retry"), 404, "not_found")
    why = await org.api.get(f"/incidents/INC-1/engagements/why?individual={known}")
    gone = await org.api.delete(f"/incidents/INC-1/participants/{known}")
    if "%00" in known:
        problem(why, 422, "invalid")
        problem(gone, 404, "not_found")
    else:
        problem(why, 404, "not_found")
        problem(gone, 409, "not_a_participant")


@pytest.mark.feature("E9", "O4")
async def test_an_unknown_person_in_a_body_is_refused(org: Organization) -> None:
    for known in (new_id(), "7"):
        problem(await org.api.post("/incidents/INC-1/participants", json={"individual": known}), 404, "not_found")
        problem(await org.api.put("/incidents/INC-1/commander", json={"individual": known}), 409, "not_a_participant")
    for bad in ("a\x00b", ""):
        problem(await org.api.post("/incidents/INC-1/participants", json={"individual": bad}), 422, "invalid")
        problem(await org.api.put("/incidents/INC-1/commander", json={"individual": bad}), 422, "invalid")


async def test_an_after_from_elsewhere_is_refused(muster: RunningMuster, org: Organization) -> None:
    other = await muster.organization()
    for each in (org, other):
        for name in ("Ana", "Ben"):
            await each.individual(name, "queue")
        await asyncio.gather(*(each.report("The queue is full") for _ in range(2)))
        await each.until(partial(each.all_sent, "INC-2"))
    theirs = {name: (await other.get(name, page_size=1))["pagination"]["after"] for name in LISTS}
    mine = {name: (await org.get(name, page_size=1))["pagination"]["after"] for name in LISTS}
    for path in LISTS:
        await refuses_others(org, path, theirs[path], mine)
    await other.api.aclose()


async def refuses_others(org: Organization, path: str, theirs: str, afters: dict[str, str]) -> None:
    foreign = [theirs, *(after for name, after in afters.items() if name != path)]
    garbage = [
        "",
        "x",
        "%%",
        "bnVsbA",
        "W10",
        "é",
        "A" * 400,
        afters[path][:-2],
        afters[path] + "AAAA",
        *forged(afters[path]),
    ]
    for after in foreign + garbage:
        problem(await org.api.get(path, params={"after": after}), 400, "unknown_after")
    problem(await org.api.get(path, params={"after": "x" * 501}), 422, "invalid")
    assert (await org.api.get(path, params={"after": afters[path], "page_size": 1})).status_code == 200
    if path != "/incidents/INC-1/timeline":
        narrowed = {"/incidents": {"q": "queue"}, "/individuals": {"q": "a"}, "/deliveries": {"state": "sent"}}
        extra = narrowed.get(path, {"recipient": (await org.get("/me"))["individual"]["id"]})
        problem(await org.api.get(path, params={"after": afters[path], **extra}), 400, "unknown_after")


def forged(after: str) -> list[str]:
    """The same list, with keys that no row has."""
    digest, *keys = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    return [
        base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")
        for parts in ([digest], [digest, *keys, "x"], [digest, 7], {"a": digest}, [digest, *("\x00" for _ in keys)])
    ]


async def test_a_forged_moment_or_number_is_refused(org: Organization) -> None:
    await org.report("Another")
    for path, keys in (
        ("/incidents", ["2026-01-01T00:00:00", new_id()]),
        ("/incidents", ["soon", new_id()]),
        ("/incidents", ["0001-01-01T00:00:00+14:00", new_id()]),
        ("/incidents/INC-1/timeline", ["9" * 30]),
        ("/incidents/INC-1/timeline", ["-1"]),
    ):
        after = (await org.get(path, page_size=1))["pagination"]["after"]
        digest = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))[0]
        made = base64.urlsafe_b64encode(json.dumps([digest, *keys]).encode()).decode().rstrip("=")
        problem(await org.api.get(path, params={"after": made}), 400, "unknown_after")


@pytest.mark.feature("C9")
async def test_a_filter_that_is_no_text_is_a_problem(org: Organization) -> None:
    names = {
        "/incidents": ["status", "category", "severity", "type", "priority", "project", "commander", "q"],
        "/deliveries": ["incident", "recipient", "state", "channel", "kind"],
        "/inbox": ["recipient"],
        "/individuals": ["q"],
    }
    for path, filters in names.items():
        for name in filters:
            for bad in ("a\x00b", "x" * 201):
                assert fields(problem(await org.api.get(path, params={name: bad}), 422, "invalid")) == {name}
            broken = await org.api.get(f"{path}?{name}=%FF%ED%A0%80")
            assert broken.status_code in {200, 404}
    for path in LISTS:
        for size in ("0", "-1", "101", "ten", "1e2", ""):
            assert fields(problem(await org.api.get(path, params={"page_size": size}), 422, "invalid")) == {"page_size"}
    assert fields(problem(await org.api.get("/incidents", params={"sort": "title"}), 422, "invalid")) == {"sort"}
    assert fields(problem(await org.api.get("/incidents", params={"ongoing": "perhaps"}), 422, "invalid")) == {"ongoing"}
    for at in ("now", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        assert fields(problem(await org.api.get("/incidents/INC-1", params={"at": at}), 422, "invalid")) == {"at"}
    problem(await org.api.get("/incidents/INC-1", params={"at": "0001-01-01T00:00:00Z"}), 404, "not_found")


@pytest.mark.feature("C11")
async def test_if_match_is_honoured(org: Organization) -> None:
    person = await org.individual("Ana")
    path, version = f"/individuals/{person['id']}", person["version"]
    for bad in ("", '"', "seven", '"1.0"', "-1", "9" * 5_000, '"1", "2"'):
        problem(await org.api.patch(path, json={"name": "No"}, headers={"If-Match": bad}), 400, "if_match_malformed")
        problem(
            await org.api.patch("/incidents/INC-1", json={"title": "No"}, headers={"If-Match": bad}), 400, "if_match_malformed"
        )
    for method, target, body in (
        ("PATCH", path, {"name": "No"}),
        ("PUT", f"{path}/terms", {"terms": ["no"]}),
        ("DELETE", path, None),
        ("PATCH", "/incidents/INC-1", {"title": "No"}),
    ):
        response = await org.api.request(method, target, json=body, headers={"If-Match": '"999"'})
        problem(response, 412, "version_conflict")
    assert await org.get(path) == person
    for good in (f'"{version}"', f'W/"{version + 1}"', "*"):
        assert (await org.api.patch(path, json={"name": "Ana B."}, headers={"If-Match": good})).status_code == 200


@pytest.mark.feature("L1")
async def test_a_status_that_is_not_allowed_is_refused(org: Organization) -> None:
    path = "/incidents/INC-1/transitions"
    found = problem(await org.api.post(path, json={"to": "no-such"}), 422, "unknown_status")
    assert fields(found) == {"to"}
    problem(await org.api.post(path, json={"to": "reported"}), 409, "transition_not_allowed")
    problem(await org.api.post(path, json={"to": "investigating"}), 409, "already_in_status")
    assert fields(problem(await org.api.post(path, json={"to": "declined"}), 422, "reason_required")) == {"reason"}
    assert fields(problem(await org.api.post(path, json={"to": "merged"}), 422, "merge_target_required")) == {"into"}
    assert fields(problem(await org.api.post(path, json={"to": "merged", "into": "INC-1"}), 422, "merge_into_itself")) == {"into"}
    problem(await org.api.post(path, json={"to": "merged", "into": "INC-77"}), 404, "not_found")
    assert fields(problem(await org.api.post(path, json={"to": "x" * 61}), 422, "invalid")) == {"to"}


async def test_last_event_id_must_be_one(org: Organization) -> None:
    for bad in ("x", "-1", "1.5", "9" * 30, "9" * 5_000):
        response = await org.api.get("/incidents/INC-1/stream", headers={"Last-Event-ID": bad})
        problem(response, 400, "unknown_event_id")
