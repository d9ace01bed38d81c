"""More people than come into an incident at once without asking."""

from typing import Any

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.contacts import Individual, TermRow
from tests.support.running import Organization, RunningMuster
from workflows.domain.engagement import STORM_LIMIT

CROWD = STORM_LIMIT + 5


async def crowd(muster: RunningMuster, org: Organization, phrase: str = "pump", count: int = CROWD) -> list[str]:
    """So many contacts with one term that they are not brought in without asking; their ids, in the order of their names."""
    organization = (await org.get("/me"))["organization"]["id"]
    database = muster.muster.database
    ids = [new_id() for _ in range(count)]
    common = {"organization_id": organization, "version": 1, "created_at": now()}
    async with database.write(organization) as session:
        session.add_all(
            Individual(id=each, name=f"Person {number:02}", email=f"{each}@x.example", active=True, **common)
            for number, each in enumerate(ids)
        )
        await session.flush()
        session.add_all(
            TermRow(id=new_id(), individual_id=each, phrase=phrase, normalised=phrase, words=1, self_set=False, **common)
            for each in ids
        )
    return ids


async def held(org: Organization, title: str = "The pump failed") -> dict[str, Any]:
    """An incident that the whole crowd matches, as it is when the question is open."""
    incident = await org.report(title)

    async def asked() -> bool:
        return (await org.get(f"/incidents/{incident['id']}"))["held"] is not None

    await org.until(asked)
    return await org.get(f"/incidents/{incident['id']}")


async def inside(org: Organization, incident: dict[str, Any]) -> set[str]:
    return {each["individual"]["id"] for each in (await org.participants(incident["id"])).values()}
