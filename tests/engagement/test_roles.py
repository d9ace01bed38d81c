"""Role policies choose who commands and who has which role (E9)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.kit.temporal_server import EmbeddedTemporal
from services.store.organizations import Setting
from tests.accounts.members import member
from tests.conftest import new_muster
from tests.engagement.test_rules_engage import Told, on_duty, service, trouble
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster

pytestmark = pytest.mark.feature("E9")

SEVERE = {"attribute": "severity", "operator": "at_least", "values": ["High"]}
SECURITY = {"attribute": "type", "operator": "is", "values": ["Security"]}


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
async def muster(
    database_kind: str,
    temporal: EmbeddedTemporal,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    told: Told,
) -> AsyncIterator[RunningMuster]:
    async with new_muster(database_kind, temporal, tmp_path_factory, request, told=told) as running:
        yield running


async def policy(org: Organization, name: str, assignee: dict[str, str], *when: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"name": name, "role": "commander", "when": {"all": list(when or [SEVERE])}, "assignee": assignee}
    return await org.post("/role-policies", body | more)


async def scribe(org: Organization, name: str = "Scribe") -> dict[str, Any]:
    return await org.post("/incident-roles", {"name": name, "description": "Writes down what happens."})


async def commands(org: Organization, incident: str, name: str) -> bool:
    shown = await org.get(f"/incidents/{incident}")
    return shown["commander"] is not None and shown["commander"]["name"] == name


async def texts(org: Organization, incident: str) -> list[str]:
    found = await org.get(f"/incidents/{incident}/timeline", page_size=100)
    return [f"{each['text']} ({each['detail']})" for each in found["data"]]


async def test_a_policy_chooses_the_commander_at_the_opening(org: Organization) -> None:
    ana = await org.individual("Ana")
    made = await policy(org, "Grave ones", {"individual": "Ana"})
    assert made["sentence"] == "when severity is at least High, the commander is Ana"
    assert (made["rank"], made["version"], made["passed_over"]) == (1, 1, None)
    incident = await org.report("Odd", severity="Critical")
    assert incident["commander"]["name"] == "Ana"
    assert not incident["commander_stands_in"]
    people = await org.participants(incident["id"])
    assert people["Olive Owner"]["roles"] == ["reporter"]
    assert people["Ana"]["roles"] == ["commander"]
    [piece] = people["Ana"]["evidence"]
    assert (piece["kind"], piece["id"], piece["version"]) == ("role", made["id"], 1)
    assert piece["text"] == "commander by the role policy “Grave ones”"
    why = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=ana["id"])
    assert why["engaged"]
    assert why["evidence"] == [piece]
    [judged] = why["policies"]
    assert (judged["sentence"], judged["holds"]) == (made["sentence"], True)
    assert judged["conditions"] == [{"asked": "severity is at least High", "found": ["Critical"], "holds": True}]
    assert "made Ana commander (commander by the role policy “Grave ones”)" in await texts(org, incident["id"])
    other = await org.report("Small", severity="Low")
    assert other["commander"]["name"] == "Olive Owner"


async def test_whom_the_reporter_names_wins(org: Organization) -> None:
    await org.individual("Ana")
    await org.individual("Ben")
    await policy(org, "Grave ones", {"individual": "Ana"})
    incident = await org.report("Odd", severity="High", commander="Ben")
    assert incident["commander"]["name"] == "Ben"
    assert "Ana" not in await org.participants(incident["id"])


async def test_the_first_by_rank_that_can_chooses(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben, cai = [await org.individual(name) for name in ("Ana", "Ben", "Cai")]
    ledger = await service(muster, org, "Nobody's")
    gone = await service(muster, org, "Retired")
    told.on_call_for |= {"Nobody's": (), "Retired": (cai["id"],)}
    await policy(org, "Security", {"individual": ana["id"]}, SECURITY)
    await policy(org, "On call", {"oncall": ledger["id"]})
    await policy(org, "Retired", {"oncall": gone["id"]})
    last = await policy(org, "Ben leads", {"individual": ben["id"]})
    assert (await org.api.delete(f"/oncall-services/{gone['id']}")).status_code == 204
    listed = (await org.get("/role-policies"))["data"]
    assert [(each["name"], each["rank"], each["passed_over"]) for each in listed] == [
        ("Security", 1, None),
        ("On call", 2, None),
        ("Retired", 3, "service_inactive"),
        ("Ben leads", 4, None),
    ]
    assert (await org.report("Security", type="Security", severity="High"))["commander"]["name"] == "Ana"
    assert (await org.report("Nobody is on call", severity="High"))["commander"]["name"] == "Ben"
    moved = await org.patch(f"/role-policies/{last['id']}", {"rank": 1})
    assert (moved["rank"], moved["version"]) == (1, 1)
    assert (await org.report("Ben first", type="Security", severity="High"))["commander"]["name"] == "Ben"
    await org.patch(f"/individuals/{ben['id']}", {"active": False})
    assert (await org.report("Ben is gone", type="Security", severity="High"))["commander"]["name"] == "Ana"
    shown = (await org.get("/role-policies"))["data"]
    assert [(each["name"], each["rank"]) for each in shown] == [("Ben leads", 1), ("Security", 2), ("On call", 3), ("Retired", 4)]
    assert shown[0]["passed_over"] == "individual_inactive"


async def test_whoever_is_on_call_takes_on_a_custom_role(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    ledger = await service(muster, org, "Ledger")
    told.on_call_for["Ledger"] = (ana["id"], ben["id"])
    await scribe(org)
    await policy(org, "Notes", {"oncall": ledger["id"]}, role="SCRIBE")
    await policy(org, "Owner too", {"individual": "Olive Owner"}, role="Scribe")
    incident = await org.report("Odd", severity="High", visibility="restricted")
    people = await org.participants(incident["id"])
    assert incident["commander"]["name"] == "Olive Owner"
    assert {name: person["roles"] for name, person in people.items()} == {
        "Olive Owner": ["commander", "reporter"],
        "Ana": ["Scribe"],
        "Ben": ["Scribe"],
    }
    [piece] = people["Ana"]["evidence"]
    said = (piece["text"], piece["via"], piece["via_kind"])
    assert said == ("Scribe by the role policy “Notes”", "on call for Ledger", "oncall")


async def test_the_reporter_stands_in_until_the_service_answers(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    failing = await service(muster, org, "Failing")
    told.fails["Failing"] = "The provider answers 503."
    await policy(org, "On call leads", {"oncall": failing["id"]})
    await policy(org, "Ben leads", {"individual": ben["id"]})
    incident = await org.report("Odd", severity="High")
    assert incident["commander"]["name"] == "Olive Owner"
    assert incident["commander_stands_in"]
    assert [each["role"] for each in incident["awaited_on_call"]] == ["commander"]
    settled = await org.report("Another", severity="High")
    # Whom people make commander in the meantime stays.
    await org.post(f"/incidents/{settled['id']}/participants", {"individual": ben["id"]})
    await org.api.put(f"/incidents/{settled['id']}/commander", json={"individual": ben["id"], "note": "Ana is asleep."})
    assert (await org.get(f"/incidents/{settled['id']}"))["awaited_on_call"] == []
    told.on_call_for["Failing"] = (ana["id"],)
    del told.fails["Failing"]
    await org.until(lambda: commands(org, incident["id"], "Ana"))
    shown = await org.get(f"/incidents/{incident['id']}")
    assert (shown["commander_stands_in"], shown["awaited_on_call"]) == (False, [])
    said = await texts(org, incident["id"])
    assert "made Ana commander (Olive Owner was the commander before; commander by the role policy “On call leads”)" in said
    assert "Ana is on call for Failing (None)" in said
    assert await commands(org, settled["id"], "Ben")
    assert "Ana" not in await org.participants(settled["id"])


@pytest.mark.feature("E10", "L1")
async def test_an_incident_that_is_over_waits_for_nobody_until_it_is_reopened(
    muster: RunningMuster, org: Organization, told: Told
) -> None:
    ana = await org.individual("Ana")
    paused = await service(muster, org, "Paused")
    told.fails["Paused"] = "The provider answers 503."
    await policy(org, "On call leads", {"oncall": paused["id"]})
    incident = (await org.report("Odd", severity="High"))["id"]
    assert "Paused cannot say who is on call" in await trouble(org)
    await org.post(f"/incidents/{incident}/transitions", {"to": "closed"})
    shown = await org.get(f"/incidents/{incident}")
    assert (shown["commander_stands_in"], shown["awaited_on_call"]) == (False, [])
    assert "cannot say" not in await trouble(org)
    await org.post(f"/incidents/{incident}/transitions", {"to": "active", "reason": "It is back."})
    assert [each["role"] for each in (await org.get(f"/incidents/{incident}"))["awaited_on_call"]] == ["commander"]
    told.on_call_for["Paused"] = (ana["id"],)
    del told.fails["Paused"]
    await org.until(lambda: commands(org, incident, "Ana"))


@pytest.mark.feature("E10", "E6")
async def test_a_policy_and_a_rule_that_wait_for_the_same_give_both_reasons(
    muster: RunningMuster, org: Organization, told: Told
) -> None:
    ana = await org.individual("Ana")
    both = await service(muster, org, "Both")
    told.fails["Both"] = "The provider answers 503."
    await scribe(org)
    await policy(org, "Notes", {"oncall": both["id"]}, role="Scribe")
    when = {"all": [SEVERE]}
    await org.post("/engagement-rules", {"name": "Severe", "when": when, "engage": [{"oncall": both["id"]}], "role": "Scribe"})
    incident = (await org.report("Odd", severity="High"))["id"]
    shown = await org.get(f"/incidents/{incident}")
    # It is told once, whatever waits.
    assert [(each["service"]["name"], each["role"]) for each in shown["awaited_on_call"]] == [("Both", "Scribe")]
    told.on_call_for["Both"] = (ana["id"],)
    del told.fails["Both"]

    async def both_known() -> bool:
        people = await org.participants(incident)
        return "Ana" in people and {each["text"] for each in people["Ana"]["evidence"]} == {
            "Scribe by the role policy “Notes”", "Severe"
        }  # fmt: skip

    await org.until(both_known)
    assert (await org.participants(incident))["Ana"]["roles"] == ["Scribe"]


async def test_an_answer_that_nobody_is_on_call_leads_on(muster: RunningMuster, org: Organization, told: Told) -> None:
    await org.individual("Ben")
    failing = await service(muster, org, "Empty")
    told.fails["Empty"] = "The provider answers 503."
    await policy(org, "On call leads", {"oncall": failing["id"]})
    await policy(org, "Ben leads", {"individual": "Ben"})
    incident = await org.report("Odd", severity="High")
    assert incident["commander_stands_in"]
    del told.fails["Empty"]
    await org.until(lambda: commands(org, incident["id"], "Ben"))
    said = await texts(org, incident["id"])
    assert "made Ben commander (Olive Owner was the commander before; commander by the role policy “Ben leads”)" in said
    assert "Empty is not asked any more who is on call (The role policies choose otherwise by now.)" in said


async def why_not(org: Organization, incident: dict[str, Any], person: dict[str, Any]) -> tuple[str, str]:
    found = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=person["id"])
    assert not found["engaged"]
    return found["reason"], found["explanation"]


@pytest.mark.feature("E6")
async def test_it_is_told_why_a_policy_did_not_choose(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben, cai = [await org.individual(name) for name in ("Ana", "Ben", "Cai")]
    members = {"layers": [on_duty(ben["id"], cai["id"])]}
    pager = await org.post("/oncall-services", {"name": "Pager", "rotation": members})
    await policy(org, "On call leads", {"oncall": pager["id"]})
    await policy(org, "Ana leads", {"individual": ana["id"]})
    incident = await org.report("Odd", severity="High")
    assert incident["commander"]["name"] == "Ben"
    reason, words = await why_not(org, incident, ana)
    assert (reason, "“Ana leads” held" in words) == ("not_chosen", True)
    reason, words = await why_not(org, incident, cai)
    assert reason == "not_on_call"
    assert words == "The role policy “On call leads” held and chooses who is on call for Pager; that was not Cai."
    quiet = await org.report("Small", severity="Low")
    reason, words = await why_not(org, quiet, ana)
    assert reason == "no_match"
    assert words.startswith("The role policy that would choose Ana did not hold when the incident was reported")


@pytest.mark.feature("E6")
async def test_a_past_choice_is_told_as_it_was(muster: RunningMuster, org: Organization, told: Told) -> None:
    ana, ben, cai = [await org.individual(name) for name in ("Ana", "Ben", "Cai")]
    pager = await org.post("/oncall-services", {"name": "Pager", "rotation": {"layers": [on_duty(ben["id"], cai["id"])]}})
    first = await policy(org, "On call leads", {"oncall": pager["id"]})
    await policy(org, "Ana leads", {"individual": ana["id"]})
    incident = await org.report("Odd", severity="High")
    before = [await why_not(org, incident, each) for each in (ana, cai)]
    leads = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=ben["id"])
    assert [each["name"] for each in leads["policies"]] == ["On call leads"]

    # Afterwards the order of severities, the rota and the policies are others.
    high = incident["severity"]["id"]
    async with muster.muster.database.write(str((await org.get("/me"))["organization"]["id"])) as session:
        (await session.get_one(Setting, high)).rank = 0
    await org.patch(f"/oncall-services/{pager['id']}", {"rotation": {"layers": [on_duty(cai["id"])]}})
    await org.patch(f"/role-policies/{first['id']}", {"name": "Renamed", "assignee": {"individual": ana["id"]}})
    assert [await why_not(org, incident, each) for each in (ana, cai)] == before
    assert await org.get(f"/incidents/{incident['id']}/engagements/why", individual=ben["id"]) == leads


@pytest.mark.feature("E6")
async def test_whoever_was_not_active_was_passed_over(org: Organization) -> None:
    ana = await org.individual("Ana")
    await policy(org, "Ana leads", {"individual": ana["id"]})
    await org.patch(f"/individuals/{ana['id']}", {"active": False})
    incident = await org.report("Odd", severity="High")
    await org.patch(f"/individuals/{ana['id']}", {"active": True})
    assert await why_not(org, incident, ana) == ("inactive", "The role policy “Ana leads” held, but Ana was not active then.")


WRONG: list[tuple[dict[str, Any], set[str], str]] = [
    ({"role": "responder"}, {"role"}, "unknown_role"),
    ({"role": "Juggler"}, {"role"}, "unknown_role"),
    ({"assignee": {"team": "x"}}, {"assignee.team"}, "invalid"),
    ({"assignee": {"individual": "x", "oncall": "y"}}, {"assignee"}, "invalid"),
    ({"assignee": {"individual": "Nobody"}}, {"assignee.individual"}, "unknown"),
    ({"assignee": {"oncall": "Nothing"}, "role": "x"}, {"assignee.oncall", "role"}, "unknown"),
    ({"when": {"all": [SEVERE | {"values": ["x"]}]}}, {"when.all.0.values.0"}, "unknown"),
    ({"when": {"all": [{"any": [SEVERE] * 12}, {"any": [SEVERE] * 12}]}}, {"when"}, "too_large"),
    ({"name": ""}, {"name"}, "invalid"),
]
"""Changes of a policy, and the paths at which each is wrong."""


async def test_what_is_wrong_is_told_at_its_path(org: Organization) -> None:
    made = await policy(org, "Grave ones", {"individual": "Olive Owner"})
    body = {"name": "x", "role": "commander", "when": {"all": [SEVERE]}, "assignee": {"individual": "Olive Owner"}}
    for change, wrong, code in WRONG:
        for response in (
            await org.api.post("/role-policies", json=body | change),
            await org.api.patch(f"/role-policies/{made['id']}", json=change),
        ):
            assert fields(problem(response, 422, code)) == wrong, change
    assert await org.get(f"/role-policies/{made['id']}") == made
    for wrong_rank in (0, True, "1"):
        problem(await org.api.patch(f"/role-policies/{made['id']}", json={"rank": wrong_rank}), 422, "invalid")


async def test_every_change_of_a_policy_is_a_version(org: Organization) -> None:
    made = await policy(org, "Grave ones", {"individual": "Olive Owner"})
    here = f"/role-policies/{made['id']}"
    answer = await org.api.get(here)
    assert (answer.json(), answer.headers["ETag"]) == (made, '"1"')
    assert await org.patch(here, {"when": made["when"], "assignee": made["assignee"], "rank": 1}) == made
    off = await org.patch(here, {"enabled": False})
    assert (off["version"], off["passed_over"]) == (2, "off")
    problem(await org.api.patch(here, json={"name": "x"}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    await org.patch(here, {"name": "Hidden", "when": {"any": [SECURITY]}})
    versions = (await org.get(f"{here}/versions"))["data"]
    assert [(each["version"], each["name"], each["enabled"]) for each in versions] == [
        (3, "Hidden", False),
        (2, "Grave ones", False),
        (1, "Grave ones", True),
    ]
    assert versions[1]["valid_until"] == versions[0]["valid_from"]
    assert versions[0]["by"]["name"] == "Olive Owner"
    problem(await org.api.delete(here, headers={"If-Match": '"1"'}), 412, "version_conflict")
    assert (await org.api.delete(here)).status_code == 204
    for response in (await org.api.get(here), await org.api.delete(here), await org.api.patch(here, json={})):
        problem(response, 404, "not_found")
    entries = (await org.get("/audit", action="role_policy."))["data"]
    assert [each["action"].partition(".")[2] for each in entries] == ["deleted", "changed", "changed", "created"]
    assert entries[2]["before"] == {"enabled": True}


async def test_the_order_stays_whole(org: Organization) -> None:
    ids = [(await policy(org, name, {"individual": "Olive Owner"}))["id"] for name in ("a", "b", "c", "d")]
    await org.patch(f"/role-policies/{ids[0]}", {"rank": 1_000})
    await org.api.delete(f"/role-policies/{ids[2]}")
    await org.patch(f"/role-policies/{ids[3]}", {"rank": 1})
    listed = (await org.get("/role-policies"))["data"]
    assert [(each["name"], each["rank"]) for each in listed] == [("d", 1), ("b", 2), ("a", 3)]


@pytest.mark.feature("C11")
async def test_of_many_who_change_the_order_that_they_saw_one_does(org: Organization) -> None:
    made = [await policy(org, name, {"individual": "Olive Owner"}) for name in ("a", "b", "c", "d")]
    listed = (await org.get("/role-policies"))["data"]
    [seen] = {each["order"] for each in listed}
    assert seen == made[-1]["order"] != made[0]["order"]
    answers = await asyncio.gather(
        *(org.api.patch(f"/role-policies/{made[n]['id']}", json={"rank": 4 - n, "order": seen}) for n in (0, 1, 2, 3) * 2)
    )
    for refused in sorted(answers, key=lambda each: each.status_code)[1:]:
        problem(refused, 412, "version_conflict")
    [changed] = [each.json()["order"] for each in answers if each.is_success]
    assert changed == (await org.get("/role-policies"))["data"][0]["order"] != seen
    here = f"/role-policies/{made[0]['id']}"
    now_ = (await org.patch(here, {"name": "A"}))["order"]
    problem(await org.api.patch(here, json={"rank": 2, "order": changed}), 412, "version_conflict")
    assert (await org.patch(here, {"rank": 2, "order": now_}))["rank"] == 2


async def test_many_who_move_policies_at_once_leave_one_order(org: Organization) -> None:
    ids = [(await policy(org, name, {"individual": "Olive Owner"}))["id"] for name in "abcdef"]
    moves = [
        org.api.patch(f"/role-policies/{each}", json={"rank": rank}) for each, rank in zip(ids, (6, 1, 3, 2, 5, 4), strict=True)
    ]
    moves.append(org.api.delete(f"/role-policies/{ids[0]}"))
    answers = await asyncio.gather(*moves)
    assert {answer.status_code for answer in answers} <= {200, 204, 404}
    assert [each["rank"] for each in (await org.get("/role-policies"))["data"]] == [1, 2, 3, 4, 5]


async def test_a_role_that_is_given_meanwhile_is_not_deactivated(org: Organization) -> None:
    body = {"name": "x", "when": {"all": [SEVERE]}, "assignee": {"individual": "Olive Owner"}}
    for number in range(5):
        made = await scribe(org, f"Scribe {number}")
        given, gone = await asyncio.gather(
            org.api.post("/role-policies", json=body | {"role": made["name"]}), org.api.delete(f"/incident-roles/{made['id']}")
        )
        assert (given.status_code, gone.status_code) in {(201, 409), (422, 204)}


async def test_roles_of_the_organization(org: Organization) -> None:
    made = await scribe(org)
    assert (made["name"], made["active"], made["version"]) == ("Scribe", True, 1)
    here = f"/incident-roles/{made['id']}"
    for taken in ("SCRIBE", "Commander", "observer"):
        assert fields(problem(await org.api.post("/incident-roles", json={"name": taken}), 422, "name_taken")) == {"name"}
    problem(await org.api.patch(here, json={"name": "Writer"}), 422, "invalid")
    changed = await org.patch(here, {"description": "Takes notes."})
    assert changed["version"] == 2
    problem(await org.api.patch(here, json={"description": ""}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    made_policy = await policy(org, "Notes", {"individual": "Olive Owner"}, role="scribe")
    rule = {"name": "Note takers", "when": {"all": [SEVERE]}, "engage": [{"individual": "Olive Owner"}], "role": "scribe"}
    made_rule = await org.post("/engagement-rules", rule)
    assert (made_policy["role"], made_rule["role"]) == ("Scribe", "Scribe")
    refused = problem(await org.api.delete(here), 409, "role_in_use")
    assert "“Note takers”, “Notes”" in str(refused["detail"])
    await org.api.delete(f"/role-policies/{made_policy['id']}")
    await org.patch(f"/engagement-rules/{made_rule['id']}", {"role": "observer"})
    assert (await org.api.delete(here)).status_code == 204
    assert [(each["name"], each["active"]) for each in (await org.get("/incident-roles"))["data"]] == [("Scribe", False)]
    again = await org.api.post("/role-policies", json=rule | {"assignee": {"individual": "Olive Owner"}, "engage": None})
    assert again.status_code == 422
    for wrong in ("Scribe", "commander", "reporter", "participant"):
        change = await org.api.patch(f"/engagement-rules/{made_rule['id']}", json={"role": wrong})
        assert fields(problem(change, 422, "unknown_role")) == {"role"}
    entries = (await org.get("/audit", action="incident_role."))["data"]
    assert [each["action"].partition(".")[2] for each in entries] == ["changed", "changed", "created"]


async def test_only_administrators_keep_roles(muster: RunningMuster, org: Organization) -> None:
    made, role = await policy(org, "x", {"individual": "Olive Owner"}), await scribe(org)
    body = {"name": "x", "role": "commander", "when": {"all": [SEVERE]}, "assignee": {"individual": "Olive Owner"}}
    async with member(muster, org) as mia:
        for method, path, json in (
            ("GET", "/role-policies", None),
            ("POST", "/role-policies", body),
            ("GET", f"/role-policies/{made['id']}", None),
            ("GET", f"/role-policies/{made['id']}/versions", None),
            ("PATCH", f"/role-policies/{made['id']}", {}),
            ("DELETE", f"/role-policies/{made['id']}", None),
            ("GET", "/incident-roles", None),
            ("POST", "/incident-roles", {"name": "y"}),
            ("GET", f"/incident-roles/{role['id']}", None),
            ("PATCH", f"/incident-roles/{role['id']}", {}),
            ("DELETE", f"/incident-roles/{role['id']}", None),
        ):
            problem(await mia.api.request(method, path, json=json), 403, "administrators_only")
