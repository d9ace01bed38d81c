"""Teams and on-call services in a browser: by keyboard, on a telephone, in the dark (E1, E10)."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

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


async def test_an_override_is_in_the_zone_in_which_the_page_is_shown(visitor: Visitor) -> None:
    ana = await visitor.org.individual("Ana Alpha")
    layer = {"name": "All", "time_zone": "Europe/Berlin", "starts_at": "2026-01-05T09:00", "every": {"weeks": 1}}
    rotation = {"layers": [layer | {"members": [ana["id"]]}]}
    service = await visitor.org.post("/oncall-services", {"name": "Ledger", "rotation": rotation})
    tab = await visitor.tab(timezone_id="Asia/Tokyo", locale="en-GB")
    page = tab.page
    await tab.open(f"/{visitor.org.slug}/contacts/on-call/{service['id']}")
    await expect(page.get_by_text("Times in Asia/Tokyo")).to_be_visible()
    await expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
    midnight = now().astimezone(ZoneInfo("Asia/Tokyo")).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    mark = page.locator("svg.axis text").first
    await expect(mark).to_have_text(f"{midnight:%a} {midnight.day}")
    placed = float((await mark.get_attribute("x") or "").rstrip("%")) / 100 * timedelta(days=14)
    assert abs(now() + placed - midnight) < timedelta(minutes=5)
    await page.get_by_role("combobox", name="Person").fill("Ana Alpha")
    await page.get_by_label("From").fill("2050-07-01T10:00")
    await page.get_by_label("Until").fill("2050-07-01T12:00")
    await page.get_by_role("button", name="Add override").click()
    saved = re.compile("Saved: Ana Alpha is on call from Fri,? 1 Jul, 10:00 until Fri,? 1 Jul, 12:00, Asia/Tokyo.")
    await expect(page.locator(".flash")).to_have_text(saved)
    [override] = (await visitor.org.get(f"/oncall-services/{service['id']}"))["overrides"]
    assert override["from"] == "2050-07-01T01:00:00Z"
    await expect(page.get_by_role("button", name="Remove the override by Ana Alpha")).to_be_visible()


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
