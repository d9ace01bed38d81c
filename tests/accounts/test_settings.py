"""What an organization sets for all its incidents: how many people come in at once without asking (E7)."""

import pytest

from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster

pytestmark = pytest.mark.feature("E7")


@pytest.mark.feature("O5")
async def test_the_storm_limit_is_set_and_audited(org: Organization) -> None:
    first = await org.api.get("/settings")
    assert (first.json(), first.headers["ETag"]) == ({"storm_limit": 50, "version": 1}, '"1"')
    assert await org.patch("/settings", {"storm_limit": 2}) == {"storm_limit": 2, "version": 2}
    assert await org.patch("/settings", {}) == await org.patch("/settings", {"storm_limit": 2}) == await org.get("/settings")
    problem(await org.api.patch("/settings", json={"storm_limit": 3}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    for wrong in (0, 10_001, "many", "3", True, 2.0):
        assert fields(problem(await org.api.patch("/settings", json={"storm_limit": wrong}), 422, "invalid")) == {"storm_limit"}
    (entry,) = (await org.get("/audit", action="settings."))["data"]
    assert (entry["before"], entry["after"]) == ({"storm_limit": 50}, {"storm_limit": 2})


@pytest.mark.feature("O4")
async def test_only_administrators_see_and_set_it(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Mia") as mia:
        problem(await mia.api.get("/settings"), 403, "administrators_only")
        problem(await mia.api.patch("/settings", json={"storm_limit": 2}), 403, "administrators_only")
