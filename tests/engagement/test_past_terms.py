"""Which terms were in force at a moment: what changed or went is kept (E6)."""

from datetime import datetime

import pytest

from services.engagement import repository
from services.kit.clock import now
from tests.support.running import Organization, RunningMuster


@pytest.mark.feature("E6")
@pytest.mark.parametrize("kind", ["individuals", "teams", "oncall-services"])
async def test_terms_are_known_as_they_were(muster: RunningMuster, org: Organization, kind: str) -> None:
    organization = (await org.get("/me"))["organization"]["id"]
    more = {"email": "ana@example.org"} if kind == "individuals" else {}
    moments = [now()]
    made = await org.post(f"/{kind}", {"name": "Ana", "terms": ["disk", "Quota"], **more})
    for terms in (["DISK", "quota"], ["quota", "new"], ["disk"], ["disk"]):
        moments.append(now())
        assert (await org.api.put(f"/{kind}/{made['id']}/terms", json={"terms": terms})).is_success
    moments.append(now())

    async def in_force(at: datetime) -> dict[str, int]:
        async with muster.muster.database.read(organization) as session:
            found = await repository.terms_in_force(session, [made["id"]], at)
        return {term.phrase: term.version for term in found}

    assert [await in_force(at) for at in moments] == [
        {},
        {"disk": 1, "Quota": 1},
        {"DISK": 2, "quota": 2},
        {"quota": 2, "new": 1},
        {"disk": 1},
        {"disk": 1},
    ]
