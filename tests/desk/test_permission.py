"""Who is in the project, in the incident, in both or in neither, and what that opens (O4, R7)."""

from typing import Any

import httpx
import pytest

from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("O4", "R7")

READING = ("", "/timeline", "/messages", "/participants", "/engagements", "/record.json", "/receipt")


def work(colleague: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    """What those do who respond; each can be done, one after the other. Merging and closing would end the incident."""
    return [
        ("PATCH", "", {"title": "Changed"}),
        ("POST", "/transitions", {"to": "fixing"}),
        ("POST", "/timeline", {"text": "looked at it"}),
        ("POST", "/messages", {"text": "hello"}),
        ("POST", "/participants", {"individual": colleague}),
        ("PUT", "/commander", {"individual": colleague}),
        ("DELETE", f"/participants/{colleague}", None),
    ]


async def ask(person: Member, incident: str, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
    return await person.api.request(method, f"/incidents/{incident}{path}", json=body)


async def works(org: Organization, person: Member, incident: str) -> None:
    """Everything that is work on an incident is done."""
    colleague = (await org.individual("Cleo Colleague"))["id"]
    commander = (await org.get(f"/incidents/{incident}"))["commander"]["id"]
    for method, path, body in work(colleague):
        if method == "DELETE":
            # The commander cannot go.
            assert (await ask(person, incident, "PUT", "/commander", {"individual": commander})).is_success
        response = await ask(person, incident, method, path, body)
        assert response.is_success, (method, path, response.text)


async def only_reads(org: Organization, person: Member, incident: str) -> None:
    """Nothing that is work on an incident is done, and everything about it can be read."""
    colleague = (await org.individual("Cleo Colleague"))["id"]
    before = await org.get(f"/incidents/{incident}")
    for method, path, body in work(colleague):
        problem(await ask(person, incident, method, path, body), 403, "not_in_incident")
    problem(await ask(person, incident, "POST", "/resources/channel/retry", None), 403, "not_in_incident")
    for path in READING:
        assert (await ask(person, incident, "GET", path, None)).status_code == 200
    assert await org.get(f"/incidents/{incident}") | {"duration_seconds": 0} == before | {"duration_seconds": 0}
    messages = (await org.get(f"/incidents/{incident}/messages"))["data"]
    assert [message for message in messages if message["author"]] == []


async def test_a_member_of_the_project_works_in_its_incidents(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Mia") as mia:
        incident = (await org.report("Disk"))["id"]
        await works(org, mia, incident)
        # But who may see it is for those who are in it.
        problem(await ask(mia, incident, "PATCH", "", {"visibility": "restricted"}), 403, "not_in_incident")
        assert (await mia.api.get(f"/incidents/{incident}")).json()["visibility"] == "public"


async def test_who_is_in_neither_reads_until_they_join(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        incident = (await org.report("Disk"))["id"]
        await only_reads(org, nora, incident)
        assert (await nora.api.post(f"/incidents/{incident}/join")).is_success
        await works(org, nora, incident)
        assert (await nora.api.post(f"/incidents/{incident}/leave")).is_success
        problem(await nora.api.post(f"/incidents/{incident}/timeline", json={"text": "x"}), 403, "not_in_incident")


async def test_who_was_removed_reads_a_public_incident(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        incident = (await org.report("Disk"))["id"]
        await org.post(f"/incidents/{incident}/participants", {"individual": nora.individual})
        assert (await org.api.delete(f"/incidents/{incident}/participants/{nora.individual}")).is_success
        problem(await nora.api.post(f"/incidents/{incident}/timeline", json={"text": "x"}), 403, "not_in_incident")
        assert (await nora.api.get(f"/incidents/{incident}")).status_code == 200


async def test_an_administrator_needs_no_project(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Ada", Role.ADMIN, in_project=False) as ada:
        await works(org, ada, (await org.report("Disk"))["id"])


async def test_everyone_works_in_an_exercise(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        incident = (await org.report("Fire drill", mode="practice"))["id"]
        await works(org, nora, incident)
        problem(await ask(nora, incident, "PATCH", "", {"visibility": "restricted"}), 403, "not_in_incident")
        hidden = (await org.report("Secret drill", mode="practice", visibility="restricted"))["id"]
        problem(await ask(nora, hidden, "GET", "", None), 404, "not_found")
        problem(await ask(nora, hidden, "POST", "/timeline", {"text": "x"}), 404, "not_found")


async def test_who_reports_without_being_in_the_project_follows_and_works(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        made = (await nora.api.post("/incidents", json={"title": "Found a key", "visibility": "restricted"})).json()
        assert (await nora.api.get(f"/incidents/{made['id']}/receipt")).status_code == 200

        async def opened() -> bool:
            receipt = await nora.api.get(f"/incidents/{made['id']}/receipt")
            return bool(receipt.json()["state"] == "ready")

        await org.until(opened)
        await works(org, nora, made["id"])


async def test_a_merge_that_is_refused_leaves_no_trace_in_the_other_incident(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Nora", in_project=False) as nora:
        source, target = (await org.report("Disk"))["id"], (await org.report("Disks"))["id"]
        await org.post(f"/incidents/{target}/participants", {"individual": nora.individual})
        before = await org.get(f"/incidents/{target}")
        merge = {"to": "merged", "into": target}
        problem(await ask(nora, source, "POST", "/transitions", merge), 403, "not_in_incident")
        assert (await org.get(f"/incidents/{target}"))["version"] == before["version"]
        # Nor the other way round: who cannot bring people into the other one.
        back = {"to": "merged", "into": source}
        problem(await ask(nora, target, "POST", "/transitions", back), 403, "not_in_incident")
        assert (await org.get(f"/incidents/{target}"))["status"]["id"] == before["status"]["id"]
