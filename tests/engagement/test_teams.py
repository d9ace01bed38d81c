"""Teams: their members, their list, their terms (E1)."""

import asyncio
from typing import Any

import pytest

from services.engagement import targets
from services.kit.clock import now
from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.rules import Target, TargetKind

pytestmark = pytest.mark.feature("E1")


async def stands_for(muster: RunningMuster, org: Organization, *wanted: Target) -> dict[Target, list[str]]:
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        return (await targets.resolve(session, wanted, now())).people


async def team(org: Organization, name: str = "Payments", **more: Any) -> dict[str, Any]:
    return await org.post("/teams", {"name": name, **more})


async def test_a_team_has_members_and_terms(org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    response = await org.api.post(
        "/teams", json={"name": "Payments", "members": [ben["id"], ana["id"], ana["id"]], "terms": ["Refund"]}
    )
    made = response.json()
    assert response.status_code == 201
    assert response.headers["Location"].endswith(f"/teams/{made['id']}")
    assert [each["name"] for each in made["members"]] == ["Ana", "Ben"]
    assert (made["notify"], made["list_address"], made["terms"], made["active"]) == ("members", None, ["Refund"], True)
    changed = await org.patch(f"/teams/{made['id']}", {"members": [ben["id"]], "name": "Payouts"})
    assert ([each["name"] for each in changed["members"]], changed["name"], changed["version"]) == (["Ben"], "Payouts", 2)
    path = f"/teams/{made['id']}/terms"
    kept = (await org.api.put(path, json={"terms": ["REFUND", "ledger"]}, headers={"If-Match": '"2"'})).json()
    before, after = ({term["phrase"].casefold(): term for term in each["term_details"]} for each in (made, kept))
    assert after["refund"] == before["refund"] | {"phrase": "REFUND", "version": 2}
    problem(await org.api.put(path, json={"terms": []}, headers={"If-Match": '"2"'}), 412, "version_conflict")
    assert await org.get(f"/teams/{made['id']}") == kept
    entry = (await org.get("/teams", q="ledg"))["data"][0]
    assert (entry["id"], entry["member_count"], entry["terms"]) == (made["id"], 1, ["REFUND", "ledger"])


async def test_the_same_request_makes_one_team(org: Organization) -> None:
    key = {"Idempotency-Key": "once"}
    answers = [await org.api.post("/teams", json={"name": "Payments"}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    problem(await org.api.post("/teams", json={"name": "Other"}, headers=key), 422, "idempotency_key_reused")
    assert len((await org.get("/teams"))["data"]) == 1


async def test_one_of_many_gets_a_name(org: Organization) -> None:
    answers = await asyncio.gather(*(org.api.post("/teams", json={"name": name}) for name in ("Pay", "PAY", "pay", "paY")))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    for answer in answers:
        if answer.status_code == 422:
            assert fields(problem(answer, 422, "name_taken")) == {"name"}


async def test_a_team_that_cannot_be_is_refused(muster: RunningMuster, org: Organization) -> None:
    ana = await org.individual("Ana")
    other = await muster.organization()
    stranger = await other.individual("Tess")
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"name": ""}, "name", "invalid"),
        ({"members": [ana["id"], "nobody"]}, "members.1", "unknown"),
        ({"members": [stranger["id"]]}, "members.0", "unknown"),
        ({"notify": "list"}, "list_address", "missing"),
        ({"notify": "list", "list_address": ana["email"].upper()}, "list_address", "email_taken"),
        ({"notify": "nobody"}, "notify", "invalid"),
        ({"terms": ["--"]}, "terms.0", "invalid"),
        ({"colour": "red"}, "colour", "invalid"),
    ]
    for change, field, code in wrong:
        assert fields(problem(await org.api.post("/teams", json={"name": "Pay"} | change), 422, code)) == {field}
    assert (await org.get("/teams"))["data"] == []
    await other.api.aclose()


async def test_a_team_stands_for_its_active_members_or_for_its_list(muster: RunningMuster, org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    made = await team(org, members=[ana["id"], ben["id"]])
    here = f"/teams/{made['id']}"
    target = Target(kind=TargetKind.TEAM, id=made["id"])
    assert (await stands_for(muster, org, target))[target] == sorted([ana["id"], ben["id"]])
    await org.patch(f"/individuals/{ben['id']}", {"active": False})
    assert (await stands_for(muster, org, target))[target] == [ana["id"]]
    assert {each["name"]: each["active"] for each in (await org.get(here))["members"]} == {"Ana": True, "Ben": False}
    await org.patch(here, {"notify": "list", "list_address": "pay@example.org"})
    [mailing_list] = (await stands_for(muster, org, target))[target]
    assert mailing_list not in {ana["id"], ben["id"]}
    taken = problem(await org.api.post("/individuals", json={"name": "x", "email": "PAY@example.org"}), 422, "email_taken")
    assert fields(taken) == {"email"}
    assert mailing_list not in {each["id"] for each in (await org.get("/individuals"))["data"]}
    problem(await org.api.get(f"/individuals/{mailing_list}"), 404, "not_found")
    await org.patch(here, {"notify": "members"})
    assert (await stands_for(muster, org, target))[target] == [ana["id"]]
    again = await org.patch(here, {"notify": "list"})
    assert again["list_address"] == "pay@example.org"
    assert (await stands_for(muster, org, target))[target] == [mailing_list]
    moved = await org.patch(here, {"list_address": "payments@example.org"})
    assert moved["list_address"] == "payments@example.org"
    assert (await stands_for(muster, org, target))[target] == [mailing_list]
    await org.api.delete(here)
    assert (await stands_for(muster, org, target))[target] == []
    assert (await org.get(here))["active"] is False
    await org.patch(here, {"active": True})
    assert (await stands_for(muster, org, target))[target] == [mailing_list]


async def test_teams_are_listed_by_name_page_by_page(org: Organization) -> None:
    for name in ("Delta", "alpha", "Charlie Delta", "Bravo"):
        await team(org, name)
    names, after = [], None
    while True:
        page = await org.get("/teams", page_size=3, **({} if after is None else {"after": after}))
        names += [each["name"] for each in page["data"]]
        if (after := page["pagination"]["after"]) is None:
            break
    assert sorted(names) == sorted(["Delta", "alpha", "Charlie Delta", "Bravo"])
    assert [each["name"] for each in (await org.get("/teams", q="delt"))["data"]] == ["Charlie Delta", "Delta"]
    problem(await org.api.get("/teams", params={"after": "nonsense"}), 400, "unknown_after")


@pytest.mark.feature("O4")
async def test_members_of_the_organization_do_not_keep_teams(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        made = await team(org, members=[mia.individual])
        here = f"/teams/{made['id']}"
        assert (await mia.api.get(here)).status_code == 200
        problem(await mia.api.post("/teams", json={"name": "Mine"}), 403, "contacts_not_yours")
        problem(await mia.api.patch(here, json={"name": "Mine"}), 403, "contacts_not_yours")
        problem(await mia.api.put(f"{here}/terms", json={"terms": ["x"]}), 403, "contacts_not_yours")
        problem(await mia.api.delete(here), 403, "contacts_not_yours")
    assert await org.get(here) == made


@pytest.mark.feature("C11")
async def test_of_two_changes_of_one_version_one_is_told(org: Organization) -> None:
    here = f"/teams/{(await team(org))['id']}"
    answers = await asyncio.gather(
        *(org.api.patch(here, json={"name": f"Team {n}"}, headers={"If-Match": '"1"'}) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 5]
