"""Who is asking, and what the organization offers to choose from."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update

from services.kit.clock import now
from services.store.accounts import Credential
from tests.accounts.members import member
from tests.kit.problems import problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role


@pytest.mark.feature("O3")
async def test_me_is_who_the_token_stands_for(muster: RunningMuster, org: Organization) -> None:
    assert (await org.get("/me"))["role"] == "owner"
    async with member(muster, org, "Mia") as mia:
        me = (await mia.api.get("/me")).json()
        assert (me["individual"], me["role"]) == ({"id": mia.individual, "name": "Mia"}, "member")
        assert me["organization"]["slug"] == org.slug
        assert (await org.api.delete(f"/individuals/{mia.individual}")).status_code == 204
        problem(await mia.api.get("/me"), 401, "unknown_token")


@pytest.mark.feature("O3", "E1")
async def test_the_last_owner_cannot_lock_everyone_out(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    problem(await org.api.delete(f"/individuals/{me}"), 409, "last_owner")
    problem(await org.api.patch(f"/individuals/{me}", json={"active": False}), 409, "last_owner")
    assert (await org.patch(f"/individuals/{me}", {"name": "Olive"}))["active"]
    async with member(muster, org, "Otto", Role.OWNER) as other:
        assert (await org.api.delete(f"/individuals/{me}")).status_code == 204
        problem(await other.api.delete(f"/individuals/{other.individual}"), 409, "last_owner")
        link = await muster.muster.accounts.issue_link(org.slug)
        async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE) as browser:
            assert (await browser.post("/sign-in", data={"link": link})).headers["location"] == f"/{org.slug}"
            assert (await other.api.get("/me")).json()["individual"]["name"] == "Otto"


@pytest.mark.feature("O3")
async def test_of_two_owners_who_deactivate_each_other_one_stays(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    async with member(muster, org, "Otto", Role.OWNER) as other:
        answers = await asyncio.gather(org.api.delete(f"/individuals/{other.individual}"), other.api.delete(f"/individuals/{me}"))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(204) == 1
        assert set(statuses) <= {204, 401, 409}


@pytest.mark.feature("O3")
async def test_of_the_links_of_an_owner_only_the_last_one_signs_in(muster: RunningMuster, org: Organization) -> None:
    accounts = muster.muster.accounts
    earlier, later = [await accounts.issue_link(org.slug) for _ in range(2)]
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as browser:
        assert (await browser.post("/sign-in", data={"link": earlier})).status_code == 401
        assert (await browser.post("/sign-in", data={"link": later})).status_code == 303


@pytest.mark.feature("O3")
async def test_an_organization_is_owned_once_an_owner_has_another_way_in(muster: RunningMuster, org: Organization) -> None:
    accounts = muster.muster.accounts
    assert not await accounts.owned("nowhere")
    assert not await accounts.owned(org.slug)
    async with member(muster, org, "Ada", Role.ADMIN, password="some words that nobody guesses"):
        assert not await accounts.owned(org.slug)
    async with member(muster, org, "Olga", Role.OWNER, password="some words that nobody guesses"):
        assert await accounts.owned(org.slug)


@pytest.mark.feature("O3")
async def test_signing_in_again_ends_the_session_before_and_forgets_what_expired(
    muster: RunningMuster, org: Organization
) -> None:
    accounts, database = muster.muster.accounts, muster.muster.database
    organization = (await org.get("/me"))["organization"]["id"]

    async def credentials() -> list[Credential]:
        async with database.read(organization) as session:
            return list(await session.scalars(select(Credential)))

    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE) as browser:
        await browser.post("/sign-in", data={"link": await accounts.issue_link(org.slug)})
        first = browser.cookies[f"muster-{org.slug}"]
        await browser.post("/sign-in", data={"link": await accounts.issue_link(org.slug)})
        assert browser.cookies[f"muster-{org.slug}"] != first
        assert [row.kind for row in await credentials()] == ["session"]
        link = await accounts.issue_link(org.slug)
        async with database.write(organization) as session:
            old = update(Credential).where(Credential.kind == "session").values(expires_at=now() - timedelta(seconds=1))
            await session.execute(old)
        assert (await browser.get(f"/{org.slug}/inbox", headers=HTML)).status_code == 303
        await browser.post("/sign-in", data={"link": link})
        assert len(await credentials()) == 1
        assert (await browser.get(f"/{org.slug}/inbox", headers=HTML)).status_code == 200


@pytest.mark.feature("L12")
async def test_each_list_has_one_default(org: Organization) -> None:
    for path in ("/projects", "/incident-types", "/severities", "/priorities"):
        found = await org.get(path)
        assert sum(entry["is_default"] for entry in found["data"]) == 1
        assert found["pagination"]["after"] is None
    assert [entry["name"] for entry in (await org.get("/severities"))["data"]] == ["Low", "Medium", "High", "Critical"]
