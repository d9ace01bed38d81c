"""What people set for themselves, in a browser: the zone, the theme, and a token that is shown once."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect

from services.kit.clock import now
from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("O2")
async def test_times_go_by_the_chosen_zone_and_else_by_the_browsers(visitor: Visitor) -> None:
    tab = await visitor.tab(timezone_id="America/New_York", locale="en-GB")
    page, here = tab.page, f"/{visitor.org.slug}"
    until = (now() + timedelta(days=40)).replace(hour=2, minute=30, second=0, microsecond=0)
    await visitor.org.post("/tokens", {"name": "Mine", "scopes": ["read"], "expires_at": until.isoformat()})
    expires = page.locator('time[data-time="date"]').first
    before, same = f"{until - timedelta(days=1):%-d %b %Y}", f"{until:%-d %b %Y}"

    await tab.open(f"{here}/settings/tokens")
    await expect(expires).to_have_text(before)
    await expect(expires).to_have_attribute("title", f"{until:%-d %B %Y}, 02:30 UTC")
    await tab.open(f"{here}/preferences")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await page.get_by_role("button", name="Save").click()
    await tab.arrive(f"{here}/preferences\\?done=saved")
    await expect(page.get_by_role("status").first).to_contain_text("Your preferences were saved.")
    await tab.open(f"{here}/settings/tokens")
    await expect(expires).to_have_text(same)
    await expect(expires).to_have_attribute("title", f"{until:%-d %B %Y}, 02:30 UTC")


@pytest.mark.feature("O2")
async def test_the_theme_comes_with_the_page_and_with_the_account(visitor: Visitor, tab: Tab) -> None:
    page, here = tab.page, f"/{visitor.org.slug}"
    await tab.open(here)
    await page.get_by_text("Olive Owner").first.click()
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    await visitor.org.until(lambda: chosen(visitor, "dark"))
    await tab.check()
    # In another browser, and before any script: it does not flash.
    bare = (await visitor.tab(java_script_enabled=False)).page
    await bare.goto(f"{visitor.muster.base_url}{here}")
    await expect(bare.locator("html")).to_have_attribute("data-theme", "dark")
    await bare.get_by_text("Olive Owner").first.click()
    await bare.get_by_role("button", name="System").click()
    await bare.wait_for_url(re.compile(r"/preferences\?done=saved$"))
    await expect(bare.locator("html")).not_to_have_attribute("data-theme", "dark")
    await page.reload()
    await expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")


@pytest.mark.feature("O3")
async def test_a_token_is_shown_once(visitor: Visitor) -> None:
    visitor.expected.add(422)
    window = await visitor.window()
    await window.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = await visitor.tab(window)
    page, tokens = tab.page, f"/{visitor.org.slug}/settings/tokens"
    await tab.open(tokens)
    await page.get_by_label("Name").fill("Deploys")
    await page.get_by_label("A service").check()
    await page.get_by_label("Read").uncheck()
    await page.get_by_role("button", name="Make token").click()
    await expect(page.locator("#error-scopes")).to_have_text("Choose at least one.")
    await expect(page.get_by_label("Name")).to_have_value("Deploys")
    await tab.check()
    await page.get_by_label("Report incidents").check()
    await page.get_by_role("button", name="Make token").click()
    secret = await page.get_by_role("textbox", name="The token").input_value()
    assert secret.startswith("muster_token_")
    await tab.check()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator("[data-copied]")).to_have_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    made = await visitor.org.api.post("/incidents", json={"title": "Deployed"}, headers={"Authorization": f"Bearer {secret}"})
    assert made.status_code == 201
    await tab.open(tokens)
    assert secret not in await page.content()
    await page.get_by_role("link", name="Deploys").click()
    await page.get_by_role("button", name="Revoke “Deploys”").click()
    await tab.arrive(f"{tokens}\\?revoked=true")
    await expect(page.get_by_role("link", name="Deploys")).to_have_count(0)
    refused = await visitor.org.api.get("/me", headers={"Authorization": f"Bearer {secret}"})
    assert refused.status_code == 401


@pytest.mark.feature("O5")
async def test_the_audit_log_is_read_narrowed_and_taken_away(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.post("/tokens", {"name": "Mine", "scopes": ["read"]})
    page, log = tab.page, f"/{visitor.org.slug}/settings/audit"
    await tab.open(log)
    await page.get_by_label("About").select_option(label="API tokens")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator("li[data-row]")).to_have_count(2)
    await expect(page.locator("li[data-row]").first).to_contain_text("Olive Owner made the API token “Mine”")
    await tab.check()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export as CSV").click()
    text = (await (await download.value).path()).read_text()
    assert text.count("token.created") == 2
    assert "sign_in" not in text
    await page.get_by_role("link", name="Olive Owner").first.click()
    await expect(page.get_by_text("Only what Olive Owner did.")).to_be_visible()
    assert not await tab.overflows()


async def chosen(visitor: Visitor, theme: str) -> bool:
    return bool((await visitor.org.get("/me"))["preferences"]["theme"] == theme)
