"""The report form, as people under stress meet it."""

import asyncio
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from tests.support.chromium import Tab, Visitor


@pytest.mark.feature("R1", "R3")
async def test_the_form_works_without_javascript(visitor: Visitor) -> None:
    tab = await visitor.tab(java_script_enabled=False)
    visitor.expected.add(422)
    await tab.page.goto(f"{tab.base_url}/incidents/report?title=+&severity=high")
    await tab.page.get_by_label("What is happening").fill("It *smells* burnt.\nSince noon.")
    await tab.page.get_by_role("button", name="Report incident").click()

    await expect(tab.page.get_by_role("alert")).to_contain_text("Say in a few words what is wrong.")
    await expect(tab.page.get_by_label("What is happening")).to_have_value("It *smells* burnt.\nSince noon.")
    await expect(tab.page.get_by_label("Severity")).to_have_value("High")
    await tab.page.get_by_label("Title").fill("Smoke in the server room")
    await tab.page.get_by_role("button", name="Report incident").click()
    await tab.page.wait_for_url("**/incidents/INC-1/receipt")
    assert (await visitor.org.get("/incidents/INC-1"))["description"] == "It *smells* burnt.\nSince noon."
    # Without scripts the receipt loads itself again until it is complete.
    await expect(tab.page.get_by_text("The response is under way.")).to_be_visible()


@pytest.mark.feature("R1")
async def test_a_link_fills_the_form_in(visitor: Visitor, tab: Tab) -> None:
    kai = await visitor.org.individual("Kai Okafor")
    asked = {
        "title": "Queue grows",
        "description": "Line one\nline two",
        "severity": "critical",
        "type": "Degraded service",
        "priority": "Low",
        "project": "Default",
        "tags": "queue, eu-west-1",
        "commander": kai["email"],
        "visibility": "restricted",
        "mode": "practice",
    }
    await tab.open(f"/{visitor.org.slug}/incidents/report?{urlencode(asked)}")
    for label in ("Title", "Type", "Priority", "Project", "Tags"):
        await expect(tab.page.get_by_label(label, exact=label != "Tags")).to_have_value(asked[label.lower()])
    await expect(tab.page.get_by_label("Commander", exact=False)).to_have_value(f"Kai Okafor <{kai['email']}>")
    await tab.page.get_by_role("button", name="Report incident").click()
    await tab.arrive(f"/{visitor.org.slug}/incidents/INC-1/receipt")

    made = await visitor.org.get("/incidents/INC-1")
    assert (made["severity"]["name"], made["mode"], made["visibility"]) == ("Critical", "practice", "restricted")
    assert made["tags"] == ["queue", "eu-west-1"]
    await visitor.org.until(lambda: _commands(visitor, "Kai Okafor"))


@pytest.mark.feature("R4")
async def test_a_double_click_is_one_incident(visitor: Visitor, tab: Tab) -> None:
    await tab.open(f"/{visitor.org.slug}/incidents/report")
    await tab.page.get_by_label("Title").fill("Once")
    await tab.page.get_by_role("button", name="Report incident").dblclick()
    await tab.arrive(f"/{visitor.org.slug}/incidents/INC-1/receipt")
    assert len((await visitor.org.get("/incidents"))["data"]) == 1


@pytest.mark.feature("R4")
async def test_the_same_form_sent_twice_at_once_is_one_incident(visitor: Visitor, tab: Tab) -> None:
    await tab.open(f"/{visitor.org.slug}/incidents/report")
    await tab.page.get_by_label("Title").fill("Once")
    addresses = await asyncio.gather(*(_send(tab.page) for _ in range(2)))
    assert addresses == [f"{tab.base_url}/{visitor.org.slug}/incidents/INC-1/receipt"] * 2
    assert len((await visitor.org.get("/incidents"))["data"]) == 1


async def _send(page: Page) -> str:
    return str(
        await page.evaluate(
            """async () => {
              const form = document.querySelector("form.card");
              const body = new URLSearchParams(new FormData(form));
              return (await fetch(form.action, { method: "POST", body })).url;
            }"""
        )
    )


async def _commands(visitor: Visitor, name: str) -> bool:
    commander = (await visitor.org.get("/incidents/INC-1"))["commander"]
    return bool(commander and commander["name"] == name)
