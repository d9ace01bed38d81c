"""Members come and go: invited, signed in by the mail in another window, deactivated."""

import re

import pytest
from playwright.async_api import expect

from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("O3", "O6")
async def test_a_member_is_invited_comes_in_and_leaves(visitor: Visitor, tab: Tab) -> None:
    root = f"/{visitor.org.slug}"
    page = tab.page
    await tab.open(root)
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    await tab.arrive(f"{root}/settings/members")
    await page.get_by_label("Name", exact=True).fill("Kai Okafor")
    await page.get_by_label("Email").fill("kai@example.org")
    await page.get_by_role("button", name="Send invitation").click()
    await expect(page.get_by_role("status").first).to_have_text("Kai Okafor was invited.")
    await tab.check()
    await visitor.org.until(lambda: _in_the_inbox(visitor))
    await page.goto(f"{tab.base_url}{root}/settings/members?q=kai")
    await page.get_by_role("link", name="Read the mail to Kai Okafor").click()
    await tab.arrive(f"{root}/inbox/.*")
    link = page.frame_locator("iframe").get_by_role("link").first
    address = await link.get_attribute("href")
    assert address is not None

    other = await visitor.tab(window=await visitor.window(signed_in=False))
    kai = other.page
    await kai.goto(tab.base_url + re.sub(r"^https?://[^/]+", "", address))
    await other.check()
    await kai.get_by_label("Password").fill("seven green umbrellas sing")
    await kai.get_by_role("button", name="Join").click()
    await other.arrive(root)
    await expect(kai.get_by_text("Kai Okafor").first).to_be_visible()

    await tab.open(f"{root}/settings/members?q=kai")
    await page.get_by_role("link", name="Kai Okafor").click()
    await tab.arrive(f"{root}/settings/members/.*")
    await expect(page.get_by_text("signed out everywhere at once")).to_be_visible()
    await page.get_by_label("I understand").check()
    await page.get_by_role("button", name="Deactivate Kai Okafor").click()
    await tab.arrive(f"{root}/settings/members/.*done=deactivated")
    await expect(page.get_by_role("button", name="Reactivate Kai Okafor")).to_be_visible()
    await kai.get_by_role("link", name="Contacts").first.click()
    await other.arrive(f"{root}/sign-in.*")


@pytest.mark.feature("O4")
async def test_the_settings_fit_a_phone(visitor: Visitor) -> None:
    root = f"/{visitor.org.slug}/settings"
    made = await visitor.org.post("/projects", {"name": "Infrastructure and platform engineering, Europe and Africa"})
    person = {"name": "Maximiliane von Hohenberg-Lindenschmidt", "email": f"{'maximiliane' * 5}@example.org"}
    somebody = await visitor.org.post("/members", person | {"projects": [made["id"]]})
    tab = await visitor.tab(viewport={"width": 390, "height": 844}, color_scheme="dark")
    for path in ("members", f"members/{somebody['id']}", "projects", f"projects/{made['id']}", "organizations/new"):
        await tab.open(f"{root}/{path}")
        assert not await tab.overflows(), path


async def _in_the_inbox(visitor: Visitor) -> bool:
    (kai,) = (await visitor.org.get("/members", q="kai"))["data"]
    return bool(kai["invitation"]["inbox_message"])
