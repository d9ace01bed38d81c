"""Following an incident without taking part: a preference of one's own that counts as long as one may see it (E8)."""

import asyncio

import pytest
from sqlalchemy import select

from services.store.accounts import Account
from services.store.subscriptions import Subscription
from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E8")


async def post(person: Member, incident: str, what: str) -> dict[str, object]:
    answer = await person.api.post(f"/incidents/{incident}/{what}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def subscribers(org: Organization, incident: str) -> list[str]:
    return [each["name"] for each in (await org.get(f"/incidents/{incident}/subscribers"))["data"]]


async def followed(person: Member) -> list[str]:
    answer = await person.api.get("/incidents", params={"subscribed": "me"})
    return [each["title"] for each in answer.json()["data"]]


async def rows(muster: RunningMuster, individual: str) -> list[Subscription]:
    """Of one person, whatever organization and incident they are of."""
    async with muster.muster.database.read() as session:
        query = select(Subscription).where(Subscription.individual_id == individual)
        return list(await session.scalars(query, execution_options={"every_organization": True}))


async def test_following_twice_is_following_once(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["id"]
        version = (await org.get(f"/incidents/{incident}"))["version"]
        for _ in range(2):
            assert await post(jo, incident, "unsubscribe") == {"subscribed": False}
        assert await post(jo, "INC-1", "subscribe") == {"subscribed": True}
        [first] = await rows(muster, jo.individual)
        assert await post(jo, incident, "subscribe") == {"subscribed": True}
        assert [row.at for row in await rows(muster, jo.individual)] == [first.at]
        assert (await subscribers(org, incident), await followed(jo)) == (["Jo"], ["Disk"])
        for _ in range(2):
            assert await post(jo, incident, "unsubscribe") == {"subscribed": False}
        assert (await subscribers(org, incident), await followed(jo)) == ([], [])
        assert (await org.get(f"/incidents/{incident}"))["version"] == version, "it is no part of the record"


async def test_who_follows_is_no_participant_and_can_still_be_brought_in(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        await org.api.put(f"/individuals/{jo.individual}/terms", json={"terms": ["smoke"]})
        incident = (await org.report("Disk"))["id"]
        await post(jo, incident, "subscribe")
        assert "Jo" not in await org.participants(incident)
        await org.until(lambda: org.all_sent(incident))
        assert {each["recipient"]["id"] for each in await org.deliveries(incident)} == {
            (await org.get("/me"))["individual"]["id"]
        }

        await org.patch(f"/incidents/{incident}", {"title": "Disk and smoke"})

        async def brought_in() -> bool:
            return "Jo" in await org.participants(incident)

        await org.until(brought_in)
        assert await subscribers(org, incident) == ["Jo"]
        await post(jo, incident, "not-relevant")
        assert (await subscribers(org, incident), await followed(jo)) == (["Jo"], ["Disk and smoke"])


@pytest.mark.parametrize("before", [True, False])
async def test_coming_and_going_leaves_following_as_it_was(muster: RunningMuster, org: Organization, before: bool) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["id"]
        await post(jo, incident, "subscribe" if before else "unsubscribe")
        for what in ("join", "leave", "join", "not-relevant"):
            await post(jo, incident, what)
            assert await followed(jo) == (["Disk"] if before else [])
        mine = await jo.api.get("/incidents", params={"participant": "me"})
        assert mine.json()["data"] == []
        await post(jo, incident, "join")
        mine = await jo.api.get("/incidents", params={"participant": "me"})
        assert [each["title"] for each in mine.json()["data"]] == ["Disk"]


async def test_an_incident_that_is_over_can_be_followed(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["id"]
        await org.post(f"/incidents/{incident}/transitions", {"to": "closed", "run_learning_flow": False})
        await post(jo, incident, "subscribe")
        assert await followed(jo) == ["Disk"]
        problem(await jo.api.post(f"/incidents/{incident}/join"), 409, "incident_over")


@pytest.mark.feature("R7", "O4")
async def test_who_may_see_it_no_longer_follows_nothing(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo, member(muster, org, "Ada Admin", Role.ADMIN) as ada:
        incident = (await org.report("Hush"))["id"]
        for each in (jo, ada):
            await post(each, incident, "subscribe")
        assert await subscribers(org, incident) == ["Ada Admin", "Jo"]
        await org.patch(f"/incidents/{incident}", {"visibility": "restricted"})
        assert (await subscribers(org, incident), await followed(jo), await followed(ada)) == (["Ada Admin"], [], ["Hush"])
        problem(await jo.api.post(f"/incidents/{incident}/subscribe"), 404, "not_found")
        problem(await jo.api.get(f"/incidents/{incident}/subscribers"), 404, "not_found")

        await org.post(f"/incidents/{incident}/participants", {"individual": jo.individual})
        assert (await subscribers(org, incident), await followed(jo)) == (["Ada Admin", "Jo"], ["Hush"])
        await org.api.delete(f"/incidents/{incident}/participants/{jo.individual}")
        assert (await subscribers(org, incident), await followed(jo)) == (["Ada Admin"], [])
        await org.patch(f"/incidents/{incident}", {"visibility": "public"})
        assert await subscribers(org, incident) == ["Ada Admin", "Jo"]


@pytest.mark.feature("R7")
async def test_one_follows_no_longer_what_one_may_no_longer_see(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Hush"))["id"]
        await post(jo, incident, "subscribe")
        await org.patch(f"/incidents/{incident}", {"visibility": "restricted"})
        unknown = await jo.api.post("/incidents/INC-999/unsubscribe")
        refused = await jo.api.post("/incidents/INC-1/unsubscribe")
        problem(refused, 404, "not_found")
        assert {**refused.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
        assert await rows(muster, jo.individual) == []
        await org.patch(f"/incidents/{incident}", {"visibility": "public"})
        assert (await subscribers(org, incident), await followed(jo)) == ([], [])


@pytest.mark.feature("O4")
async def test_whose_account_ended_is_not_among_those_who_follow(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["id"]
        await post(jo, incident, "subscribe")
        [row] = await rows(muster, jo.individual)
        async with muster.muster.database.write(row.organization_id) as session:
            (await session.get_one(Account, jo.account)).active = False
        assert await subscribers(org, incident) == []


async def test_at_once_and_in_any_order_nothing_fails(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["id"]
        for what in ("subscribe", "unsubscribe"):
            answers = await asyncio.gather(*(post(jo, incident, what) for _ in range(5)))
            assert answers == [{"subscribed": what == "subscribe"}] * 5
            assert len(await rows(muster, jo.individual)) == (1 if what == "subscribe" else 0)
        await asyncio.gather(*(post(jo, incident, what) for what in ("join", "subscribe", "join", "subscribe")))
        assert (await org.participants(incident))["Jo"]["state"] == "joined"
        assert await subscribers(org, incident) == ["Jo"]
        await asyncio.gather(*(post(jo, incident, what) for what in ("leave", "unsubscribe", "leave", "unsubscribe")))
        assert (await org.participants(incident))["Jo"]["state"] == "left"
        assert await subscribers(org, incident) == []
        await asyncio.gather(*(post(jo, incident, what) for what in ("subscribe", "unsubscribe") * 5))
        assert await subscribers(org, incident) in ([], ["Jo"])
