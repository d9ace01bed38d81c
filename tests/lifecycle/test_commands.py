"""Commands that come at the same time, or from those who may no longer give them."""

import asyncio

import pytest

from tests.accounts.members import member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster


@pytest.mark.feature("L1")
async def test_two_incidents_merged_crosswise_do_not_both_end(org: Organization) -> None:
    first, second = (await org.report("One"))["id"], (await org.report("Two"))["id"]
    answers = await asyncio.gather(
        org.api.post(f"/incidents/{first}/transitions", json={"to": "merged", "into": second}),
        org.api.post(f"/incidents/{second}/transitions", json={"to": "merged", "into": first}),
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 422], [409, 409])
    ended = [(await org.get(f"/incidents/{each}"))["status"]["category"] == "merged" for each in (first, second)]
    assert sum(ended) <= 1


@pytest.mark.feature("L1", "O4")
async def test_what_an_incident_was_merged_into_is_told_to_those_who_see_that_one(
    muster: RunningMuster, org: Organization
) -> None:
    kept = (await org.report("Kept", visibility="restricted"))["id"]
    merged = (await org.report("Merged"))["id"]
    await org.post(f"/incidents/{merged}/transitions", {"to": "merged", "into": kept})
    assert (await org.get(f"/incidents/{merged}"))["merged_into"] == kept
    async with member(muster, org) as mia:
        assert (await mia.api.get(f"/incidents/{merged}")).json()["merged_into"] is None
        problem(await mia.api.get(f"/incidents/{kept}"), 404, "not_found")


@pytest.mark.feature("L1")
async def test_of_edits_meant_for_one_version_one_is_taken(org: Organization) -> None:
    incident = await org.report("One")
    match = {"If-Match": f'"{incident["version"]}"'}
    answers = await asyncio.gather(
        *(org.api.patch(f"/incidents/{incident['id']}", json={"title": f"Title {n}"}, headers=match) for n in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


@pytest.mark.feature("L1")
async def test_what_comes_while_an_incident_closes_is_answered(org: Organization) -> None:
    incident = (await org.report("One"))["id"]
    answers = await asyncio.gather(
        org.api.post(f"/incidents/{incident}/transitions", json={"to": "closed"}),
        *(org.api.post(f"/incidents/{incident}/timeline", json={"text": f"note {n}"}) for n in range(8)),
    )
    assert {answer.status_code for answer in answers} <= {200, 201}
    notes = [entry for entry in (await org.get(f"/incidents/{incident}/timeline"))["data"] if entry["kind"] == "note_added"]
    assert len(notes) == 8


@pytest.mark.feature("R7")
async def test_who_was_removed_from_a_restricted_incident_has_no_part_in_it(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as reporter:
        made = (await reporter.api.post("/incidents", json={"title": "Quiet", "visibility": "restricted"})).json()
        incident = made["id"]
        await org.until(lambda: _ready(org, incident))
        me = (await org.get("/me"))["individual"]["id"]
        await org.post(f"/incidents/{incident}/participants", {"individual": me})
        assert (await org.api.put(f"/incidents/{incident}/commander", json={"individual": me})).is_success
        assert (await org.api.delete(f"/incidents/{incident}/participants/{reporter.individual}")).status_code == 204
        problem(await reporter.api.get(f"/incidents/{incident}"), 404, "not_found")
        problem(await reporter.api.patch(f"/incidents/{incident}", json={"visibility": "public"}), 404, "not_found")


@pytest.mark.feature("E5", "R7")
async def test_leaving_a_restricted_incident_is_answered(muster: RunningMuster, org: Organization) -> None:
    incident = (await org.report("Quiet", visibility="restricted"))["id"]
    async with member(muster, org) as guest:
        await org.post(f"/incidents/{incident}/participants", {"individual": guest.individual})
        left = await guest.api.post(f"/incidents/{incident}/leave")
        assert (left.status_code, left.json()["state"]) == (200, "left")
        problem(await guest.api.get(f"/incidents/{incident}"), 404, "not_found")


@pytest.mark.feature("R7")
async def test_only_those_in_it_restrict_an_incident(muster: RunningMuster, org: Organization) -> None:
    incident = (await org.report("Open"))["id"]
    async with member(muster, org) as outsider:
        refused = await outsider.api.patch(f"/incidents/{incident}", json={"visibility": "restricted"})
        problem(refused, 403, "not_in_incident")


async def _ready(org: Organization, incident: str) -> bool:
    return bool((await org.get(f"/incidents/{incident}/receipt"))["state"] == "ready")
