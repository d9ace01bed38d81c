"""A role policy is written in the browser, moved, and chooses; the commander hands over with a note (E9)."""

import pytest

from tests.support.chromium import Visitor

pytestmark = pytest.mark.feature("E9")


async def test_a_policy_is_written_moved_and_chooses(visitor: Visitor) -> None:
    org = visitor.org
    await org.individual("Kai Okafor")
    await org.post("/oncall-services", {"name": "Ledger"})
    tab = await visitor.tab()
    page, here = tab.page, f"/{org.slug}/settings/engagement/roles"
    sentence = page.locator(".sentence")
    await tab.open(f"/{org.slug}/settings/engagement")
    await page.get_by_role("navigation", name="Engagement").get_by_role("link", name="Roles").click()
    await tab.arrive(here)
    await page.get_by_label("Name").fill("Scribe")
    await page.get_by_role("button", name="Make role").click()
    await tab.arrive(f"{here}\\?done=made")
    await page.get_by_role("link", name="Write the first policy").click()
    await tab.arrive(f"{here}/policies/new")
    await page.get_by_label("Name").fill("Grave ones")
    await page.get_by_role("radio", name="High").check()
    await sentence.filter(has_text="When severity is at least High, the commander is whoever is on call for ….").wait_for()
    await page.get_by_label("On-call service").select_option(label="Ledger")
    await sentence.filter(has_text="the commander is whoever is on call for Ledger.").wait_for()
    await page.get_by_role("button", name="Add condition").click()
    await page.get_by_label("Tags, separated by commas").fill("payments")
    await sentence.filter(has_text="and any tag is payments").wait_for()
    await tab.check()
    await page.get_by_role("button", name="Save policy").last.click()
    await tab.arrive(f"{here}\\?done=saved")
    await page.get_by_role("link", name="New policy").click()
    await page.get_by_label("Name").fill("Kai leads")
    await page.get_by_role("radio", name="High").check()
    await page.get_by_role("radio", name="Always the same person").check()
    await page.get_by_label("Person", exact=True).fill("kai okafor")
    await sentence.filter(has_text="the commander is kai okafor.").wait_for()
    await tab.check()
    await page.get_by_role("button", name="Save policy").last.click()
    await tab.arrive(f"{here}\\?done=saved")
    await page.get_by_role("button", name="Ask Kai leads earlier").click()
    await page.get_by_role("button", name="Ask Grave ones earlier").wait_for()
    assert (await page.locator(".rule-name").all_inner_texts()) == ["Kai leads", "Grave ones"]
    await tab.check()
    incident = await org.report("Odd", severity="High", tags=["payments"])
    assert incident["commander"]["name"] == "Kai Okafor"


async def test_the_pages_fit_a_small_screen(visitor: Visitor) -> None:
    org = visitor.org
    when = {"all": [{"attribute": "tag", "operator": "is", "values": ["x" * 60]}]}
    for name in ("One", "Two"):
        body = {"name": name, "role": "commander", "when": when, "assignee": {"individual": "Olive Owner"}}
        made = await org.post("/role-policies", body)
    await org.post("/incident-roles", {"name": "S" * 60})
    tab = await visitor.tab(viewport={"width": 390, "height": 844})
    for path in ("", "/policies/new", f"/policies/{made['id']}"):
        await tab.open(f"/{org.slug}/settings/engagement/roles{path}")
        assert not await tab.overflows(), path


async def test_the_commander_hands_over_with_a_note(visitor: Visitor) -> None:
    org = visitor.org
    ben = await org.individual("Ben")
    incident = await org.report("Queue grows")
    await org.post(f"/incidents/{incident['id']}/participants", {"individual": ben["id"]})
    tab = await visitor.tab()
    page = tab.page
    await tab.open(f"/{org.slug}/incidents/INC-1")
    await page.get_by_text("Hand over, or leave").click()
    await page.get_by_label("New commander").fill("Ben")
    await page.get_by_label("What they should know optional").fill("The queue is yours.")
    await tab.check()
    await page.get_by_role("button", name="Hand over").click()
    await page.get_by_text("made Ben commander").wait_for()
    await page.get_by_text("The queue is yours.").wait_for()
    await page.get_by_text("Leave, or not relevant to you").wait_for()
    await tab.check()
