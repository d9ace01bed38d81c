"""Signing in by a real, certified OpenID Connect provider, in a real browser (O3)."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.accounts.members import member
from tests.support.chromium import Tab, Visitor
from tests.support.oidc_provider import RealProvider, oidc_provider

PEOPLE: Final[dict[str, dict[str, Any]]] = {
    "mia": {"email": "Mia@People.Example", "email_verified": True, "name": "Mia at Example"},
    "new": {"email": "new@people.example", "email_verified": True, "name": "Nele New"},
    "unsure": {"email": "mia@people.example", "email_verified": False, "name": "Not Mia"},
}


@pytest.fixture
async def provider(visitor: Visitor) -> AsyncIterator[RealProvider]:
    """A provider that the visitor's organization is a client of."""
    async with oidc_provider([f"{visitor.muster.base_url}/{visitor.org.slug}/sign-in/callback"], PEOPLE) as running:
        visitor.friends.add(running.issuer)
        yield running


async def use(visitor: Visitor, provider: RealProvider, **more: Any) -> None:
    answer = await visitor.org.api.put("/sign-in-provider", json=provider.setting(**more))
    assert answer.status_code == 200, answer.text


async def sign_in_there(page: Page, login: str) -> None:
    """Say at the provider who it is."""
    await page.fill("[name=login]", login)
    await page.get_by_role("button", name="Sign in").click()


@pytest.mark.feature("O3")
async def test_the_owner_sets_a_provider_and_tries_it(visitor: Visitor, provider: RealProvider, tab: Tab) -> None:
    here, page = f"/{visitor.org.slug}", tab.page
    await tab.open(f"{here}/settings/sign-in")
    assert await page.input_value("#redirect-uri") == f"{tab.base_url}{here}/sign-in/callback"
    await page.fill("[name=name]", "Example ID")
    await page.fill("[name=issuer]", f"{provider.issuer}/nothing")
    await page.fill("[name=client_id]", provider.setting()["client_id"])
    await page.fill("[name=client_secret]", provider.setting()["client_secret"])
    visitor.expected.add(422)
    await page.get_by_role("button", name="Save").click()
    await tab.arrive(f"{here}/settings/sign-in")
    assert "does not answer as an OpenID Connect provider" in await page.inner_text("#error-issuer")
    await page.fill("[name=issuer]", provider.issuer)
    await page.fill("[name=client_secret]", provider.setting()["client_secret"])
    await page.get_by_role("button", name="Save").click()
    await tab.arrive(f"{here}/settings/sign-in\\?saved=true")
    assert await page.input_value("[name=client_secret]") == ""
    assert provider.setting()["client_secret"] not in await page.content()
    visitor.expected.add(403)
    await page.get_by_role("link", name="Try it").click()
    await sign_in_there(page, "new")
    await tab.arrive(f"{here}/sign-in/callback.*")
    assert "You have no account in this organization" in await page.inner_text("main")
    await tab.open(f"{here}/settings/sign-in")
    await page.get_by_role("button", name="Remove Example ID").click()
    await tab.arrive(f"{here}/settings/sign-in\\?removed=true")
    guest = await visitor.tab(signed_in=False)
    await guest.open(f"{here}/sign-in")
    assert await guest.page.locator("text=Continue with").count() == 0


@pytest.mark.feature("O3")
async def test_an_invited_person_signs_in_and_goes_on_where_they_wanted_to(visitor: Visitor, provider: RealProvider) -> None:
    await use(visitor, provider)
    here = f"/{visitor.org.slug}"
    async with member(visitor.muster, visitor.org) as mia:
        await visitor.org.patch(f"/individuals/{mia.individual}", {"email": "mia@people.example"})
    window = await visitor.window(signed_in=False)
    tab = await visitor.tab(window)
    await tab.page.goto(f"{tab.base_url}{here}/contacts/individuals?q=mia")
    await tab.arrive(f"{here}/sign-in\\?next=.*")
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await sign_in_there(tab.page, "mia")
    await tab.arrive(f"{here}/contacts/individuals\\?q=mia")
    assert "Mia Member" in await tab.page.inner_text("header.side")
    await window.clear_cookies(name=f"muster-{visitor.org.slug}")
    await tab.open(f"{here}/sign-in")
    # The provider still knows them, so nothing is asked again.
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await tab.arrive(here)
    assert [cookie["name"] for cookie in await window.cookies(tab.base_url) if "signing-in" in cookie["name"]] == []


@pytest.mark.feature("O3")
async def test_who_is_not_known_is_refused_until_the_organization_admits(visitor: Visitor, provider: RealProvider) -> None:
    await use(visitor, provider)
    visitor.expected.add(403)
    here = f"/{visitor.org.slug}"
    tab = await visitor.tab(signed_in=False)
    await tab.open(f"{here}/sign-in")
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await sign_in_there(tab.page, "new")
    await tab.arrive(f"{here}/sign-in/callback.*")
    assert "Ask an administrator to invite you by this address: new@people.example" in await tab.page.inner_text("main")
    await use(visitor, provider, admits=True)
    await tab.page.get_by_role("link", name="Begin again").click()
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await tab.arrive(here)
    assert "Nele New" in await tab.page.inner_text("header.side")
    unsure = await visitor.tab(signed_in=False)
    await unsure.open(f"{here}/sign-in")
    await unsure.page.get_by_role("link", name="Continue with Example ID").click()
    await sign_in_there(unsure.page, "unsure")
    await unsure.arrive(f"{here}/sign-in/callback.*")
    assert "has not made sure of your address" in await unsure.page.inner_text("main")


@pytest.mark.feature("O3", "O6")
async def test_a_deactivated_person_is_refused_and_so_is_who_changes_their_mind(visitor: Visitor, provider: RealProvider) -> None:
    await use(visitor, provider, admits=True)
    visitor.expected.add(403)
    here = f"/{visitor.org.slug}"
    tab = await visitor.tab(signed_in=False)
    await tab.open(f"{here}/sign-in")
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await tab.page.get_by_role("button", name="Cancel").click()
    await tab.arrive(f"{here}/sign-in/callback.*")
    assert "did not sign you in" in await tab.page.inner_text("main")
    await tab.page.get_by_role("link", name="Begin again").click()
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await sign_in_there(tab.page, "mia")
    await tab.arrive(here)
    people = (await visitor.org.get("/individuals", q="Mia"))["data"]
    assert (await visitor.org.api.delete(f"/individuals/{people[0]['id']}")).status_code == 204
    await tab.page.reload()
    await tab.arrive(f"{here}/sign-in.*")
    await tab.page.get_by_role("link", name="Continue with Example ID").click()
    await tab.arrive(f"{here}/sign-in/callback.*")
    assert "Your account was deactivated" in await tab.page.inner_text("main")
