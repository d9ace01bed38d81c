"""Responding: the status line, the commander, the timeline and the channel."""

import re

import pytest
from playwright.async_api import expect

from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("L1")
async def test_an_incident_goes_through_stable_to_closed_and_back(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.report("Queue grows")
    here = f"/{visitor.org.slug}/incidents/INC-1"
    await tab.open(here)
    now = tab.page.locator("#incident-head [aria-current=step]")
    for button, status in (("Move to Fixing", "Fixing"), ("Move to Monitoring", "Monitoring"), ("Mark stable", "Stable")):
        await tab.page.get_by_role("button", name=button).click()
        await expect(now).to_contain_text(status)
    await tab.page.get_by_text("Change status").click()
    await tab.check()
    await tab.page.get_by_role("button", name="Back to Fixing").click()
    await expect(now).to_contain_text("Fixing")
    await tab.page.get_by_text("Change status").click()
    await tab.page.get_by_role("button", name="Mark stable").click()

    await tab.page.get_by_role("link", name="Close incident").click()
    await tab.arrive(rf"{here}/transitions\?to=closed")
    await tab.page.get_by_role("link", name="Keep it as it is").click()
    await tab.arrive(here)
    await expect(now).to_contain_text("Stable")
    await tab.page.get_by_role("link", name="Close incident").click()
    await tab.page.get_by_label("Reason").fill("The consumer was restarted.")
    await tab.page.get_by_role("button", name="Close incident").click()
    await tab.arrive(here)
    await expect(now).to_contain_text("Closed")
    await expect(tab.page.locator("#timeline")).to_contain_text("The consumer was restarted.")
    await expect(tab.page.locator("#incident-head time[data-since]")).to_have_count(0)

    await tab.page.get_by_role("button", name="Reopen").click()
    await expect(now).to_contain_text("Investigating")
    await expect(tab.page.locator("#incident-head time[data-since]")).to_have_count(1)


@pytest.mark.feature("L1")
async def test_what_ends_an_incident_for_good_is_asked_with_a_reason(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.report("Not much")
    await visitor.org.report("The real one")
    here = f"/{visitor.org.slug}/incidents/INC-1"
    await tab.open(here)
    for name in ("Decline…", "Cancel…", "Merge into another…"):
        await tab.page.get_by_text("Change status").click()
        await tab.page.get_by_role("link", name=name).click()
        await tab.arrive(rf"{here}/transitions\?to=\w+")
        await tab.page.get_by_role("link", name="Keep it as it is").click()
    await tab.page.goto(f"{tab.base_url}{here}/transitions?to=merged")
    await tab.page.get_by_label("Merge into").select_option(label="INC-2 The real one")
    await tab.page.get_by_role("button", name="Merge incident").click()
    await expect(tab.page.locator("#incident-head [aria-current=step]")).to_contain_text("Merged")
    await expect(tab.page.get_by_text("Change status")).to_have_count(0)


@pytest.mark.feature("E9", "L11")
async def test_commander_and_timeline(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.individual("Kai Okafor", "queue")
    await visitor.org.report("Queue grows")
    await tab.open(f"/{visitor.org.slug}/incidents/INC-1")
    await tab.page.get_by_label("More about Kai Okafor").click()
    await tab.check()
    await tab.page.get_by_role("button", name="Make commander").click()
    await expect(tab.page.locator("#incident-head .facts")).to_contain_text("Kai Okafor")

    await tab.page.get_by_label("Add to the timeline").fill("The **consumer** hangs.")
    await tab.page.get_by_role("button", name="Add", exact=True).first.click()
    first = tab.page.locator("#timeline li[id^=entry-]").first
    await expect(first).to_contain_text("Olive Owner: The consumer hangs.")
    await expect(first.locator("strong", has_text="consumer")).to_be_visible()
    await expect(tab.page.get_by_label("Add to the timeline")).to_have_value("")


@pytest.mark.feature("L11", "R3")
async def test_what_is_half_typed_stays_until_enter_sends_it(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.report("Queue grows")
    here = f"/{visitor.org.slug}/incidents/INC-1"
    note, message = tab.page.get_by_label("Add to the timeline"), tab.page.get_by_label("Message to the channel")
    await tab.open(here)
    await note.press_sequentially("half a note")
    await tab.page.get_by_role("button", name="Move to Fixing").click()
    await expect(tab.page.locator("#incident-head [aria-current=step]")).to_contain_text("Fixing")
    await expect(note).to_have_value("half a note")
    await tab.page.get_by_role("link", name="Channel", exact=True).first.click()
    await expect(message).to_have_value("")
    await message.press_sequentially("half a message")
    await tab.page.get_by_role("link", name="Timeline", exact=True).click()
    await note.press("Shift+Enter")
    await note.press_sequentially("and the rest")
    await note.press("Enter")
    await expect(tab.page.locator("#timeline li[id^=entry-]").first).to_contain_text("and the rest")
    await expect(note).to_have_value("")
    await tab.open(f"{here}?tab=channel")
    await expect(message).to_have_value("half a message")
    await tab.open(here)
    await expect(note).to_have_value("")


@pytest.mark.feature("E9")
async def test_the_menu_of_the_last_person_opens_where_there_is_room(visitor: Visitor) -> None:
    for number in range(12):
        await visitor.org.individual(f"Person {number:02}", "queue")
    await visitor.org.report("Queue grows")
    tab = await visitor.tab(viewport={"width": 1360, "height": 800})
    await tab.open(f"/{visitor.org.slug}/incidents/INC-1")
    last = tab.page.locator("#people details.more").last
    await expect(tab.page.locator("#people details.more")).to_have_count(13)
    await last.scroll_into_view_if_needed()
    await last.locator("summary").click()
    panel = last.locator(".menu-panel")
    await expect(panel).to_be_in_viewport(ratio=1)
    step = tab.page.locator("#incident-head [aria-current=step]")
    assert await step.evaluate("(step) => step.clientHeight < 2 * parseFloat(getComputedStyle(step).lineHeight)")


@pytest.mark.feature("E6")
async def test_why_someone_is_here_or_not(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.individual("Kai Okafor", "queue")
    await visitor.org.individual("Mei Lindqvist", "invoice")
    visitor.expected.add(422)
    await visitor.org.report("The queue grows")
    await visitor.org.patch("/incidents/INC-1", {"title": "All is well"})
    await tab.open(f"/{visitor.org.slug}/incidents/INC-1")
    await tab.page.get_by_label("More about Kai Okafor").click()
    await tab.page.get_by_role("link", name="Why is Kai Okafor here?").click()
    await tab.arrive(rf"/{visitor.org.slug}/incidents/INC-1/why\?individual=[\w-]+")
    # The title as it read when it matched, with the span marked.
    await expect(tab.page.locator(".quote")).to_have_text("The queue grows")
    await expect(tab.page.locator(".quote mark")).to_have_text("queue")

    await expect(tab.page.get_by_label("Person")).to_have_value(re.compile("^Kai Okafor <kai"))
    await tab.page.get_by_label("Person").fill("Nobody")
    await tab.page.get_by_role("button", name="Explain").click()
    await expect(tab.page.locator("#error-individual")).to_contain_text("Nobody here is called Nobody.")
    await tab.check()
    await tab.page.get_by_label("Person").fill("mei lindqvist")
    await tab.page.get_by_role("button", name="Explain").click()
    await expect(tab.page.get_by_role("heading", name="Mei Lindqvist is not engaged")).to_be_visible()
    await expect(tab.page.locator("main")).to_contain_text("None of Mei Lindqvist's terms occurs")
    await tab.check()


@pytest.mark.feature("R3")
async def test_a_message_is_seen_at_once_in_another_tab(visitor: Visitor, tab: Tab) -> None:
    await visitor.org.report("Queue grows")
    await tab.open(f"/{visitor.org.slug}/incidents/INC-1?tab=channel")
    other = await visitor.tab(tab.page.context)
    await other.open(f"/{visitor.org.slug}/incidents/INC-1?tab=channel")
    await other.page.get_by_label("Message to the channel").fill("half typed")

    await tab.page.get_by_label("Message to the channel").fill("Restarting it *now*.")
    await tab.page.get_by_role("button", name="Send").click()
    await expect(tab.page.get_by_role("log")).to_contain_text("Restarting it now.")
    await expect(tab.page.get_by_label("Message to the channel")).to_have_value("")
    await expect(other.page.get_by_role("log")).to_contain_text("Restarting it now.")
    await expect(other.page.get_by_label("Message to the channel")).to_have_value("half typed")
    await expect(other.page.get_by_role("log")).to_contain_text("only you can see this")
