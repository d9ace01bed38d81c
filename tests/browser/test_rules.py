"""A rule is written in the browser: what one chooses becomes a sentence, and nothing jumps (E3)."""

import pytest

from tests.support.chromium import Visitor

pytestmark = pytest.mark.feature("E3")


async def test_a_rule_is_written_and_reads_as_a_sentence(visitor: Visitor) -> None:
    org = visitor.org
    await org.individual("Kai Okafor")
    await org.post("/teams", {"name": "Team Payments"})
    await org.post("/oncall-services", {"name": "Ledger"})
    tab = await visitor.tab()
    page, here = tab.page, f"/{org.slug}/settings/engagement"
    sentence = page.locator(".sentence")
    await tab.open(here)
    await page.get_by_role("link", name="Write the first rule").click()
    await tab.arrive(f"{here}/rules/new")
    await page.get_by_label("Name").fill("Severe payments")
    await page.get_by_role("radio", name="High").check()
    await sentence.filter(has_text="severity is at least High").wait_for()
    await page.get_by_role("button", name="Add condition").click()
    await page.get_by_label("Tags, separated by commas").fill("payments")
    await sentence.filter(has_text="and any tag is payments").wait_for()
    await page.get_by_role("button", name="Add group").click()
    group = page.get_by_role("group", name="Group of conditions")
    await group.get_by_label("What the next condition is on").select_option(label="Type")
    await group.get_by_role("button", name="Add condition").click()
    await group.get_by_role("checkbox", name="Security").check()
    await group.get_by_role("checkbox", name="Data loss").check()
    await sentence.filter(has_text="and type is Security or Data loss, engage …").wait_for()
    await page.get_by_label("Team", exact=True).select_option(label="Team Payments")
    await page.get_by_role("button", name="Add team").click()
    await page.get_by_role("button", name="Remove Team Payments").wait_for()
    await page.get_by_label("Whoever is on call for").select_option(label="Ledger")
    await page.get_by_role("button", name="Add on-call").click()
    await page.get_by_role("button", name="Remove Ledger").wait_for()
    await page.get_by_label("Person").fill("kai okafor")
    await page.get_by_role("button", name="Add person").click()
    await page.get_by_role("button", name="Remove Kai Okafor").wait_for()
    await sentence.filter(has_text="Ledger and Kai Okafor, as responders.").wait_for()
    await tab.check()
    # What stands outside of what the server draws anew was kept.
    assert await page.get_by_label("Name").input_value() == "Severe payments"
    await page.get_by_role("button", name="Remove Kai Okafor").click()
    await sentence.filter(has_text="engage Team Payments and whoever is on call for Ledger, as responders.").wait_for()
    await page.get_by_role("button", name="Save rule").last.click()
    await tab.arrive(f"{here}/rules/.*\\?done=saved")
    await page.get_by_role("region", name="No incident of the last 90 days would have matched").wait_for()
    await tab.check()
    await tab.open(here)
    said = "When severity is at least High and any tag is payments and type is Security or Data loss, engage Team Payments"
    assert said in (await page.locator(".rules").inner_text())


async def test_one_goes_on_typing_while_the_server_looks(visitor: Visitor) -> None:
    tab = await visitor.tab(viewport={"width": 390, "height": 844})
    page = tab.page
    await tab.open(f"/{visitor.org.slug}/settings/engagement/rules/new")
    await page.get_by_role("button", name="Add condition").click()
    # The new condition is where one goes on, by keyboard as well.
    await page.locator("#n2-operator:focus").wait_for()
    await page.keyboard.press("Tab")
    await page.keyboard.type("payments, ledger, invoices and everything else", delay=30)
    await page.locator(".sentence", has_text="any tag is payments, ledger or invoices and everything else").wait_for()
    assert await page.evaluate("document.activeElement.name") == "n2_values"
    await page.get_by_role("button", name="Remove the condition on severity").click()
    await page.locator(".sentence", has_text="When any tag is payments").wait_for()
    assert await page.get_by_label("Tags, separated by commas").input_value() == "payments, ledger, invoices and everything else"
    await tab.check()
    assert not await tab.overflows()
    visitor.expected = {422}
    await page.get_by_role("button", name="Add group").click()
    await page.get_by_role("group", name="Group of conditions").wait_for()
    await page.get_by_label("Name").fill("Payments")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").wait_for()
    await tab.check()
    assert "There is no condition in this group." in await page.get_by_role("alert").inner_text()
    assert await page.get_by_label("Tags, separated by commas").input_value() == "payments, ledger, invoices and everything else"
