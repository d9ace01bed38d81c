"""Terms are tried in the browser before they are saved, and one sees whom an edit adds (E7)."""

import re

import pytest

from tests.support.chromium import Visitor

pytestmark = pytest.mark.feature("E7")


async def test_terms_and_edits_are_tried_before_they_count(visitor: Visitor) -> None:
    org = visitor.org
    ana = await org.individual("Ana")
    await org.report("A credential--LEAK again")
    await org.report("Something else")
    tab = await visitor.tab()
    page, here = tab.page, f"/{org.slug}/contacts/individuals/{ana['id']}"
    await tab.open(here)
    await page.get_by_label("Terms").fill("Credential Leak")
    await page.get_by_role("button", name="Try it").click()
    await tab.arrive(f"{here}/try")
    tried = page.get_by_role("region", name="1 incident of the last 90 days would have matched")
    assert "A credential--LEAK again" in await tried.inner_text()
    assert await tried.locator("mark").inner_text() == "credential--LEAK"
    assert await tried.get_by_role("img", name=re.compile("by week")).is_visible()
    assert await page.evaluate("document.activeElement.id") == "tried", "one is led to what came of it"
    assert await page.get_by_label("Terms").input_value() == "Credential Leak"
    await page.get_by_role("button", name="Save changes").click()
    await tab.arrive(f"{here}\\?done=saved")
    await tried.wait_for()
    assert "Nothing was saved" not in await tried.inner_text()
    edit = f"/{org.slug}/incidents/INC-2/edit"
    await tab.open(edit)
    await page.get_by_label("Title").fill("Another credential leak")
    await page.get_by_role("button", name="See whom this adds").click()
    await tab.arrive(f"{edit}/preview")
    adds = page.get_by_role("region", name="1 person would come in")
    assert "credential leak" in await adds.inner_text()
    assert "Ana" in await adds.inner_text()
    assert await page.get_by_label("Title").input_value() == "Another credential leak"
    await page.get_by_role("button", name="Save changes").click()
    await tab.arrive(f"/{org.slug}/incidents/INC-2")
    await page.locator("#people li[id^=person-]", has_text="Ana").wait_for()


async def test_a_team_is_tried_before_it_is_added(visitor: Visitor) -> None:
    org = visitor.org
    await org.report("A credential--LEAK again")
    tab = await visitor.tab()
    page, here = tab.page, f"/{org.slug}/contacts/teams"
    await tab.open(here)
    await page.get_by_label("Name").fill("Leaks")
    await page.get_by_label("Members").fill("Olive Owner")
    await page.get_by_label("Terms").fill("Credential Leak")
    await page.get_by_role("button", name="Try it").click()
    await tab.arrive(f"{here}/new/try")
    tried = page.get_by_role("region", name="1 incident of the last 90 days would have matched")
    assert "A credential--LEAK again" in await tried.inner_text()
    assert await page.evaluate("document.activeElement.id") == "tried", "one is led to what came of it"
    await tab.check()
    assert await page.get_by_label("Members").input_value() == "Olive Owner"
    await page.get_by_role("button", name="Add team").click()
    await tab.arrive(f"{here}/[^/]+\\?done=added")
    [made] = (await org.get("/teams"))["data"]
    assert (made["name"], made["member_count"], made["terms"]) == ("Leaks", 1, ["Credential Leak"])


async def test_a_rule_is_tried_on_a_phone(visitor: Visitor) -> None:
    org = visitor.org
    await org.report("Disk", severity="Critical")
    tab = await visitor.tab(viewport={"width": 390, "height": 844})
    page = tab.page
    await tab.open(f"/{org.slug}/settings/engagement/rules/new")
    await page.get_by_role("radio", name="High").check()
    await page.locator(".sentence").filter(has_text="severity is at least High").wait_for()
    await page.get_by_role("button", name="Try it").click()
    tried = page.get_by_role("region", name="1 incident of the last 90 days would have matched")
    await tried.wait_for()
    await tab.check()
    assert "severity is at least High: Critical" in await tried.inner_text()
    assert not await tab.overflows()
