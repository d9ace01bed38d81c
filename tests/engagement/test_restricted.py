"""Nobody lets herself into a restricted incident: there, only terms count that an administrator set (E1, R7)."""

import pytest

from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E1", "E6", "R7")


async def set_terms(person: Member, *terms: str) -> None:
    response = await person.api.put(f"/individuals/{person.individual}/terms", json={"terms": terms})
    assert response.is_success, response.text


async def test_own_terms_open_no_restricted_incident(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Mallory") as mallory:
        await set_terms(mallory, "Low", "Medium", "High", "Critical")
        trusted = await org.individual("Trusted", "medium")
        secret = await org.report("Layoffs", visibility="restricted", severity="Medium")
        assert set(await org.participants(secret["id"])) == {"Olive Owner", "Trusted"}
        problem(await mallory.api.get(f"/incidents/{secret['id']}"), 404, "not_found")
        path = f"/incidents/{secret['id']}/engagements/why"
        told = await org.get(path, individual=mallory.individual)
        assert (told["reason"], told["engaged"]) == ("self_set_term", False)
        assert (await org.get(path, individual=trusted["id"]))["engaged"]
        public = await org.report("Known to all", severity="Medium")
        assert "Mallory" in await org.participants(public["id"])


@pytest.mark.feature("O4")
async def test_terms_of_a_former_administrator_are_her_own(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Ada", Role.ADMIN) as ada, member(muster, org, "Mia") as mia:
        await set_terms(ada, "boiler")
        for person in (ada, mia):
            await org.api.put(f"/individuals/{person.individual}/terms", json={"terms": ["boiler"]})
        first = await org.report("The boiler", visibility="restricted")
        assert {"Ada", "Mia"} <= set(await org.participants(first["id"]))
        await org.patch(f"/members/{ada.account}", {"role": "member"})
        await org.patch(f"/members/{mia.account}", {"role": "admin"})
        second = await org.report("Another boiler", visibility="restricted")
        assert "Mia" in await org.participants(second["id"])
        assert "Ada" not in await org.participants(second["id"])
        told = await org.get(f"/incidents/{second['id']}/engagements/why", individual=ada.individual)
        assert told["reason"] == "self_set_term"


async def test_a_term_stays_her_own_until_an_administrator_sets_it_anew(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Mia") as mia:
        path = f"/individuals/{mia.individual}/terms"
        await set_terms(mia, "boiler")
        await org.api.put(path, json={"terms": ["Boiler"]})
        first = await org.report("The boiler", visibility="restricted")
        assert "Mia" not in await org.participants(first["id"])
        await org.api.put(path, json={"terms": []})
        await org.api.put(path, json={"terms": ["boiler"]})
        await set_terms(mia, "boiler", "steam")
        second = await org.report("The boiler", visibility="restricted")
        assert "Mia" in await org.participants(second["id"])
