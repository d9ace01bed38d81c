"""Which provider an organization has: who sees it, who sets it, and what is never shown (O3, O5)."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select

from services.store.accounts import Account, Provider
from services.store.audit import AuditRow
from tests.accounts.any_provider import CLIENT_SECRET, AnyProvider, any_provider
from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("O3", "O5")
PATH = "/sign-in-provider"


@pytest.fixture
async def provider() -> AsyncIterator[AnyProvider]:
    async with any_provider() as running:
        yield running


async def test_it_is_set_changed_and_removed_and_its_secret_is_never_shown(
    muster: RunningMuster, org: Organization, provider: AnyProvider
) -> None:
    problem(await org.api.get(PATH), 404, "not_found")
    missing = provider.setting()
    del missing["client_secret"]
    assert fields(problem(await org.api.put(PATH, json=missing), 422, "missing")) == {"client_secret"}
    made = await org.api.put(PATH, json=provider.setting(), headers={"If-Match": '"0"'})
    assert (made.status_code, made.headers["etag"], made.json()["version"]) == (200, '"1"', 1)
    problem(await org.api.put(PATH, json=missing, headers={"If-Match": '"0"'}), 412, "version_conflict")
    changed = await org.api.put(PATH, json=missing | {"name": "Ours", "admits": True}, headers={"If-Match": '"1"'})
    assert changed.json() == made.json() | {"name": "Ours", "admits": True, "version": 2}
    seen = await org.api.get(PATH)
    assert (seen.json(), seen.headers["etag"]) == (changed.json(), '"2"')
    assert seen.json()["redirect_uri"].endswith(f"/{org.slug}/sign-in/callback")
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        assert (await session.get_one(Provider, organization)).client_secret == CLIENT_SECRET
    problem(await org.api.delete(PATH, headers={"If-Match": '"1"'}), 412, "version_conflict")
    assert (await org.api.delete(PATH, headers={"If-Match": '"2"'})).status_code == 204
    problem(await org.api.delete(PATH), 404, "not_found")
    async with muster.muster.database.read(organization) as session:
        entries = list(
            await session.scalars(select(AuditRow).where(AuditRow.action.startswith("sign_in_")).order_by(AuditRow.id))
        )
    assert [entry.action for entry in entries] == ["sign_in_provider.set"] * 2 + ["sign_in_provider.removed"]
    assert (entries[1].before["name"], entries[1].after["name"], entries[1].after["client_secret_set"]) == (
        "Some ID",
        "Ours",
        False,
    )
    told = [made.text, changed.text, seen.text, *(str((entry.before, entry.after)) for entry in entries)]
    assert not [text for text in told if CLIENT_SECRET in text]


async def test_another_issuer_gets_no_secret_and_knows_nobody(
    muster: RunningMuster, org: Organization, provider: AnyProvider
) -> None:
    await org.api.put(PATH, json=provider.setting(admits=True))
    provider.claims = {"email": "ana@x.example", "email_verified": True}
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as browser:
        assert (await provider.sign_in(browser, org.slug)).status_code == 303
    organization = (await org.get("/me"))["organization"]["id"]

    async def known() -> set[str]:
        async with muster.muster.database.read(organization) as session:
            return {row.oidc_subject for row in await session.scalars(select(Account)) if row.oidc_subject}

    await org.api.put(PATH, json=provider.setting())
    assert await known() == {"s-1"}
    async with any_provider() as other:
        setting = other.setting()
        kept = {name: value for name, value in setting.items() if name != "client_secret"}
        assert fields(problem(await org.api.put(PATH, json=kept), 422, "missing")) == {"client_secret"}
        assert (await org.api.put(PATH, json=setting)).status_code == 200
    assert await known() == set()


async def test_administrators_see_it_and_owners_change_it(
    muster: RunningMuster, org: Organization, provider: AnyProvider
) -> None:
    await org.api.put(PATH, json=provider.setting())
    async with member(muster, org, "Ada", Role.ADMIN) as admin, member(muster, org, "Mia") as mia:
        assert (await admin.api.get(PATH)).json()["name"] == "Some ID"
        problem(await admin.api.put(PATH, json=provider.setting()), 403, "owners_only")
        problem(await admin.api.delete(PATH), 403, "owners_only")
        problem(await mia.api.get(PATH), 403, "administrators_only")
        problem(await mia.api.put(PATH, json=provider.setting()), 403, "administrators_only")
        page = await admin.api.get(f"{muster.base_url}/{org.slug}/settings/sign-in", headers=HTML)
        assert "only owners change it" in page.text
        assert "<form" not in page.text.split('id="main"')[1].split("</main>")[0]
        assert (await mia.api.get(f"{muster.base_url}/{org.slug}/settings/sign-in", headers=HTML)).status_code == 403


async def test_the_page_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(
    muster: RunningMuster, org: Organization, provider: AnyProvider
) -> None:
    page, form = f"{muster.base_url}/{org.slug}/settings/sign-in", {"version": "0", **provider.setting()}
    refused = await org.api.post(page, data=form | {"issuer": "http://192.0.2.1", "admits": "true"}, headers=HTML)
    assert refused.status_code == 422
    assert 'id="error-issuer">This address does not answer as an OpenID Connect provider.' in refused.text
    assert 'value="http://192.0.2.1"' in refused.text
    assert CLIENT_SECRET not in refused.text
    empty = await org.api.post(page, data=form | {"name": " "}, headers=HTML)
    assert (empty.status_code, 'id="error-name">This is needed.' in empty.text) == (422, True)
    assert (await org.api.post(page, data=form, headers=HTML)).headers["location"] == f"/{org.slug}/settings/sign-in?saved=true"
    stale = await org.api.post(page, data=form | {"name": "Mine"}, headers=HTML)
    assert (stale.status_code, 'value="Mine"' in stale.text) == (412, True)
    assert (await org.api.post(page, data=form | {"name": "Mine", "version": "1"}, headers=HTML)).status_code == 303
    assert "Continue with Mine" in (await org.api.get(f"{muster.base_url}/{org.slug}/sign-in", headers=HTML)).text
    assert (await org.api.post(f"{page}/remove", headers=HTML)).status_code == 303
    assert (await org.get("/audit", action="sign_in_provider.removed"))["data"]


async def test_where_there_is_no_provider_there_is_no_way_to_one(muster: RunningMuster, org: Organization) -> None:
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as browser:
        for slug in (org.slug, "nowhere"):
            for path in ("provider", "callback?state=x&code=y"):
                assert (await browser.get(f"/{slug}/sign-in/{path}")).status_code == 404
