"""Why someone is in an incident, and why not (E6); who went stays away until someone brings them back (E5)."""

import pytest

from tests.accounts.members import member
from tests.support.running import Organization, RunningMuster


async def why(org: Organization, person: str) -> tuple[str, bool]:
    found = await org.get("/incidents/INC-1/engagements/why", individual=person)
    assert found["explanation"]
    return found["reason"], found["engaged"]


@pytest.mark.feature("E6")
async def test_every_reason_is_told(org: Organization) -> None:
    people = {
        "term": await org.individual("By Term", "valve"),
        "none": await org.individual("Without Terms"),
        "other": await org.individual("Other Words", "pipe"),
        "inactive": await org.individual("Inactive", "pipe"),
    }
    await org.api.delete(f"/individuals/{people['inactive']['id']}")
    await org.report("The valve is stuck")
    newer = await org.individual("Newer", "valve")
    ids = {name: person["id"] for name, person in people.items()}
    assert await why(org, ids["term"]) == ("engaged", True)
    assert await why(org, ids["none"]) == ("no_terms", False)
    assert await why(org, ids["other"]) == ("no_match", False)
    assert await why(org, ids["inactive"]) == ("inactive", False)
    assert await why(org, newer["id"]) == ("term_is_newer", False)
    found = await org.get("/incidents/INC-1/engagements/why", individual=ids["term"])
    assert [piece["text"] for piece in found["evidence"]] == ["valve"]
    assert found["terms"] == ["valve"]
    await org.api.delete(f"/incidents/INC-1/participants/{ids['term']}")
    assert await why(org, ids["term"]) == ("removed", False)
    await org.post("/incidents/INC-1/transitions", {"to": "closed"})
    assert await why(org, newer["id"]) == ("over", False)


@pytest.mark.feature("E4", "E5", "E8")
async def test_whoever_went_stays_away_until_brought_back(muster: RunningMuster, org: Organization) -> None:
    removed = await org.individual("Removed", "boiler")
    later = await org.individual("Later", "steam")
    async with member(muster, org, "Left") as left, member(muster, org, "Elsewhere") as elsewhere:
        for person in (left, elsewhere):
            await org.api.put(f"/individuals/{person.individual}/terms", json={"terms": ["boiler"]})
        await org.report("The boiler")
        await org.until(lambda: org.all_sent("INC-1"))
        gone = (await left.api.post("/incidents/INC-1/leave", json={"reason": "off duty"})).json()
        assert (gone["state"], gone["left_reason"]) == ("left", "off duty")
        assert (await elsewhere.api.post("/incidents/INC-1/not-relevant")).json()["state"] == "left"
        await org.api.delete(f"/incidents/INC-1/participants/{removed['id']}")
        await org.patch("/incidents/INC-1", {"title": "The boiler, the boiler!", "description": "steam"})
        await org.until(lambda: _present(org, "Later"))
        states = {name: person["state"] for name, person in (await org.participants("INC-1")).items()}
        assert states == {"Olive Owner": "engaged", "Left": "left", "Elsewhere": "left", "Removed": "removed", "Later": "engaged"}
        assert await why(org, left.individual) == ("left", False)
        assert await why(org, elsewhere.individual) == ("not_relevant", False)
        joined = (await left.api.post("/incidents/INC-1/join")).json()
        again = (await left.api.post("/incidents/INC-1/join")).json()
        assert (joined["state"], joined["evidence"][0]["kind"]) == ("joined", "self_join")
        assert again == joined
        await org.patch("/incidents/INC-1", {"title": "Pipes"})
        assert set(await org.participants("INC-1")) == set(states)
        assert later["id"] in {person["individual"]["id"] for person in (await org.participants("INC-1")).values()}


async def _present(org: Organization, name: str) -> bool:
    return name in await org.participants("INC-1")
