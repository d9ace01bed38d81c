"""Pages that are open while their reader loses the right to them."""

import re

import pytest
from playwright.async_api import expect

from services.accounts import repository
from tests.accounts.members import Member, member
from tests.support.chromium import Tab, Visitor

PASSWORD = "seven quiet herons wait"


async def come_in(visitor: Visitor, mia: Member, path: str) -> Tab:
    """A tab in which Mia is signed in, at this page of the organization."""
    tab = await visitor.tab(await visitor.window(signed_in=False))
    await tab.open(f"/{visitor.org.slug}/sign-in?next=/{visitor.org.slug}{path}")
    await sign_in(tab, mia)
    await tab.arrive(re.escape(f"/{visitor.org.slug}{path}"))
    return tab


async def sign_in(tab: Tab, mia: Member) -> None:
    await tab.page.get_by_label("Address").fill(mia.email)
    await tab.page.get_by_label("Password").fill(PASSWORD)
    await tab.page.get_by_role("button", name="Sign in").click()


@pytest.mark.feature("L11", "O1")
async def test_what_was_typed_outlives_the_session(visitor: Visitor) -> None:
    org, database = visitor.org, visitor.muster.muster.database
    await org.report("Queue grows")
    async with member(visitor.muster, org, password=PASSWORD) as mia:
        tab = await come_in(visitor, mia, "/incidents/INC-1")
        note = tab.page.get_by_label("Add to the timeline")
        await note.fill("The consumer hangs.")
        async with database.write((await org.get("/me"))["organization"]["id"]) as session:
            await repository.end(session, mia.account, "session")
        await tab.page.get_by_role("button", name="Add", exact=True).first.click()
        await tab.arrive(rf"/{org.slug}/sign-in\?next=%2F{org.slug}%2Fincidents%2FINC-1")
        await expect(tab.page.get_by_role("status")).to_have_text("You were signed out. Sign in to go on.")
        await sign_in(tab, mia)
        await tab.arrive(f"/{org.slug}/incidents/INC-1")
        await expect(note).to_have_value("The consumer hangs.")
        await tab.page.get_by_role("button", name="Add", exact=True).first.click()
        await expect(tab.page.locator("#timeline")).to_contain_text("The consumer hangs.")


@pytest.mark.feature("R7", "O6")
async def test_an_open_page_shows_nothing_more_to_who_may_not_see_it(visitor: Visitor) -> None:
    org = visitor.org
    visitor.expected |= {401, 404}
    await org.report("Salaries leaked", visibility="restricted")
    async with member(visitor.muster, org, password=PASSWORD) as mia:
        await org.post("/incidents/INC-1/participants", {"individual": mia.individual})
        tab = await come_in(visitor, mia, "/incidents/INC-1")
        await expect(tab.page.get_by_role("heading", name="Salaries leaked")).to_be_visible()
        assert (await org.api.delete(f"/incidents/INC-1/participants/{mia.individual}")).is_success
        await expect(tab.page.get_by_role("heading", name="Not found")).to_be_visible()
        await expect(tab.page.get_by_text("Salaries leaked")).to_have_count(0)

        await org.report("Queue grows")
        await tab.open(f"/{org.slug}/incidents/INC-2")
        await org.patch(f"/members/{mia.account}", {"active": False})
        await org.post("/incidents/INC-2/timeline", {"text": "Nobody else needs to know."})
        await tab.arrive(rf"/{org.slug}/sign-in\?next=%2F{org.slug}%2Fincidents%2FINC-2")
