"""Naming a person: with suggestions while one types, by keyboard, and without scripts."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("R1")
async def test_suggestions_while_one_types(visitor: Visitor, tab: Tab) -> None:
    for name in ("Ana Alpha", "Ana Omega", "Ben Alpha"):
        await visitor.org.individual(name)
    page = tab.page
    await tab.open(f"/{visitor.org.slug}/incidents/report")
    await page.get_by_label("Title").fill("Queue grows")
    await page.get_by_text("Commander, who can see it").click()
    field = page.get_by_role("combobox", name="Commander")
    await field.focus()
    await page.keyboard.type("al")
    await _offers(page, "Ana Alpha", "Ben Alpha")
    await field.fill("")
    await page.keyboard.type("ben a")
    await _offers(page, "Ben Alpha")
    await tab.check()
    # What choosing it puts into the field. The list itself is drawn by the browser, which shows none without a screen.
    await field.fill(str(await page.locator("#known-people option").get_attribute("value")))
    await field.press("Enter")
    await tab.arrive(f"/{visitor.org.slug}/incidents/INC-1/receipt")
    await expect(page.locator("#receipt")).to_contain_text("Ben Alpha")
    assert (await visitor.org.get("/incidents/INC-1"))["commander"]["name"] == "Ben Alpha"


@pytest.mark.feature("E9")
async def test_a_person_is_added_while_the_page_changes(visitor: Visitor, tab: Tab) -> None:
    for name in ("Ana Alpha", "Ana Omega", "Kai Okafor"):
        await visitor.org.individual(name)
    await visitor.org.report("Queue grows")
    here = f"/{visitor.org.slug}/incidents/INC-1"
    page = tab.page
    await tab.open(here)
    await page.get_by_text("Add a person").click()
    field = page.locator("#people").get_by_label("Person")
    await field.press_sequentially("ana om")
    await _offers(page, "Ana Omega")
    kai = (await visitor.org.get("/individuals", q="kai"))["data"][0]
    await visitor.org.post("/incidents/INC-1/participants", {"individual": kai["id"]})
    await expect(page.locator("#people li[id^=person-]")).to_have_count(2)
    await expect(field).to_have_value("ana om")
    await expect(field).to_be_focused()
    await _offers(page, "Ana Omega")
    await field.press_sequentially("ega")
    await field.press("Enter")
    await expect(page.locator("#people li[id^=person-]")).to_have_count(3)
    await expect(page.locator("#people")).to_contain_text("Ana Omega")
    await tab.check()


@pytest.mark.feature("E9", "R1")
async def test_a_person_is_named_without_scripts(visitor: Visitor) -> None:
    visitor.expected.add(422)
    twins = [await visitor.org.post("/individuals", {"name": "Ana", "email": f"ana{n}@example.org"}) for n in (1, 2)]
    await visitor.org.report("Queue grows")
    page = (await visitor.tab(java_script_enabled=False)).page
    await page.goto(f"{visitor.muster.base_url}/{visitor.org.slug}/incidents/INC-1")
    await page.get_by_text("Add a person").click()
    people = page.locator("#people")
    field = people.get_by_label("Person")
    await field.fill("Ana")
    await people.get_by_role("button", name="Add", exact=True).click()
    await expect(people.locator("#error-individual")).to_have_text("Two people are called Ana: give the address.")
    await expect(field).to_have_value("Ana")
    await expect(field).to_have_accessible_description(re.compile("give the address"))
    await field.fill(twins[1]["email"].upper())
    await people.get_by_role("button", name="Add", exact=True).click()
    await expect(people.locator("li[id^=person-]")).to_have_count(2)
    assert "Ana" in await visitor.org.participants("INC-1")


async def _offers(page: Page, *names: str) -> None:
    await expect(page.locator("#known-people option")).to_have_count(len(names))
    for name in names:
        await expect(page.locator(f'#known-people option[value^="{name} <"]')).to_have_count(1)
