"""More people than may come in at once: the commander is asked (E7). Handing over (E9)."""

from datetime import datetime
from typing import Any

import pytest

from services.kit.ids import new_id
from services.store.contacts import Individual
from tests.accounts.members import member
from tests.kit.problems import problem
from tests.lifecycle.crowds import CROWD, crowd, held, inside
from tests.support.running import Organization, RunningMuster
from workflows.domain.engagement import STORM_LIMIT


def answer(incident: dict[str, Any]) -> str:
    return f"/incidents/{incident['id']}/engagement-answer"


@pytest.mark.feature("E7", "E6")
async def test_the_commander_is_asked_once_with_all_names_and_says_who_comes_in(muster: RunningMuster, org: Organization) -> None:
    people = await crowd(muster, org)
    incident = await held(org)
    owner = incident["commander"]["id"]
    assert incident["held"]["count"] == CROWD
    assert await inside(org, incident) == {owner}
    question = await org.get(f"/incidents/{incident['id']}/engagement-question", page_size=100)
    assert [each["individual"]["id"] for each in question["people"]] == people
    assert question["pagination"] == {"after": None, "page_size": 100}
    paged = await org.get(f"/incidents/{incident['id']}/engagement-question", page_size=50)
    rest = await org.get(f"/incidents/{incident['reference']}/engagement-question", after=paged["pagination"]["after"])
    assert paged["people"] + rest["people"] == question["people"]
    assert rest["pagination"]["after"] is None
    other = await held(org, "Another pump failed")
    foreign = {"after": paged["pagination"]["after"]}
    problem(await org.api.get(f"/incidents/{other['id']}/engagement-question", params=foreign), 400, "unknown_after")
    assert {(each["evidence"][0]["attribute"], each["evidence"][0]["text"]) for each in question["people"]} == {("title", "pump")}
    assert datetime.fromisoformat(question["until"]) > datetime.fromisoformat(incident["reported_at"])

    why = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=people[0])
    assert (why["engaged"], why["reason"]) == (False, "held")
    assert [(piece["attribute"], piece["text"]) for piece in why["evidence"]] == [("title", "pump")]
    receipt = await org.get(f"/incidents/{incident['id']}/receipt")
    assert receipt["held"] == incident["held"]
    assert receipt["awaited_on_call"] == []

    version = question["version"]
    await refuses_what_is_no_answer(org, incident, version)
    chosen = people[:2]
    await org.post(answer(incident), {"bring_in": chosen, "version": version})

    async def came() -> bool:
        return await inside(org, incident) == {owner, *chosen}

    await org.until(came)
    assert (await org.get(f"/incidents/{incident['id']}"))["held"] is None
    problem(await org.api.get(f"/incidents/{incident['id']}/engagement-question"), 404, "not_found")
    problem(await org.api.post(answer(incident), json={"bring_in": "all"}), 409, "engagement_not_held")
    why = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=chosen[0])
    assert why["evidence"][0]["text"] == "pump"
    said = [entry["text"] for entry in (await org.get(f"/incidents/{incident['id']}/timeline"))["data"]]
    assert f"{CROWD} people match and are held back: more than {STORM_LIMIT} would come in at once" in said
    assert "brought in 2 people of those who were held back" in said
    why = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=people[-1])
    assert (why["engaged"], why["reason"], why["at"]) == (False, "left_out", None)
    assert [(piece["attribute"], piece["text"]) for piece in why["evidence"]] == [("title", "pump")]
    asked_at = why["held_at"]
    answered = next(entry for entry in (await org.get(f"/incidents/{incident['id']}/timeline"))["data"] if entry["left_out"])
    assert [each["id"] for each in answered["left_out"]] == people[2:]
    why = await org.get(f"/incidents/{incident['id']}/engagements/why", individual=chosen[0], at=asked_at)
    assert (why["reason"], why["held_at"], why["evidence"][0]["text"]) == ("held", asked_at, "pump")
    # Whom the commander left out stays out, whatever matches.
    zoe = (await org.individual("Zoe", "pump"))["id"]
    await org.patch(f"/incidents/{incident['id']}", {"title": "The pump failed again"})

    async def zoe_came() -> bool:
        return zoe in await inside(org, incident)

    await org.until(zoe_came)
    assert await inside(org, incident) == {owner, *chosen, zoe}


async def refuses_what_is_no_answer(org: Organization, incident: dict[str, Any], version: int) -> None:
    problem(await org.api.post(answer(incident), json={"bring_in": "all", "version": version - 1}), 412, "version_conflict")
    problem(await org.api.post(answer(incident), json={"bring_in": [new_id()], "version": version}), 422, "not_held")
    for wrong in ("some", 7, [None]):
        fault = problem(await org.api.post(answer(incident), json={"bring_in": wrong}), 422, "invalid")
        assert fault["errors"] == [
            {"field": "bring_in", "code": "value_error", "message": "is all, none, or the ids of those who come in"}
        ]
    fault = problem(await org.api.post(answer(incident), json={"bring_in": []}), 422, "invalid")
    assert fault["errors"] == [
        {"field": "bring_in", "code": "value_error", "message": 'names nobody; if nobody is to come in, say "none"'}
    ]


@pytest.mark.feature("E7", "O4")
async def test_only_the_commander_and_administrators_answer(muster: RunningMuster, org: Organization) -> None:
    await crowd(muster, org)
    incident = await held(org)
    async with member(muster, org, "Mia") as mia:
        await mia.api.post(f"/incidents/{incident['id']}/join")
        problem(await mia.api.post(answer(incident), json={"bring_in": "none"}), 403, "not_commander")
        page = (await mia.api.get(f"{muster.base_url}/{org.slug}/incidents/{incident['reference']}")).text
        assert "Only the commander and administrators answer" in page
        assert "Only those I tick" not in page
        hand_over = {"individual": mia.individual, "note": "  I go to bed  "}
        assert (await org.api.put(f"/incidents/{incident['id']}/commander", json=hand_over)).is_success
        assert (await mia.api.post(answer(incident), json={"bring_in": "none"})).is_success
    entries = (await org.get(f"/incidents/{incident['id']}/timeline"))["data"]
    handed = next(entry for entry in entries if entry["text"] == "made Mia commander")
    assert (handed["note"], handed["detail"]) == ("I go to bed", "Olive Owner was the commander before")
    assert "brought in nobody of those who were held back" in [entry["text"] for entry in entries]


@pytest.mark.feature("E9", "E1")
async def test_a_mailing_list_is_never_commander(muster: RunningMuster, org: Organization) -> None:
    team = await org.individual("Payments")
    organization = (await org.get("/me"))["organization"]["id"]
    incident = await org.report("Disk")
    await org.post(f"/incidents/{incident['id']}/participants", {"individual": team["id"]})
    async with muster.muster.database.write(organization) as session:
        (await session.get_one(Individual, team["id"])).kind = "list"
    problem(
        await org.api.put(f"/incidents/{incident['id']}/commander", json={"individual": team["id"]}), 409, "list_commands_nothing"
    )


@pytest.mark.feature("E7")
async def test_the_organization_s_own_limit_holds_from_the_next_evaluation_on(org: Organization) -> None:
    await org.patch("/settings", {"storm_limit": 1})
    people = {(await org.individual(name, "pump"))["id"] for name in ("Ana", "Ben")}
    incident = await held(org)
    question = await org.get(f"/incidents/{incident['id']}/engagement-question")
    assert {each["individual"]["id"] for each in question["people"]} == people
