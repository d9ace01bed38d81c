"""The incident's page: joining, following and leaving, by buttons that obey what holds when they are pressed (E5, E8)."""

import re
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.accounts import Account
from services.store.contacts import Individual, TermRow
from services.store.subscriptions import Subscription
from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E8")


class Reader:
    """Somebody who reads an incident's page, and presses its buttons."""

    def __init__(self, muster: RunningMuster, org: Organization, person: Member, incident: str) -> None:
        self._client = person.api
        self._root = f"{muster.base_url}/{org.slug}"
        self.here = f"{self._root}/incidents/{incident}"

    async def page(self, path: str = "") -> str:
        answer = await self._client.get(f"{self.here}{path}", headers=HTML)
        assert answer.status_code == 200, answer.text
        return words(answer.text)

    async def buttons(self) -> set[str]:
        """What the reader can do about their own part in it."""
        page = (await self._client.get(self.here, headers=HTML)).text
        found = set(re.findall(r'action="[^"]*/incidents/[^/"]+/([\w-]+)"', page))
        return found & {"join", "leave", "not-relevant", "subscribe", "unsubscribe"}

    async def press(self, button: str) -> httpx.Response:
        return await self._client.post(f"{self.here}/{button}", headers=HTML)

    async def list(self, **filters: Any) -> str:
        answer = await self._client.get(self._root, params=filters, headers=HTML)
        assert answer.status_code == 200, answer.text
        return words(answer.text)


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


