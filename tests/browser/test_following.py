"""Coming, going and following by the buttons of an incident's page, and how the terms did that brought people in (E1, E5, E8)."""

import pytest
from playwright.async_api import expect
from sqlalchemy import update

from services.kit.clock import now
from services.store.contacts import TermRow
from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("E8", "E5")
@pytest.mark.parametrize("java_script", [True, False])
async def test_one_leaves_follows_and_comes_back(visitor: Visitor, java_script: bool) -> None:
    kai = await visitor.org.individual("Kai Okafor", "queue")
    await visitor.org.report("Queue grows")
    await visitor.org.report("Another one")
    here = f"/{visitor.org.slug}/incidents/INC-1"
    response = await visitor.org.api.put("/incidents/INC-1/commander", json={"individual": kai["id"]})
    assert response.is_success
    tab = await visitor.tab(java_script_enabled=java_script)
    page, people = tab.page, tab.page.locator("#people")
    await page.goto(tab.base_url + here)
    await people.get_by_text("Leave, or not relevant to you").click()
    await people.get_by_role("button", name="Not relevant to me").click()
    await expect(people.locator("li[id^=person-]")).to_have_count(1)
    await expect(people.get_by_role("button", name="Join this incident")).to_be_visible()

    await people.get_by_role("button", name="Follow", exact=True).press("Enter")
    await expect(people.get_by_role("button", name="Unfollow")).to_be_visible()
    await people.get_by_text("Following: 1").click()
    await expect(people.locator("#people-following")).to_contain_text("Olive Owner (you)")
    if java_script:
        await tab.check()
    await people.get_by_role("link", name="the list of those you follow").click()
    await expect(page.get_by_role("link", name="Queue grows")).to_be_visible()
    await expect(page.get_by_role("link", name="Another one")).to_have_count(0)
    await expect(page.get_by_label("Mine")).to_have_value("following")
    if java_script:
        await tab.check()

    await page.get_by_role("link", name="Queue grows").click()
    await people.get_by_role("button", name="Join this incident").click()
    await expect(people.locator("li[id^=person-]")).to_have_count(2)
    await people.get_by_role("button", name="Unfollow").click()
    await expect(people.get_by_role("button", name="Unfollow")).to_have_count(0)
    await expect(people.get_by_role("button", name="Follow", exact=True)).to_have_count(0)
    assert (await visitor.org.participants("INC-1"))["Olive Owner"]["state"] == "joined"


@pytest.mark.feature("E8", "O4")
async def test_a_button_of_an_old_page_obeys_todays_setting(visitor: Visitor, tab: Tab) -> None:
    visitor.expected.add(403)
    kai = await visitor.org.individual("Kai Okafor", "queue")
    await visitor.org.report("Queue grows")
    await visitor.org.api.put("/incidents/INC-1/commander", json={"individual": kai["id"]})
    await visitor.org.post("/incidents/INC-1/leave")
    await tab.open(f"/{visitor.org.slug}/incidents/INC-1")
    (project,) = (await visitor.org.get("/projects"))["data"]
    await visitor.org.patch(f"/projects/{project['id']}", {"self_join": False})
    await tab.page.get_by_role("button", name="Join this incident").click()
    await expect(tab.page.locator(".flash")).to_contain_text("nobody joins without being asked")
    await expect(tab.page.locator("#people")).to_contain_text("Ask a participant to add you.")
    await expect(tab.page.get_by_role("button", name="Join this incident")).to_have_count(0)
    await expect(tab.page.get_by_role("button", name="Follow", exact=True)).to_be_visible()
    await tab.check()
    assert (await visitor.org.participants("INC-1"))["Olive Owner"]["state"] == "left"


@pytest.mark.feature("E1", "E3")
async def test_noisy_and_dead_terms_lead_to_whose_they_are(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.individual("Ana Alpha", "loud noise", "usual")
    identity = str((await visitor.org.get("/me"))["organization"]["id"])
    counted = {"matches": 9, "not_relevant": 4, "last_match_at": now()}
    async with visitor.muster.muster.database.write(identity) as session:
        await session.execute(update(TermRow).where(TermRow.phrase == "loud noise").values(counted))
    page = tab.page
    await tab.open(f"/{visitor.org.slug}/settings/engagement")
    await page.get_by_role("link", name="Noisy and dead terms").click()
    await tab.arrive(f"/{visitor.org.slug}/settings/engagement/terms")
    await expect(page.get_by_role("main")).to_contain_text("loud noise")
    await expect(page.get_by_role("main")).to_contain_text("in 4 of them somebody said “not relevant”")
    await page.get_by_role("link", name="Dead").click()
    await tab.arrive(rf"/{visitor.org.slug}/settings/engagement/terms\?show=dead")
    await expect(page.get_by_role("heading", name="No term is dead")).to_be_visible()
    await page.get_by_role("link", name="Noisy", exact=True).click()
    await page.get_by_role("link", name="Ana Alpha").click()
    await expect(page.locator("#records")).to_contain_text("loud noise Noisy")
    await expect(page.locator("#records")).to_contain_text("Has matched no incident yet.")
    await tab.check()
