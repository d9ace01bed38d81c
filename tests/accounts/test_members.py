"""Members: inviting, roles, and those who leave (O3, O4, O6)."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.notify.letters import secret_in
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role


async def invite(org: Organization, name: str = "Ana", **more: Any) -> dict[str, Any]:
    """An account that was invited."""
    return await org.post("/members", {"name": name, "email": f"{name.lower()}@{org.slug}.example", **more})


async def letters(org: Organization, individual: str) -> list[str]:
    """The texts of the letters to somebody, once all of them are sent; the latest first."""

    async def sent() -> bool:
        found = [each for each in (await org.get("/deliveries"))["data"] if each["recipient"]["id"] == individual]
        return bool(found) and all(each["state"] != "pending" for each in found)

    await org.until(sent)
    return [message["text"] for message in (await org.get("/inbox", recipient=individual))["data"]]


async def audited(org: Organization, action: str) -> list[dict[str, Any]]:
    """What the audit log has of an action, the latest first."""
    return list((await org.get("/audit", action=action))["data"])


async def accept(org: Organization, secret: str) -> httpx.Response:
    """Choose a password with an invitation's secret."""
    async with httpx.AsyncClient(base_url=org.base_url, timeout=PATIENCE) as browser:
        body = {"secret": secret, "password": "seven green umbrellas sing"}
        return await browser.post(f"/{org.slug}/invitation", data=body)


@pytest.mark.feature("O3", "O5")
async def test_who_is_invited_is_a_member_once_they_accept(org: Organization) -> None:
    ana = await invite(org, role="admin")
    assert (ana["state"], ana["role"], ana["kind"], ana["active"], ana["projects"]) == ("invited", "admin", "person", True, 1)
    assert ana["individual"]["email"] == f"ana@{org.slug}.example"
    (entry,) = await audited(org, "member.invited")
    assert entry["object"] == {"id": ana["id"], "name": "Ana"}
    assert entry["after"] == {"email": f"ana@{org.slug}.example", "role": "admin", "projects": ["Default"]}
    assert entry["text"] == "Olive Owner invited Ana as Administrator"
    (text,) = await letters(org, ana["individual"]["id"])
    assert "Olive Owner invites you to" in text
    shown = await org.get(f"/members/{ana['id']}")
    assert (shown["invitation"]["state"], shown["invitation"]["provider"]) == ("sent", "inbox")
    assert (await accept(org, secret_in(text, org.slug, "invitation"))).status_code == 303
    shown = await org.get(f"/members/{ana['id']}")
    assert (shown["state"], shown["invitation"]) == ("active", None)
    problem(await org.api.post(f"/members/{ana['id']}/invitation"), 409, "already_accepted")


@pytest.mark.feature("O3")
async def test_inviting_again_ends_the_secret_before(org: Organization) -> None:
    ana = await invite(org)
    (first,) = await letters(org, ana["individual"]["id"])
    await org.post(f"/members/{ana['id']}/invitation")
    assert (await accept(org, secret_in(first, org.slug, "invitation"))).status_code == 401
    second, _ = await letters(org, ana["individual"]["id"])
    assert (await accept(org, secret_in(second, org.slug, "invitation"))).status_code == 303


@pytest.mark.feature("O3", "E1")
async def test_a_contact_with_the_address_becomes_the_member(org: Organization) -> None:
    kai = await org.individual("Kai Okafor", "payments")
    made = await org.post("/members", {"name": "Somebody", "email": kai["email"].upper(), "projects": []})
    assert made["individual"] == {name: kai[name] for name in ("id", "name", "email")}
    assert made["projects"] == 0
    refused = problem(await org.api.post("/members", json={"name": "K", "email": kai["email"]}), 422, "email_taken")
    assert fields(refused) == {"email"}
    gone = await org.post("/individuals", {"name": "Gone", "email": "gone@example.org", "active": False})
    problem(await org.api.post("/members", json={"name": "Gone", "email": gone["email"]}), 422, "inactive")
    new = {"name": "Pat", "email": "pat@example.org", "projects": ["nowhere"]}
    assert fields(problem(await org.api.post("/members", json=new), 422, "unknown")) == {"projects"}
    assert (await org.get("/individuals", q="pat"))["data"] == []


