"""Why and why not are told from the record of the evaluation that counted, whatever came later (E6)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from services.engagement.decision import MAX_PEOPLE, MAX_TARGETS, record_of
from services.engagement.evaluation import PAGE_PEOPLE
from services.engagement.targets import Resolved
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.contacts import Individual
from services.store.incidents import EvaluationRow
from tests.engagement.test_crowd import counted
from tests.engagement.test_rules_engage import on_duty
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.engagement import STORM_LIMIT
from workflows.domain.rules import Target, TargetKind

pytestmark = pytest.mark.feature("E6")

PAYMENTS = {"all": [{"attribute": "tag", "operator": "is", "values": ["payments"]}]}


async def rule(org: Organization, *engage: dict[str, str]) -> dict[str, Any]:
    return await org.post("/engagement-rules", {"name": "Payments", "when": PAYMENTS, "engage": list(engage)})


async def why(org: Organization, incident: dict[str, Any], person: str, **at: str) -> dict[str, Any]:
    return await org.get(f"/incidents/{incident['id']}/engagements/why", individual=person, **at)


async def reason(org: Organization, incident: dict[str, Any], person: dict[str, Any], **at: str) -> str:
    return str((await why(org, incident, person["id"], **at))["reason"])


async def contacts(muster: RunningMuster, org: Organization, count: int) -> list[str]:
    """So many individuals; their ids, in order."""
    ids = sorted(new_id() for _ in range(count))
    common = {"organization_id": (await org.get("/me"))["organization"]["id"], "version": 1, "created_at": now()}
    async with muster.muster.database.write(common["organization_id"]) as session:
        session.add_all(Individual(id=each, name=each, email=f"{each}@x.example", **common) for each in ids)
    return ids


async def inside(org: Organization, incident: dict[str, Any]) -> int:
    return len(await org.participants(incident["id"]))


async def asked_about(org: Organization, incident: dict[str, Any], people: int) -> bool:
    held = (await org.get(f"/incidents/{incident['id']}"))["held"]
    return held is not None and held["count"] == people


async def evaluations(muster: RunningMuster, org: Organization, incident: dict[str, Any]) -> int:
    async with muster.muster.database.read((await org.get("/me"))["organization"]["id"]) as session:
        query = select(func.count()).select_from(EvaluationRow).where(EvaluationRow.incident_id == incident["id"])
        return await session.scalar(query) or 0


async def test_a_reopening_changes_nothing_about_back_then(muster: RunningMuster, org: Organization) -> None:
    ana, dan = await org.individual("Ana"), await org.individual("Dan")
    team = await org.post("/teams", {"name": "Pay", "members": [ana["id"]]})
    made = await rule(org, {"team": "Pay"})
    incident = await org.report("Odd", tags=["payments"])
    before = now().isoformat()
    told = await why(org, incident, ana["id"])
    assert [(each["version"], each["holds"], each["via"]) for each in told["rules"]] == [(1, True, "Pay")]
    await org.patch(f"/teams/{team['id']}", {"members": [dan["id"]]})
    await org.patch(f"/engagement-rules/{made['id']}", {"name": "Renamed"})
    assert await reason(org, incident, dan, at=before) == "not_in_team"
    for to in ("closed", "active"):
        await org.post(f"/incidents/{incident['id']}/transitions", {"to": to, "reason": "again"})

    async def again() -> bool:
        return await evaluations(muster, org, incident) > 1 and await inside(org, incident) == 3

    await org.until(again)
    assert await reason(org, incident, dan, at=before) == "not_in_team"
    assert await reason(org, incident, dan) == "engaged"
    for at in ({}, {"at": before}):
        assert await why(org, incident, ana["id"], **at) == told | {"terms": []}


async def test_whoever_was_on_an_earlier_page_is_told_the_same(muster: RunningMuster, org: Organization) -> None:
    ids = await contacts(muster, org, PAGE_PEOPLE + 100)
    half = len(ids) // 2
    for name, members in (("First", ids[:half]), ("Second", ids[half:])):
        await org.post("/teams", {"name": name, "members": members})
    made = await rule(org, {"team": "First"}, {"team": "Second"})
    incident = await org.report("Odd", tags=["payments"])
    await org.until(lambda: asked_about(org, incident, len(ids)))
    before = [await why(org, incident, person) for person in (ids[0], ids[-1])]
    assert [[(each["version"], each["name"], each["via"]) for each in told["rules"]] for told in before] == [
        [(1, "Payments", "First")],
        [(1, "Payments", "Second")],
    ]
    assert len({told["evidence"][0]["evaluated_at"] for told in before}) == 2
    await org.patch(f"/engagement-rules/{made['id']}", {"name": "Renamed"})
    assert [await why(org, incident, person) for person in (ids[0], ids[-1])] == before


@pytest.mark.feature("E7")
async def test_an_edit_while_it_is_asked_takes_nothing_from_the_reason(muster: RunningMuster, org: Organization) -> None:
    ids = await contacts(muster, org, STORM_LIMIT + 1)
    await org.post("/teams", {"name": "All hands", "members": ids})
    await rule(org, {"team": "All hands"})
    incident = await org.report("Odd", tags=["payments"])
    await org.until(lambda: asked_about(org, incident, len(ids)))
    await org.patch(f"/incidents/{incident['id']}", {"tags": []})

    async def looked_again() -> bool:
        return await evaluations(muster, org, incident) > 1

    await org.until(looked_again)
    judged = [{"asked": "any tag is payments", "found": ["payments"], "holds": True}]
    held = await why(org, incident, ids[0])
    assert (held["reason"], [each["conditions"] for each in held["rules"]]) == ("held", [judged])
    await org.post(f"/incidents/{incident['id']}/engagement-answer", {"bring_in": "all"})

    async def all_in() -> bool:
        return await inside(org, incident) == len(ids) + 1

    await org.until(all_in)
    engaged = await why(org, incident, ids[0])
    assert (engaged["reason"], [each["conditions"] for each in engaged["rules"]]) == ("engaged", [judged])


@pytest.mark.feature("E10")
async def test_a_service_that_has_answered_is_asked_no_more(org: Organization) -> None:
    ben, cai, dan = [await org.individual(name) for name in ("Ben", "Cai", "Dan")]
    rotation = {"layers": [on_duty(ben["id"], dan["id"])]}
    service = await org.post("/oncall-services", {"name": "Ledger", "rotation": rotation})
    await org.api.delete(f"/individuals/{ben['id']}")
    await rule(org, {"oncall": "Ledger"})
    incident = await org.report("Odd", tags=["payments"])
    before = now().isoformat()
    unknown = await why(org, incident, dan["id"])
    assert (unknown["reason"], len(unknown["failures"])) == ("on_call_unknown", 1)
    assert unknown["explanation"].endswith("it could not be told who is on call for Ledger; Muster keeps asking.")
    override = {"individual": cai["id"], "from": before, "until": (now() + timedelta(days=30)).isoformat()}
    await org.post(f"/oncall-services/{service['id']}/overrides", override)

    async def came() -> bool:
        return "Cai" in await org.participants(incident["id"])

    await org.until(came)
    found = await why(org, incident, dan["id"])
    assert (found["reason"], found["failures"]) == ("not_on_call", [])
    assert found["explanation"].endswith("it engages whoever is on call for Ledger, which was not Dan.")
    # The late answer is told by the evaluation that needed it.
    await org.patch(f"/incidents/{incident['id']}", {"tags": []})
    assert [each["holds"] for each in (await why(org, incident, cai["id"]))["rules"]] == [True]
    assert await why(org, incident, dan["id"], at=before) == unknown


@pytest.mark.feature("E9")
async def test_a_policy_that_chose_late_is_told_by_what_the_incident_was_then(org: Organization) -> None:
    ana, ben = await org.individual("Ana", "valve"), await org.individual("Ben")
    service = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [on_duty(ben["id"])]}})
    await org.api.delete(f"/individuals/{ben['id']}")
    await org.post("/incident-roles", {"name": "Scribe"})
    body = {"name": "Writes", "role": "Scribe", "when": PAYMENTS, "assignee": {"oncall": "Ledger"}}
    await org.post("/role-policies", body)
    incident = await org.report("The valve", tags=["payments"])
    assert (await why(org, incident, ana["id"]))["policies"] == []
    await org.patch(f"/incidents/{incident['id']}", {"tags": ["PAYMENTS"]})
    override = {"individual": ana["id"], "from": now().isoformat(), "until": (now() + timedelta(days=30)).isoformat()}
    await org.post(f"/oncall-services/{service['id']}/overrides", override)

    async def writes() -> bool:
        return "Scribe" in (await org.participants(incident["id"]))["Ana"]["roles"]

    await org.until(writes)
    [policy] = (await why(org, incident, ana["id"]))["policies"]
    assert [each["found"] for each in policy["conditions"]] == [["PAYMENTS"]]


async def test_whoever_was_not_active_then_is_told_so(org: Organization) -> None:
    ana, ben = await org.individual("Ana", "valve"), await org.individual("Ben")
    for each in (ana, ben):
        await org.api.delete(f"/individuals/{each['id']}")
    await rule(org, {"individual": ben["id"]})
    incident = await org.report("The valve", tags=["payments"])
    before = now().isoformat()
    for each in (ana, ben):
        await org.patch(f"/individuals/{each['id']}", {"active": True})
    for each, what in ((ana, "term “valve”"), (ben, "rule “Payments”")):
        for at in ({}, {"at": before}):
            found = await why(org, incident, each["id"], **at)
            assert found["reason"] == "inactive"
            assert found["explanation"] == f"The {what} matches, but {each['name']} was not active then."
    await org.api.put(f"/individuals/{ana['id']}/terms", json={"terms": ["valve", "the valve"]})
    assert await reason(org, incident, ana) == "term_is_newer"
    assert await reason(org, incident, ana, at=before) == "inactive"


async def test_the_moments_before_somebody_comes_in_are_told_as_well(org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben", "valve")
    team = await org.post("/teams", {"name": "Pay", "members": [ana["id"]]})
    await rule(org, {"team": "Pay"})
    incident = await org.report("Odd")
    await org.patch(f"/incidents/{incident['id']}", {"title": "The valve", "tags": ["payments"]})

    async def came() -> bool:
        return await inside(org, incident) == 3

    await org.until(came)
    entries = (await org.get(f"/incidents/{incident['id']}/timeline"))["data"]
    edited = next(entry["at"] for entry in entries if entry["kind"] == "edited")
    # Later, nothing would engage them any more.
    await org.patch(f"/teams/{team['id']}", {"members": []})
    await org.api.put(f"/individuals/{ben['id']}/terms", json={"terms": []})
    for each in (ana, ben):
        [piece] = (await why(org, incident, each["id"]))["evidence"]
        for at, words in ((edited, "about to look"), (piece["evaluated_at"], "about to be brought in")):
            found = await why(org, incident, each["id"], at=at)
            assert (found["reason"], words in found["explanation"]) == ("not_evaluated_yet", True)


async def test_a_team_too_large_to_be_kept_is_known_by_those_who_came(muster: RunningMuster, org: Organization) -> None:
    ids = await contacts(muster, org, MAX_PEOPLE // 2)
    for name in ("One", "Two", "Three"):
        await org.post("/teams", {"name": name, "members": ids})
    await rule(org, {"team": "One"}, {"team": "Two"}, {"team": "Three"})
    incident = await org.report("Odd", tags=["payments"])
    await org.until(lambda: asked_about(org, incident, len(ids)))
    late = await org.individual("Late")
    for team in (await org.get("/teams"))["data"]:
        await org.patch(f"/teams/{team['id']}", {"members": [late["id"]]})
    assert await reason(org, incident, late) == "not_in_team"


def test_services_and_small_teams_are_kept_first() -> None:
    people: dict[Target, list[str]] = {
        Target(kind=TargetKind.TEAM, id=f"large{number}"): [f"{number}-{each}" for each in range(MAX_PEOPLE // 2)]
        for number in range(3)
    }
    people |= {Target(kind=TargetKind.ONCALL, id="ledger"): ["ana"], Target(kind=TargetKind.TEAM, id="small"): ["ben"]}
    record = record_of({}, (), (), Resolved(people, {}))
    assert [each.target.id for each in record.targets] == ["ledger", "small", "large0"]
    small: dict[Target, list[str]] = {Target(kind=TargetKind.TEAM, id=str(number)): [] for number in range(MAX_TARGETS + 1)}
    assert len(record_of({}, (), (), Resolved(small, {})).targets) == MAX_TARGETS


async def test_no_more_is_asked_of_the_database_for_more_teams(muster: RunningMuster, org: Organization) -> None:
    ana = await org.individual("Ana", "pipe")
    incident = await org.report("Odd", tags=["payments"])
    here = incident["reference"]
    await org.until(lambda: org.all_sent(here))
    asked = []
    for number in (1, 10):
        for each in range(number):
            name = f"Team {number}-{each}"
            await org.post("/teams", {"name": name, "members": [ana["id"]], "terms": [f"word {each}"]})
            await rule(org, {"team": name})
        for path in (f"/incidents/{here}/engagements/why", f"{org.base_url}/{org.slug}/incidents/{here}/why"):
            with counted(muster) as statements:
                answer = await org.api.get(path, params={"individual": ana["id"]}, headers=HTML)
            assert answer.status_code == 200
            asked.append(statements)
    for few, many in zip(asked[:2], asked[2:], strict=True):
        assert len(few) == len(many), many
        assert sum("FROM events" in statement for statement in many) == 1
