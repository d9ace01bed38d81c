"""Several organizations in one browser (O2)."""

import re

import pytest
from playwright.async_api import expect

from tests.accounts.members import member
from tests.support.chromium import Tab, Visitor
from workflows.domain.policy import Role

PASSWORD = "seven quiet herons wait"


async def fill_in(tab: Tab, email: str) -> None:
    await tab.page.get_by_label("Address").fill(email)
    await tab.page.get_by_label("Password").fill(PASSWORD)
    await tab.page.get_by_role("button", name="Sign in").click()


@pytest.mark.feature("O3")
async def test_a_password_can_be_read_until_it_is_sent(visitor: Visitor) -> None:
    tab = await visitor.tab(await visitor.window(signed_in=False))
    visitor.expected.add(401)
    await tab.open(f"/{visitor.org.slug}/sign-in")
    field, toggle = tab.page.get_by_label("Password"), tab.page.get_by_role("button", name="Show password")
    await tab.page.get_by_label("Address").fill("ana@x.example")
    await field.fill("not this one")
    for shown in ("text", "password", "text"):
        await toggle.click()
        await expect(field).to_have_attribute("type", shown)
    await tab.check()
    await tab.page.get_by_role("button", name="Sign in").click()
    await expect(tab.page.get_by_role("alert")).to_contain_text("do not go together")
    await expect(tab.page.get_by_label("Address")).to_have_value("ana@x.example")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("type", "password")


@pytest.mark.feature("O1", "O2")
async def test_two_organizations_side_by_side(visitor: Visitor) -> None:
    here, muster = visitor.org, visitor.muster
    there = await muster.organization()
    async with member(muster, there, "Mia Elsewhere", Role.MEMBER, password=PASSWORD) as mia:
        await here.report("Ours is down")
        await there.report("Theirs is down")
        window = await visitor.window()
        first, second = await visitor.tab(window), await visitor.tab(window)

        await second.open(f"/{here.slug}")
        await second.page.get_by_text("Olive Owner").first.click()
        await second.page.get_by_role("link", name="+ Add organization").click()
        await second.arrive(r"/sign-in\?add=true")
        await expect(second.page.get_by_text("as Olive Owner")).to_be_visible()
        await second.page.get_by_label("Organization").fill(there.slug)
        await second.page.get_by_role("button", name="Go on").click()
        await second.arrive(f"/{there.slug}/sign-in")
        await second.page.get_by_label("Address").fill(mia.email)
        await second.page.get_by_label("Password").fill("not this one")
        visitor.expected.add(401)
        await second.page.get_by_role("button", name="Sign in").click()
        await expect(second.page.get_by_role("alert")).to_contain_text("do not go together")
        await expect(second.page.get_by_label("Address")).to_have_value(mia.email)
        await second.check()
        await fill_in(second, mia.email)
        await second.arrive(f"/{there.slug}")

        # One click leads from one to the other, and both stay live.
        await second.page.get_by_text("Mia Elsewhere").first.click()
        await expect(second.page.locator(".side .menu-panel a[aria-current=true]")).to_have_css("font-weight", "650")
        await second.check()
        await second.page.get_by_role("link", name=re.compile(f"^{here.slug.capitalize()}")).last.click()
        await second.arrive(f"/{here.slug}")
        await second.open(f"/{there.slug}/incidents/INC-1")
        await first.open(f"/{here.slug}/incidents/INC-1")
        await here.post("/incidents/INC-1/timeline", {"text": "said in ours"})
        await there.post("/incidents/INC-1/timeline", {"text": "said in theirs"})
        await expect(first.page.locator("#timeline")).to_contain_text("said in ours")
        await expect(second.page.locator("#timeline")).to_contain_text("said in theirs")
        await expect(first.page.locator("#timeline")).not_to_contain_text("said in theirs")

        # Signing out of one leaves the other as it was.
        await second.page.get_by_text("Mia Elsewhere").first.click()
        await second.page.get_by_role("button", name="Sign out").click()
        await second.arrive(rf"/{there.slug}/sign-in\?signed_out=true")
        await expect(second.page.get_by_text(f"You are signed out of {there.slug}.")).to_be_visible()
        await expect(second.page.get_by_role("link", name=here.slug.capitalize())).to_be_visible()
        await first.page.get_by_label("Add to the timeline").fill("still here")
        await first.page.get_by_role("button", name="Add", exact=True).first.click()
        await expect(first.page.locator("#timeline")).to_contain_text("still here")

        # A link into the organization that was left asks for that sign-in, and goes on there.
        await second.page.goto(f"{second.base_url}/{there.slug}/incidents/INC-1?tab=channel")
        await second.arrive(rf"/{there.slug}/sign-in\?next=.*")
        await fill_in(second, mia.email)
        await second.arrive(rf"/{there.slug}/incidents/INC-1\?tab=channel")
    await there.api.aclose()