@pytest.mark.feature("O3")
async def test_two_who_invite_the_same_address_make_one_account(org: Organization) -> None:
    body = {"name": "Ana", "email": "ana@example.org"}
    answers = await asyncio.gather(*(org.api.post("/members", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    assert len((await org.get("/members", q="ana"))["data"]) == 1


@pytest.mark.feature("O4")
async def test_roles_are_given_by_who_outranks_them(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["account"]
    async with member(muster, org, "Ada", Role.ADMIN) as ada, member(muster, org, "Mia") as mia:
        problem(await mia.api.post("/members", json={"name": "x", "email": "x@example.org"}), 403, "administrators_only")
        problem(await mia.api.patch(f"/members/{ada.account}", json={"active": False}), 403, "administrators_only")
        problem(await ada.api.patch(f"/members/{me}", json={"role": "member"}), 403, "owners_only")
        problem(await ada.api.delete(f"/members/{me}"), 403, "owners_only")
        problem(await ada.api.post(f"/members/{me}/password-reset"), 403, "owners_only")
        problem(await ada.api.patch(f"/members/{mia.account}", json={"role": "owner"}), 403, "owners_only")
        new = {"name": "x", "email": "x@example.org", "role": "owner"}
        problem(await ada.api.post("/members", json=new), 403, "owners_only")
        assert (await ada.api.patch(f"/members/{mia.account}", json={"role": "admin"})).json()["role"] == "admin"
        assert (await mia.api.get("/me")).json()["role"] == "admin"
        problem(await ada.api.patch(f"/members/{ada.account}", json={"role": "member"}), 409, "yourself")
        problem(await ada.api.delete(f"/members/{ada.account}"), 409, "yourself")
        (entry,) = await audited(org, "member.role_changed")
        assert (entry["who"]["name"], entry["object"]["name"]) == ("Ada", "Mia")
        assert (entry["before"], entry["after"]) == ({"role": "member"}, {"role": "admin"})
        stale = await org.api.patch(f"/members/{mia.account}", json={"role": "member"}, headers={"If-Match": '"1"'})
        problem(stale, 412, "version_conflict")


@pytest.mark.feature("O4")
async def test_an_organization_keeps_an_owner(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["account"]
    problem(await org.api.patch(f"/members/{me}", json={"role": "admin"}), 409, "last_owner")
    problem(await org.api.delete(f"/members/{me}"), 409, "last_owner")
    async with member(muster, org, "Otto", Role.OWNER) as otto:
        answers = await asyncio.gather(
            org.api.patch(f"/members/{otto.account}", json={"role": "member"}), otto.api.delete(f"/members/{me}")
        )
        assert sorted(answer.is_success for answer in answers) == [False, True]
        assert {answer.status_code for answer in answers if not answer.is_success} <= {401, 403, 409}


@pytest.mark.feature("O6", "O3")
async def test_deactivating_ends_everything_at_once(muster: RunningMuster, org: Organization) -> None:
    password = "a heron over the quiet canal"
    client = httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML)
    async with member(muster, org, "Mia", password=password) as mia, client as browser:
        signing_in = {"email": mia.email, "password": password}
        assert (await browser.post(f"/{org.slug}/sign-in", data=signing_in)).status_code == 303
        assert (await browser.get(f"/{org.slug}")).status_code == 200
        await org.post(f"/members/{mia.account}/password-reset")
        (text,) = await letters(org, mia.individual)
        assert (await org.api.delete(f"/members/{mia.account}")).status_code == 204
        problem(await mia.api.get("/me"), 401, "unknown_token")
        assert (await browser.get(f"/{org.slug}")).status_code == 303
        assert (await browser.post(f"/{org.slug}/sign-in", data=signing_in)).status_code == 401
        body = {"secret": secret_in(text, org.slug, "reset-password"), "password": "seven green umbrellas sing"}
        assert (await browser.post(f"/{org.slug}/reset-password", data=body)).status_code == 401
        shown = await org.get(f"/members/{mia.account}")
        assert (shown["state"], shown["active"], shown["contact_active"]) == ("deactivated", False, True)
        problem(await org.api.post(f"/members/{mia.account}/password-reset"), 409, "deactivated")
        again = problem(await org.api.post("/members", json={"name": "Mia", "email": mia.email}), 422, "email_taken")
        assert "reactivate" in str(again["detail"])
        await org.patch(f"/members/{mia.account}", {"active": True})
        assert (await browser.get(f"/{org.slug}")).status_code == 303
        problem(await mia.api.get("/me"), 401, "unknown_token")
        assert (await browser.post(f"/{org.slug}/sign-in", data=signing_in)).status_code == 303
        names = [each["action"] for each in (await org.get("/audit", action="member."))["data"]]
        assert names[:2] == ["member.reactivated", "member.deactivated"]


@pytest.mark.feature("O6")
async def test_deactivating_ends_open_streams(muster: RunningMuster, org: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    await org.report("Watched")
    monkeypatch.setattr(muster.muster.tail, "heartbeat", 0.2)
    async with member(muster, org) as mia, mia.api.stream("GET", "/incidents/INC-1/stream") as response:
        lines = response.aiter_lines()
        while await anext(lines) != ": alive":
            pass
        assert (await org.api.delete(f"/members/{mia.account}")).status_code == 204
        async with asyncio.timeout(PATIENCE):
            async for _ in lines:
                pass


@pytest.mark.feature("O4")
async def test_members_are_listed_page_by_page(muster: RunningMuster, org: Organization) -> None:
    for name in ("Ana", "Ben", "Cai"):
        await invite(org, name)
    await org.api.delete(f"/members/{(await org.get('/members', q='cai'))['data'][0]['id']}")
    first = await org.get("/members", page_size=2)
    assert [each["individual"]["name"] for each in first["data"]] == ["Ana", "Ben"]
    rest = await org.get("/members", page_size=2, after=first["pagination"]["after"])
    assert [each["individual"]["name"] for each in rest["data"]] == ["Cai", "Olive Owner"]
    assert rest["pagination"]["after"] is None
    foreign = await org.api.get("/members", params={"role": "owner", "after": first["pagination"]["after"]})
    problem(foreign, 400, "unknown_after")
    assert [each["individual"]["name"] for each in (await org.get("/members", role="owner"))["data"]] == ["Olive Owner"]
    assert [each["individual"]["name"] for each in (await org.get("/members", active=False))["data"]] == ["Cai"]
    async with member(muster, org, "Mia") as mia:
        shown = (await mia.api.get("/members", params={"q": "ana"})).json()["data"]
        assert (shown[0]["state"], shown[0]["invitation"]) == ("invited", None)
    other = await muster.organization()
    ana = first["data"][0]["id"]
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/invitation"), ("POST", "/password-reset")):
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        problem(await other.api.request(method, f"/members/{ana}{path}", json=body), 404, "not_found")
    await other.api.aclose()
