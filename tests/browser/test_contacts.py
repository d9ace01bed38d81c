"""Teams and on-call services in a browser: by keyboard, on a telephone, in the dark (E1, E10)."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from services.kit.clock import now
from tests.support.chromium import Tab, Visitor

pytestmark = pytest.mark.feature("E1", "E10")


async def test_from_contacts_to_whoever_is_on_call(visitor: Visitor, tab: Tab) -> None:
    for name in ("Ana Alpha", "Ben Beta"):
        await visitor.org.individual(name)
    page, root = tab.page, f"/{visitor.org.slug}/contacts"
    await tab.open(f"{root}/individuals")
    contacts = page.get_by_role("navigation", name="Contacts")
    await contacts.get_by_role("link", name="Teams").click()
    await tab.arrive(f"{root}/teams")
    await page.get_by_label("Name").fill("Payments")
    await page.get_by_label("Members").fill("Ana Alpha")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await tab.arrive(rf"{root}/teams/.*")
    await expect(page.get_by_label("Address of the list")).to_be_hidden()
    await page.get_by_label("Only the team's mailing list").check()
    await expect(page.get_by_label("Address of the list")).to_be_visible()
    person = page.get_by_role("combobox", name="Person")
    await person.press_sequentially("ben")
    await expect(page.locator("#known-people option")).to_have_count(1)
    await person.fill(str(await page.locator("#known-people option").get_attribute("value")))
    await person.press("Enter")
    await expect(page.locator("#members li")).to_have_count(2)
    await tab.check()
    await page.goto(f"{visitor.muster.base_url}{root}/on-call")
    await page.get_by_label("Name").fill("Ledger")
    await page.get_by_role("button", name="Add on-call service").click()
    await tab.arrive(rf"{root}/on-call/.*")
    await page.get_by_role("link", name="Add a layer").click()
    await tab.check()
    await page.get_by_label("Who takes turns").fill("Ana Alpha\nBen Beta")
    await page.get_by_role("button", name="Add layer").click()
    await expect(page.get_by_role("heading", name="Ledger")).to_be_visible()
    await expect(page.locator("#main")).to_contain_text("is on call until")
    await expect(page.get_by_role("row")).to_have_count(4)
    await tab.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_telephone(visitor: Visitor, scheme: str) -> None:
    visitor.expected.add(422)
    org = visitor.org
    people = [(await org.individual(name))["id"] for name in ("Ana Alpha", "Ben Beta")]
    began = f"{now() - timedelta(days=9):%Y-%m-%d}T09:00"
    layer = {"name": "Primary", "time_zone": "Europe/Berlin", "starts_at": began, "every": {"days": 1}, "members": people}
    service = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [layer]}, "terms": ["ledger"]})
    team = await org.post("/teams", {"name": "Payments", "members": people, "terms": ["refund"]})
    tab = await visitor.tab(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    root = f"/{org.slug}/contacts"
    for path in (
        "teams",
        f"teams/{team['id']}",
        "on-call",
        f"on-call/{service['id']}",
        f"on-call/{service['id']}/edit",
        f"on-call/{service['id']}/layers/0",
    ):
        await tab.open(f"{root}/{path}")
        assert not await tab.overflows(), path
    await tab.page.get_by_label("Only at").fill("whenever")
    await tab.page.get_by_role("button", name="Save changes").click()
    await expect(tab.page.get_by_label("Only at")).to_have_accessible_description(re.compile("“whenever” cannot be read."))
    await tab.check()
