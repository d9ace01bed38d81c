"""A crowd is held back: the page asks, keeps what was ticked while it changes, and brings in who was chosen (E7)."""

import pytest
from playwright.async_api import expect

from tests.lifecycle.crowds import CROWD, crowd, held, inside
from tests.support.chromium import Tab, Visitor
from tests.support.running import RunningMuster


@pytest.mark.feature("E7", "I4")
async def test_the_commander_ticks_who_comes_in(front: RunningMuster, visitor: Visitor, tab: Tab) -> None:
    people = await crowd(front, visitor.org)
    incident = await held(visitor.org)
    page = tab.page
    await tab.open(f"/{visitor.org.slug}/incidents/{incident['reference']}")
    question = page.get_by_role("region", name=f"Bring in {CROWD} more people?")
    await expect(question).to_be_visible()
    await tab.check()
    for name in ("Person 03", "Person 07"):
        await question.get_by_label(name).check()
    # One more is found: the question grows under the reader's hands.
    await visitor.org.individual("Zoe", "valve")
    await visitor.org.patch(f"/incidents/{incident['id']}", {"title": "The pump and the valve failed"})
    question = page.get_by_role("region", name=f"Bring in {CROWD + 1} more people?")
    await expect(question.get_by_label("Zoe")).to_be_visible()
    await expect(question.get_by_label("Person 07")).to_be_checked()
    await question.get_by_role("button", name="Only those I tick").click()
    await expect(page.locator("#people")).to_contain_text("Person 07")
    await expect(page.locator("#question section")).to_have_count(0)

    async def came() -> bool:
        return {people[3], people[7]} < await inside(visitor.org, incident)

    await visitor.org.until(came)
    assert len(await inside(visitor.org, incident)) == 3
    await tab.check()


@pytest.mark.feature("E9")
async def test_a_commander_hands_over_with_a_note(visitor: Visitor, tab: Tab) -> None:
    kai = await visitor.org.individual("Kai Okafor")
    incident = await visitor.org.report("Queue grows")
    await visitor.org.post(f"/incidents/{incident['id']}/participants", {"individual": kai["id"]})
    page = tab.page
    await tab.open(f"/{visitor.org.slug}/incidents/{incident['reference']}")
    await page.get_by_label("More about Kai Okafor").click()
    await page.get_by_label("What Kai Okafor should know").fill("The logs are on disk 3")
    await tab.check()
    await page.get_by_role("button", name="Make commander").click()
    await expect(page.locator("#work")).to_contain_text("made Kai Okafor commander")
    await expect(page.locator("#work")).to_contain_text("The logs are on disk 3")
