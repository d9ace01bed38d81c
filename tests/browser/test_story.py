"""The story of E2 and E4 through the pages: who is brought in, why, and nobody twice."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.support.chromium import Tab, Visitor

FIRST = ("Credential", "Leak", "Credential Leak")
LATER = ("System", "Compromise", "System Compromise")


@pytest.mark.feature("R1", "R3", "E1", "E2", "E4", "E5", "E6", "N1", "N5", "N6")
async def test_the_words_of_an_incident_bring_people_in_once(visitor: Visitor, tab: Tab) -> None:
    for phrase in FIRST + LATER:
        await _add_individual(tab, visitor.org.slug, phrase)
    await _report(tab, visitor.org.slug, "credential-leak!")

    receipt = tab.page.locator("#receipt")
    await expect(receipt).to_contain_text("The response is under way")
    for phrase in FIRST:
        await expect(receipt).to_contain_text(f"{phrase} Person")
    await expect(receipt.get_by_text(re.compile("^(System|Compromise)"))).to_have_count(0)

    await tab.page.get_by_role("link", name="Go to the incident").click()
    await tab.arrive(f"/{visitor.org.slug}/incidents/INC-1")
    people = tab.page.locator("#people")
    await expect(_person(people, "Credential Leak Person")).to_contain_text("“credential-leak” in the title")
    await expect(people.locator("li[id^=person-]")).to_have_count(4)

    watching = await visitor.tab(tab.page.context)
    await watching.open(f"/{visitor.org.slug}/incidents/INC-1")
    await watching.page.evaluate("window.notReloaded = true")
    await _edit(tab, "System Compromise", "A **system compromise**.")
    await expect(watching.page.locator("#people li[id^=person-]")).to_have_count(7)
    await expect(_person(watching.page.locator("#people"), "System Compromise Person")).to_contain_text("“System Compromise”")
    assert await watching.page.evaluate("window.notReloaded")
    await watching.check()

    await _remove(tab, "Leak Person")
    await _edit(tab, "Credential leak after the system compromise", "It leaked.")
    await expect(tab.page.locator("#people li[id^=person-]")).to_have_count(6)
    await expect(tab.page.locator("#people-gone")).to_contain_text("Leak Person")
    await visitor.org.until(lambda: visitor.org.all_sent("INC-1"))
    await _each_was_welcomed_once(tab, visitor.org.slug)


async def _add_individual(tab: Tab, slug: str, phrase: str) -> None:
    await tab.open(f"/{slug}/contacts/individuals")
    form = tab.page.locator("form.card")
    await form.get_by_label("Name").fill(f"{phrase} Person")
    await form.get_by_label("Email").fill(f"{phrase.lower().replace(' ', '.')}@example.org")
    await form.get_by_label("Terms").fill(phrase)
    await form.get_by_role("button", name="Add individual").click()
    await expect(tab.page.get_by_text(f"{phrase} Person was added.")).to_be_visible()


async def _report(tab: Tab, slug: str, title: str) -> None:
    await tab.open(f"/{slug}/incidents/report")
    await tab.page.get_by_label("Title").fill(title)
    await tab.page.get_by_role("button", name="Report incident").click()
    await tab.arrive(f"/{slug}/incidents/INC-1/receipt")


async def _edit(tab: Tab, title: str, description: str) -> None:
    await tab.page.get_by_role("link", name="Edit", exact=True).click()
    await tab.arrive(r"/\w+/incidents/INC-1/edit")
    await tab.page.get_by_label("Title").fill(title)
    await tab.page.get_by_label("Description").fill(description)
    await tab.page.get_by_role("button", name="Save changes").click()
    await tab.arrive(r"/\w+/incidents/INC-1")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text(title)


async def _remove(tab: Tab, name: str) -> None:
    person = _person(tab.page.locator("#people"), name)
    await person.get_by_label(f"More about {name}").click()
    await person.get_by_role("button", name="Remove from the incident").click()
    await expect(tab.page.locator("#people-gone")).to_contain_text("1 no longer here")


async def _each_was_welcomed_once(tab: Tab, slug: str) -> None:
    await tab.open(f"/{slug}/inbox")
    for phrase in FIRST + LATER:
        to_them = tab.page.get_by_text(f"To {phrase} Person · Email", exact=True)
        await expect(to_them).to_have_count(1)
    await tab.page.locator("li", has_text="To Credential Leak Person · Email").get_by_role("link").click()
    await tab.arrive(rf"/{slug}/inbox/[\w-]+")
    mail = tab.page.frame_locator("iframe")
    await expect(mail.locator("body")).to_contain_text("credential-leak")
    await tab.page.get_by_role("link", name="As text").click()
    await tab.arrive(rf"/{slug}/inbox/[\w-]+\?view=text")
    await expect(tab.page.locator("pre")).to_contain_text("credential-leak")


def _person(people: Locator, name: str) -> Locator:
    return people.locator("li[id^=person-]").filter(has=people.page.get_by_text(re.compile(rf"^\s*{name}\b")))
