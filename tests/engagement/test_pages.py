"""A word that engages thousands comes back in pages that fit through Temporal, and is noted once all of them are known (E4)."""

import pytest
from sqlalchemy import select

from services.engagement.activities import EngagementActivities
from services.engagement.evaluation import PAGE_BYTES, PAGE_PEOPLE
from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.contacts import Individual, TermRow
from services.store.incidents import EvaluationRow
from tests.support.running import Organization, RunningMuster
from workflows.contracts.engagement import EvaluationRequest
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.events import Visibility

PEOPLE = PAGE_PEOPLE + 200


async def crowd(database: Database, organization: str) -> None:
    ids = [new_id() for _ in range(PEOPLE)]
    async with database.write(organization) as session:
        common = {"organization_id": organization, "version": 1, "created_at": now()}
        session.add_all(Individual(id=each, name=each, email=f"{each}@x.example", active=True, **common) for each in ids)
        await session.flush()
        session.add_all(
            TermRow(id=new_id(), individual_id=each, phrase="aa bb", normalised="aa bb", words=2, self_set=False, **common)
            for each in ids
        )


@pytest.mark.feature("E4")
@pytest.mark.parametrize(("between", "first"), [(" ", PAGE_PEOPLE), ("!" * 10_000, None)])
async def test_pages_are_bounded_and_noted_with_the_last(
    muster: RunningMuster, org: Organization, between: str, first: int | None
) -> None:
    database = muster.muster.database
    organization = (await org.get("/me"))["organization"]["id"]
    incident = (await org.report("Quiet"))["id"]
    await crowd(database, organization)
    activities = EngagementActivities(database)
    choice = Choice(id="x", name="x")
    request = EvaluationRequest(
        organization=organization,
        incident=incident,
        attributes=Attributes(title="x", description=f"aa{between}bb", type=choice, severity=choice, priority=choice),
        attributes_seq=99,
        project=choice,
        visibility=Visibility.PUBLIC,
    )

    async def noted() -> list[int]:
        async with database.read(organization) as session:
            query = select(EvaluationRow.matched).where(EvaluationRow.attributes_seq == 99, EvaluationRow.complete)
            return list(await session.scalars(query))

    found = [await activities.evaluate(request)]
    while (after := found[-1].after) is not None:
        assert await noted() == []
        so_far = sum(len(page.matches) for page in found)
        found.append(await activities.evaluate(request.model_copy(update={"after": after, "found": so_far})))
    assert await noted() == [PEOPLE]
    assert len(found) >= 2
    assert first is None or len(found[0].matches) == first
    assert all(len(page.model_dump_json()) < PAGE_BYTES * 1.1 for page in found)
    people = [person.individual for page in found for person in page.matches]
    assert people == sorted(set(people))
    assert len(people) == PEOPLE
