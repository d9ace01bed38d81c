"""Projects, and who belongs to them (O4)."""

import asyncio
from typing import Any

import pytest

from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster


async def named(org: Organization, name: str) -> dict[str, Any]:
    """The project of this name."""
    return next(each for each in (await org.get("/projects"))["data"] if each["name"] == name)


async def actions(org: Organization) -> list[str]:
    """What the audit log has of projects, in order."""
    return [each["action"] for each in reversed((await org.get("/audit", action="project."))["data"])]


@pytest.mark.feature("O4", "O5")
async def test_a_project_is_made_changed_and_deleted(org: Organization) -> None:
    made = await org.post("/projects", {"name": "Payments", "self_join": False, "defaults": {"severity": "high"}})
    assert (made["is_default"], made["self_join"], made["members"], made["version"]) == (False, False, 0, 1)
    assert made["defaults"]["severity"]["name"] == "High"
    assert made["defaults"]["type"] is None
    here = f"/projects/{made['id']}"
    changed = await org.patch(here, {"name": "Money", "self_join": True, "defaults": {"type": "Security"}})
    assert (changed["name"], changed["self_join"], changed["version"]) == ("Money", True, 2)
    assert (changed["defaults"]["type"]["name"], changed["defaults"]["severity"]) == ("Security", None)
    assert await org.patch(here, {}) == await org.patch(here, {"name": "Money"}) == changed
    problem(await org.api.patch(here, json={"name": "x"}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    assert fields(problem(await org.api.patch(here, json={"name": "DEFAULT"}), 422, "name_taken")) == {"name"}
    wrong = await org.api.patch(here, json={"defaults": {"priority": "nowhere"}})
    assert fields(problem(wrong, 422, "invalid")) == {"defaults.priority"}
    problem(await org.api.patch(here, json={"is_default": False}), 422, "invalid")
    assert await org.get(here) == changed
    assert (await org.api.delete(here)).status_code == 204
    problem(await org.api.get(here), 404, "not_found")
    entries = (await org.get("/audit", action="project."))["data"]
    assert [each["action"] for each in entries] == ["project.deleted", "project.changed", "project.created"]
    assert entries[1]["before"] == {"name": "Payments", "self_join": False, "default_type": None, "default_severity": "High"}
    assert entries[1]["after"] == {"name": "Money", "self_join": True, "default_type": "Security", "default_severity": None}


@pytest.mark.feature("O4")
async def test_what_is_in_use_stays(org: Organization) -> None:
    payments = await org.post("/projects", {"name": "Payments"})
    default = await named(org, "Default")
    problem(await org.api.delete(f"/projects/{default['id']}"), 409, "default_project")
    await org.report("Cards are refused", project="Payments")
    problem(await org.api.delete(f"/projects/{payments['id']}"), 409, "project_in_use")


@pytest.mark.feature("R1", "L12")
async def test_a_report_takes_the_project_s_defaults(org: Organization) -> None:
    defaults = {"type": "Security", "severity": "Critical"}
    await org.post("/projects", {"name": "Payments", "defaults": defaults})
    made = await org.post("/incidents", {"title": "Cards are refused", "project": "payments"})
    assert (made["project"]["name"], made["type"]["name"], made["severity"]["name"]) == ("Payments", "Security", "Critical")
    assert made["priority"]["name"] == "Medium"
    said = await org.post("/incidents", {"title": "A slow card", "project": "payments", "severity": "Low"})
    assert said["severity"]["name"] == "Low"
    assert (await org.post("/incidents", {"title": "Elsewhere"}))["severity"]["name"] == "Medium"


@pytest.mark.feature("O4")
async def test_there_is_always_one_default(org: Organization) -> None:
    made = [await org.post("/projects", {"name": name}) for name in ("One", "Two", "Three", "Four")]
    answers = await asyncio.gather(*(org.api.patch(f"/projects/{each['id']}", json={"is_default": True}) for each in made))
    assert {answer.status_code for answer in answers} == {200}
    found = (await org.get("/projects"))["data"]
    assert [each["is_default"] for each in found].count(True) == 1
    new = await org.post("/members", {"name": "Ana", "email": "ana@example.org"})
    (default,) = (each for each in found if each["is_default"])
    members = (await org.get(f"/projects/{default['id']}/members"))["data"]
    assert [each["id"] for each in members] == [new["id"]]


@pytest.mark.feature("O4", "O5")
async def test_members_come_and_go(muster: RunningMuster, org: Organization) -> None:
    made = await org.post("/projects", {"name": "Payments"})
    here = f"/projects/{made['id']}/members"
    async with member(muster, org, "Mia", in_project=False) as mia:
        for _ in range(2):
            assert (await org.api.put(f"{here}/{mia.account}")).status_code == 204
        assert [each["id"] for each in (await org.get(here))["data"]] == [mia.account]
        assert (await org.get(f"/projects/{made['id']}"))["members"] == 1
        assert (await org.get(f"/members/{mia.account}"))["projects"] == 1
        assert [each["id"] for each in (await org.get(here, q="mi"))["data"]] == [mia.account]
        assert (await org.get(here, q="no"))["data"] == []
        for _ in range(2):
            assert (await org.api.delete(f"{here}/{mia.account}")).status_code == 204
        assert (await org.get(here))["data"] == []
        assert await actions(org) == ["project.created", "project.member_added", "project.member_removed"]
        words = [entry["text"] for entry in (await org.get("/audit", action="project."))["data"]]
        assert words[:2] == ["Olive Owner removed Mia from the project Payments", "Olive Owner added Mia to the project Payments"]
        await org.api.put(f"{here}/{mia.account}")
        assert (await org.api.delete(f"/projects/{made['id']}")).status_code == 204
        assert (await org.get(f"/members/{mia.account}"))["projects"] == 0


@pytest.mark.feature("O4", "O1")
async def test_only_administrators_change_projects_and_only_their_own(muster: RunningMuster, org: Organization) -> None:
    default = await named(org, "Default")
    other = await muster.organization()
    theirs = (await other.get("/projects"))["data"][0]["id"]
    stranger = (await other.get("/me"))["account"]
    mine = (await org.get("/me"))["account"]
    async with member(muster, org) as mia:
        assert (await mia.api.get("/projects")).json()["data"][0]["name"] == "Default"
        here = f"/projects/{default['id']}"
        problem(await mia.api.post("/projects", json={"name": "x"}), 403, "administrators_only")
        problem(await mia.api.patch(here, json={"name": "x"}), 403, "administrators_only")
        problem(await mia.api.delete(here), 403, "administrators_only")
        problem(await mia.api.put(f"{here}/members/{mia.account}"), 403, "administrators_only")
        problem(await mia.api.delete(f"{here}/members/{mine}"), 403, "administrators_only")
    for method, path, body in (
        ("GET", f"/projects/{theirs}", None),
        ("PATCH", f"/projects/{theirs}", {"name": "x"}),
        ("DELETE", f"/projects/{theirs}", None),
        ("GET", f"/projects/{theirs}/members", None),
        ("PUT", f"/projects/{theirs}/members/{mine}", None),
        ("PUT", f"/projects/{default['id']}/members/{stranger}", None),
        ("DELETE", f"/projects/{default['id']}/members/{stranger}", None),
    ):
        problem(await org.api.request(method, path, json=body), 404, "not_found")
    await other.api.aclose()
