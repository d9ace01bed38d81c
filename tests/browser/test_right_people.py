"""The story of the right people, through the pages alone: contacts, rules and roles are made, and do what they say (E1–E10)."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.support.chromium import Tab, Visitor

PEOPLE = ("Ana Alpha", "Ben Beta", "Cai Gamma", "Dee Delta", "Eli Epsilon")


@pytest.mark.feature("E1", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10")
async def test_from_an_empty_organization_to_the_right_people(visitor: Visitor, tab: Tab) -> None:
    slug, page = visitor.org.slug, tab.page
    await _make_contacts(tab, slug)
    await _make_rule(tab, slug)
    await _make_policy(tab, slug)
    await _report(tab, slug)

    people = page.locator("#people")
    await expect(_person(people, "Ana Alpha")).to_contain_text("rule “Severe payments” (Team Payments)")
    await expect(_person(people, "Cai Gamma")).to_contain_text("commander")
    await expect(_person(people, "Cai Gamma")).to_contain_text("on call for Ledger")
    await expect(people.locator("li[id^=person-]")).to_have_count(4)

    await _see_why_and_why_not(tab, slug)
    await _edit_after_a_look(tab, slug)
    await expect(_person(people, "Dee Delta")).to_contain_text("“credential-leak” in the title")

    await _hand_over(tab)
    await _say_not_relevant_and_follow(tab)
    await _tell_the_rule(tab, slug)
    await visitor.org.until(lambda: visitor.org.all_sent("INC-1"))
    await tab.open(f"/{slug}/inbox")
    for name in PEOPLE[:4]:
        # Whoever was handed the command is told of that as well.
        await expect(page.get_by_text(f"To {name} · Email", exact=True)).to_have_count(2 if name == "Ben Beta" else 1)
    await expect(page.get_by_text("To Eli Epsilon · Email", exact=True)).to_have_count(0)


async def _make_contacts(tab: Tab, slug: str) -> None:
    page = tab.page
    for name in PEOPLE:
        await tab.open(f"/{slug}/contacts/individuals")
        form = page.locator("form.card")
        await form.get_by_label("Name").fill(name)
        await form.get_by_label("Email").fill(f"{name.split()[0].lower()}@example.org")
        await form.get_by_label("Terms").fill("Credential Leak" if name == "Dee Delta" else "")
        await form.get_by_role("button", name="Add individual").click()
        await expect(page.get_by_text(f"{name} was added.")).to_be_visible()
    await tab.open(f"/{slug}/contacts/teams")
    await page.get_by_label("Name").fill("Team Payments")
    await page.get_by_label("Members").fill("Ana Alpha\nBen Beta")
    await page.get_by_role("button", name="Add team").click()
    await tab.arrive(rf"/{slug}/contacts/teams/.*")
    await tab.open(f"/{slug}/contacts/on-call")
    await page.get_by_label("Name").fill("Ledger")
    await page.get_by_role("button", name="Add on-call service").click()
    await page.get_by_role("link", name="Add a layer").click()
    await page.get_by_label("Who takes turns").fill("Cai Gamma")
    await page.get_by_role("button", name="Add layer").click()
    await expect(page.locator("#main")).to_contain_text("Cai Gamma is on call")


async def _make_rule(tab: Tab, slug: str) -> None:
    page, sentence = tab.page, tab.page.locator(".sentence")
    await tab.open(f"/{slug}/settings/engagement/rules/new")
    await page.get_by_label("Name").fill("Severe payments")
    await page.get_by_role("radio", name="High").check()
    await page.get_by_role("button", name="Add condition").click()
    await page.get_by_label("Tags, separated by commas").fill("payments")
    await sentence.filter(has_text="and any tag is payments").wait_for()
    await page.get_by_label("Team", exact=True).select_option(label="Team Payments")
    await page.get_by_role("button", name="Add team").click()
    await page.get_by_role("button", name="Remove Team Payments").wait_for()
    await page.get_by_label("Whoever is on call for").select_option(label="Ledger")
    await page.get_by_role("button", name="Add on-call").click()
    await page.get_by_role("button", name="Remove Ledger").wait_for()
    await sentence.filter(has_text="engage Team Payments and whoever is on call for Ledger, as responders.").wait_for()
    await page.get_by_role("button", name="Save rule").last.click()
    await tab.arrive(rf"/{slug}/settings/engagement/rules/.*\?done=saved")


async def _make_policy(tab: Tab, slug: str) -> None:
    page = tab.page
    await tab.open(f"/{slug}/settings/engagement/roles/policies/new")
    await page.get_by_label("Name").fill("Grave ones")
    await page.get_by_role("radio", name="High").check()
    await page.get_by_label("On-call service").select_option(label="Ledger")
    await page.locator(".sentence").filter(has_text="the commander is whoever is on call for Ledger.").wait_for()
    await page.get_by_role("button", name="Save policy").last.click()
    await tab.arrive(rf"/{slug}/settings/engagement/roles\?done=saved")


async def _report(tab: Tab, slug: str) -> None:
    page = tab.page
    await tab.open(f"/{slug}/incidents/report")
    await page.get_by_label("Title").fill("Checkout refuses cards")
    await page.get_by_label("Severity").select_option(label="High")
    await page.get_by_label("Tags").fill("Payments")
    await page.get_by_role("button", name="Report incident").click()
    await tab.arrive(f"/{slug}/incidents/INC-1/receipt")
    await expect(page.locator("#receipt")).to_contain_text("Ana Alpha")
    await page.get_by_role("link", name="Go to the incident").click()
    await tab.arrive(f"/{slug}/incidents/INC-1")


async def _see_why_and_why_not(tab: Tab, slug: str) -> None:
    page = tab.page
    for name, said in (
        ("Ana Alpha", "It holds: when severity is at least High and any tag is payments"),
        ("Dee Delta", "None of Dee Delta's terms occurs"),
        ("Eli Epsilon", "has no terms and no rule is about them"),
    ):
        await tab.open(f"/{slug}/incidents/INC-1/why")
        await page.get_by_label("Person").fill(name)
        await page.get_by_role("button", name="Explain").click()
        await expect(page.get_by_role("main")).to_contain_text(said)
        await tab.check()


async def _edit_after_a_look(tab: Tab, slug: str) -> None:
    page, edit = tab.page, f"/{slug}/incidents/INC-1/edit"
    await tab.open(edit)
    await page.get_by_label("Title").fill("Checkout refuses cards after a credential-leak")
    await page.get_by_role("button", name="See whom this adds").click()
    await tab.arrive(f"{edit}/preview")
    await expect(page.get_by_role("region", name="1 person would come in")).to_contain_text("Dee Delta")
    await page.get_by_role("button", name="Save changes").click()
    await tab.arrive(f"/{slug}/incidents/INC-1")


async def _hand_over(tab: Tab) -> None:
    page = tab.page
    person = _person(page.locator("#people"), "Olive Owner")
    await person.get_by_label("More about Olive Owner").click()
    await person.get_by_label("What Olive Owner should know").fill("Cards are refused since noon.")
    await person.get_by_role("button", name="Make commander").click()
    await expect(page.locator("#work")).to_contain_text("made Olive Owner commander")
    await expect(page.locator("#work")).to_contain_text("Cards are refused since noon.")
    # Whoever commands cannot go before somebody else does.
    await expect(page.locator("#people").get_by_role("button", name="Leave", exact=True)).to_have_count(0)
    await page.get_by_text("Hand over, or leave").click()
    await page.get_by_label("New commander").fill("Ben Beta")
    await page.get_by_role("button", name="Hand over").click()
    await expect(page.locator("#work")).to_contain_text("made Ben Beta commander")


async def _say_not_relevant_and_follow(tab: Tab) -> None:
    people = tab.page.locator("#people")
    await people.get_by_text("Leave, or not relevant to you").click()
    await people.get_by_role("button", name="Not relevant to me").click()
    await expect(people.locator("#people-gone")).to_contain_text("1 no longer here")
    await people.get_by_role("button", name="Follow", exact=True).click()
    await expect(people.get_by_role("button", name="Unfollow")).to_be_visible()
    await tab.check()


async def _tell_the_rule(tab: Tab, slug: str) -> None:
    await tab.open(f"/{slug}/settings/engagement")
    await expect(tab.page.locator(".rules")).to_contain_text("Matched 1 incident")


def _person(people: Locator, name: str) -> Locator:
    return people.locator("li[id^=person-]").filter(has=people.page.get_by_text(re.compile(rf"^\s*{name}\b")))
