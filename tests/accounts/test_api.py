"""Who is asking, and what the organization offers to choose from."""

import pytest

from tests.accounts.members import member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster


@pytest.mark.feature("O3")
async def test_me_is_who_the_token_stands_for(muster: RunningMuster, org: Organization) -> None:
    assert (await org.get("/me"))["role"] == "owner"
    async with member(muster, org, "Mia") as mia:
        me = (await mia.api.get("/me")).json()
        assert (me["individual"], me["role"]) == ({"id": mia.individual, "name": "Mia"}, "member")
        assert me["organization"]["slug"] == org.slug
        assert (await org.api.delete(f"/individuals/{mia.individual}")).status_code == 204
        problem(await mia.api.get("/me"), 401, "not_signed_in")


@pytest.mark.feature("L12")
async def test_each_list_has_one_default(org: Organization) -> None:
    for path in ("/projects", "/incident-types", "/severities", "/priorities"):
        found = await org.get(path)
        assert sum(entry["is_default"] for entry in found["data"]) == 1
        assert found["pagination"]["after"] is None
    assert [entry["name"] for entry in (await org.get("/severities"))["data"]] == ["Low", "Medium", "High", "Critical"]