async def test_what_one_can_do_follows_what_one_has_done(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["reference"]
        reader = Reader(muster, org, jo, incident)
        assert await reader.buttons() == {"join", "subscribe"}
        for _ in range(2):
            answer = await reader.press("subscribe")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/{org.slug}/incidents/{incident}#people")
        assert await reader.buttons() == {"join", "unsubscribe"}
        assert "Following: 1 Jo (you)" in await reader.page()
        await reader.press("join")
        assert await reader.buttons() == {"leave", "not-relevant", "unsubscribe"}
        assert "Following: " not in await reader.page(), "who takes part is shown as that"
        await reader.press("not-relevant")
        assert await reader.buttons() == {"join", "unsubscribe"}
        assert "Following: 1 Jo (you)" in await reader.page()
        for _ in range(2):
            assert (await reader.press("unsubscribe")).status_code == 303
        assert await reader.buttons() == {"join", "subscribe"}
        assert "Following: " not in await reader.page("/fragments/people")


async def test_the_list_shows_ones_own(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        followed, joined, other = [(await org.report(f"Disk {what}"))["reference"] for what in ("A", "B", "C")]
        await Reader(muster, org, jo, followed).press("subscribe")
        await Reader(muster, org, jo, joined).press("join")
        reader = Reader(muster, org, jo, other)
        shown = {mine: await reader.list(mine=mine) for mine in ("following", "participating", "nonsense")}
        assert ["Disk A" in shown["following"], "Disk B" in shown["following"]] == [True, False]
        assert ["Disk A" in shown["participating"], "Disk B" in shown["participating"]] == [False, True]
        assert all(f"Disk {what}" in shown["nonsense"] for what in "ABC")
        nothing = await reader.list(mine="following", q="nothing of it")
        assert "Nothing matches these filters" in nothing


async def test_an_old_page_s_buttons_are_told_that_the_incident_is_over(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo, member(muster, org, "Kim") as kim:
        incident = (await org.report("Disk"))["reference"]
        inside, outside = Reader(muster, org, jo, incident), Reader(muster, org, kim, incident)
        await inside.press("join")
        await org.post(f"/incidents/{incident}/transitions", {"to": "closed", "run_learning_flow": False})
        version = (await org.get(f"/incidents/{incident}"))["version"]
        for reader, button in ((inside, "leave"), (inside, "not-relevant"), (outside, "join")):
            refused = await reader.press(button)
            assert refused.status_code == 409
            assert "The incident is closed. Reopen it first." in words(refused.text)
        assert (await org.get(f"/incidents/{incident}"))["version"] == version
        assert "The incident is closed: nobody joins it any more." in await outside.page()
        assert (await inside.buttons(), await outside.buttons()) == (set(), {"subscribe"})


@pytest.mark.feature("R7", "O4")
@pytest.mark.parametrize("button", ["join", "leave", "not-relevant", "subscribe", "unsubscribe"])
async def test_an_old_page_s_buttons_find_nothing_once_it_is_restricted(
    muster: RunningMuster, org: Organization, button: str
) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Hush"))["reference"]
        reader = Reader(muster, org, jo, incident)
        await reader.press("subscribe")
        await org.patch(f"/incidents/{incident}", {"visibility": "restricted"})
        version = (await org.get(f"/incidents/{incident}"))["version"]
        refused = await reader.press(button)
        assert refused.status_code == 404
        assert "Hush" not in refused.text
        assert (await org.get(f"/incidents/{incident}"))["version"] == version
        for filters in ({"mine": "following"}, {}):
            assert "Hush" not in await reader.list(**filters)
        await org.patch(f"/incidents/{incident}", {"visibility": "public"})
        # To follow is one's own affair: it ends also where one may no longer look.
        follows = {"subscribe"} if button == "unsubscribe" else {"unsubscribe"}
        assert await reader.buttons() == {"join"} | follows


async def test_who_comes_by_an_old_link_without_pressing_changes_nothing(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        incident = (await org.report("Disk"))["reference"]
        reader = Reader(muster, org, jo, incident)
        for button in ("join", "leave", "not-relevant", "subscribe", "unsubscribe"):
            answer = await jo.api.get(f"{reader.here}/{button}", headers=HTML)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/{org.slug}/incidents/{incident}")
        assert await reader.buttons() == {"join", "subscribe"}


async def test_who_is_not_in_is_told_that_there_is_nothing_to_leave(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        reader = Reader(muster, org, jo, (await org.report("Disk"))["reference"])
        for button in ("leave", "not-relevant"):
            refused = await reader.press(button)
            assert refused.status_code == 409
            assert "This person is not in the incident." in words(refused.text)


@pytest.mark.feature("E1", "E3")
async def test_how_terms_do_is_shown_to_whoever_may_change_them(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo, member(muster, org, "Kim") as kim, member(muster, org, "Ada", Role.ADMIN) as ada:
        assert (await jo.api.put(f"/individuals/{jo.individual}/terms", json={"terms": ["disk", "smoke"]})).is_success
        team = await org.post("/teams", {"name": "Storage", "terms": ["array"]})
        service = await org.post("/oncall-services", {"name": "Ledger", "terms": ["ledger"]})
        identity = str((await org.get("/me"))["organization"]["id"])
        counted = {"matches": 12, "not_relevant": 4, "last_match_at": now()}
        async with muster.muster.database.write(identity) as session:
            await session.execute(update(TermRow).where(TermRow.phrase != "smoke").values(counted))
        said = "Matched 12 incidents, last just now ; in 4 of them somebody said “not relevant”."
        pages = [f"contacts/individuals/{jo.individual}", f"contacts/teams/{team['id']}", f"contacts/on-call/{service['id']}"]
        seen = {}
        for name, person in (("jo", jo), ("kim", kim), ("ada", ada)):
            for path in pages:
                answer = await person.api.get(f"{muster.base_url}/{org.slug}/{path}", headers=HTML)
                assert answer.status_code == 200
                seen[name, path] = said in words(answer.text)
        # Whoever is no administrator is told of matches in incidents that they see, and there are none.
        assert [each for each, shown in seen.items() if shown] == [("ada", path) for path in pages]
        own = await jo.api.get(f"{muster.base_url}/{org.slug}/{pages[0]}", headers=HTML)
        assert "disk Has matched no incident yet." in words(own.text)
        page = words((await ada.api.get(f"{muster.base_url}/{org.slug}/{pages[0]}", headers=HTML)).text)
        assert "disk Noisy" in page
        assert "smoke Has matched no incident yet." in page


@pytest.mark.feature("E1", "E3")
async def test_noisy_and_dead_ones_are_listed_for_administrators(muster: RunningMuster, org: Organization) -> None:
    ana = await org.individual("Ana", "loud", "quiet", "usual")
    identity = str((await org.get("/me"))["organization"]["id"])
    long_ago = now().replace(year=now().year - 1)
    async with muster.muster.database.write(identity) as session:
        noisy = {"matches": 3, "not_relevant": 3, "last_match_at": now()}
        await session.execute(update(TermRow).where(TermRow.phrase == "loud").values(noisy))
        await session.execute(update(TermRow).where(TermRow.phrase == "quiet").values(created_at=long_ago))
    here = f"{muster.base_url}/{org.slug}/settings/engagement"
    async with member(muster, org, "Ada", Role.ADMIN) as ada, member(muster, org, "Jo") as jo:
        shown = {show: (await ada.api.get(f"{here}/terms", params={"show": show}, headers=HTML)).text for show in ("", "dead")}
        assert [each in shown[""] for each in ("loud", "quiet", "usual")] == [True, False, False]
        assert [each in words(shown["dead"]) for each in ("loud", "quiet of Ana", "usual")] == [False, True, False]
        assert f"/{org.slug}/contacts/individuals/{ana['id']}" in shown["dead"]
        assert (await jo.api.get(f"{here}/terms", headers=HTML)).status_code == 403
        empty = words((await ada.api.get(here, params={"show": "noisy"}, headers=HTML)).text)
        assert "No noisy rule is there." in empty


async def test_who_follows_is_shown_in_part_with_a_way_to_all(muster: RunningMuster, org: Organization) -> None:
    incident = await org.report("Disk")
    organization = (await org.get("/me"))["organization"]["id"]
    common = {"organization_id": organization, "version": 1, "created_at": now()}
    people = {new_id(): f"Follower {number:02}" for number in range(60)}
    async with muster.muster.database.write(organization) as session:
        session.add_all(Individual(id=each, name=name, email=f"{each}@x.example", **common) for each, name in people.items())
        await session.flush()
        session.add_all(
            Account(
                id=new_id(), organization_id=organization, individual_id=each, role=Role.MEMBER, active=True, created_at=now()
            )
            for each in people
        )
        session.add_all(
            Subscription(organization_id=organization, incident_id=incident["id"], individual_id=each, at=now())
            for each in people
        )
    path = f"/incidents/{incident['id']}/subscribers"
    first = await org.get(path)
    assert len(first["data"]) == first["pagination"]["page_size"] == 25
    assert [each["name"] for each in await org.every(path)] == list(people.values())
    problem(await org.api.get(path, params={"after": "x"}), 400, "unknown_after")
    here = f"{muster.base_url}/{org.slug}/incidents/{incident['reference']}"
    page = words((await org.api.get(here, headers=HTML)).text)
    assert "Following: 60" in page
    assert "Follower 49 and 10 more" in page
    assert "Follower 50" not in page
    everyone = (await org.api.get(f"{here}/people/following", headers=HTML)).text
    assert ("Follower 49" in everyone, "Follower 50" in everyone) == (True, False)
    following = re.search(r'href="([^"]*)" rel="next"', everyone)
    assert following
    rest = (await org.api.get(f"{muster.base_url}{unescape(following[1])}", headers=HTML)).text
    assert ("Follower 49" in rest, "Follower 59" in rest, 'rel="next"' in rest) == (False, True, False)
