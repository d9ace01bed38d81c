"""Ways to use the pages: lists, the keyboard, the dark, a telephone, and leaving."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("C9")
async def test_the_list_is_filtered_and_paged(visitor: Visitor, tab: Tab) -> None:
    await asyncio.gather(
        *(visitor.org.post("/incidents", {"title": f"Drill {number}", "severity": "Low"}) for number in range(26))
    )
    over = (await visitor.org.report("Queue grows", severity="High"))["reference"]
    await visitor.org.post(f"/incidents/{over}/transitions", {"to": "closed"})

    await tab.open(f"/{visitor.org.slug}")
    rows = tab.page.locator("tbody tr")
    await expect(rows).to_have_count(25)
    await expect(tab.page.locator("main")).to_contain_text("27 in all")
    await tab.page.get_by_role("link", name="Older incidents").click()
    await expect(rows).to_have_count(2)
    await expect(tab.page.get_by_role("link", name="Older incidents")).to_have_count(0)

    for label, choice in (
        ("Show", "Closed"),
        ("Severity", "High"),
        ("Status", "Closed"),
        ("Kind", "Real"),
        ("Commander", "olive owner"),
    ):
        await tab.open(f"/{visitor.org.slug}")
        field = tab.page.get_by_label(label, exact=True)
        await (field.fill(choice) if label == "Commander" else field.select_option(label=choice))
        await tab.page.get_by_role("button", name="Filter").click()
        found = rows.filter(has_text="Queue grows")
        await expect(found).to_have_count(1)
        if label not in {"Kind", "Commander"}:
            await expect(rows).to_have_count(1)
    await expect(tab.page.get_by_label("Commander", exact=True)).to_have_value(re.compile("Olive Owner <.*>"))
    await tab.page.get_by_role("searchbox").fill("nothing like it")
    await tab.page.get_by_role("button", name="Filter").click()
    await expect(tab.page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()
    await tab.check()


@pytest.mark.feature("R1", "L1")
async def test_report_and_close_with_the_keyboard_alone(visitor: Visitor, tab: Tab) -> None:
    page = tab.page
    await tab.open(f"/{visitor.org.slug}")
    await page.keyboard.press("c")
    await tab.arrive(f"/{visitor.org.slug}/incidents/report")
    await expect(page.get_by_label("Title")).to_be_focused()
    await page.keyboard.type("Queue grows")
    await page.keyboard.press("Enter")
    await tab.arrive(f"/{visitor.org.slug}/incidents/INC-1/receipt")
    await _press(page, "Go to the incident")
    here = f"/{visitor.org.slug}/incidents/INC-1"
    await tab.arrive(here)
    now = page.locator("#incident-head [aria-current=step]")
    await expect(now).to_contain_text("Investigating")
    await _press(page, "Change status")
    await _press(page, "Mark stable")
    await expect(now).to_contain_text("Stable")
    await _press(page, "Close incident")
    await tab.arrive(rf"{here}/transitions\?to=closed")
    await _press(page, "Close incident")
    await tab.arrive(here)
    await expect(now).to_contain_text("Closed")


async def _press(page: Page, name: str) -> None:
    """Go on with Tab until this has the focus, and press Enter."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.innerText?.split('\\n')[0].trim()") == name:
            await page.keyboard.press("Enter")
            return
    pytest.fail(f"“{name}” cannot be reached with Tab")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.feature("C9", "R1")
async def test_every_page_on_a_telephone_and_in_the_dark(visitor: Visitor, scheme: str) -> None:
    kai = await visitor.org.individual("Kai Okafor", "queue")
    await visitor.org.report("The-queue-" * 15, description=f"A queue grows. {'w' * 300}", tags=["t" * 60])
    await visitor.org.until(lambda: visitor.org.all_sent("INC-1"))
    message = (await visitor.org.get("/inbox"))["data"][0]["id"]
    tab = await visitor.tab(color_scheme=scheme, viewport={"width": 390, "height": 844})
    incident = "/incidents/INC-1"
    pages = (
        *("", "/incidents/report", incident, f"{incident}?tab=channel", f"{incident}?tab=deliveries", f"{incident}/receipt"),
        *(f"{incident}/edit", f"{incident}/why?individual={kai['id']}", f"{incident}/transitions?to=closed"),
        *("/contacts/individuals", f"/contacts/individuals/{kai['id']}", "/inbox", f"/inbox/{message}", "/deliveries"),
        *("/sign-in", "/nothing/here"),
    )
    visitor.expected.add(404)
    wide = []
    for path in pages:
        await tab.open(f"/{visitor.org.slug}{path}")
        if await tab.overflows():
            wide.append(path)
    assert wide == []
    ground = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(19, 20, 22)") == (scheme == "dark")


@pytest.mark.feature("O1")
async def test_signing_out_ends_the_session(visitor: Visitor, tab: Tab) -> None:
    await tab.open(f"/{visitor.org.slug}")
    await tab.page.get_by_text("Olive Owner").first.click()
    await tab.page.get_by_role("button", name="Sign out").click()
    await tab.arrive(rf"/{visitor.org.slug}/sign-in\?signed_out=true")
    await expect(tab.page.get_by_text(f"You are signed out of {visitor.org.slug}.")).to_be_visible()
    await tab.page.goto(f"{tab.base_url}/{visitor.org.slug}/inbox")
    await tab.arrive(rf"/{visitor.org.slug}/sign-in\?next=%2F{visitor.org.slug}%2Finbox")
