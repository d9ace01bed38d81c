"""API tokens: what they allow, how long they hold, and that their secrets are told once (O3)."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from services.kit.clock import now, rfc3339
from services.store.accounts import Token
from services.store.answers import AnswerRow
from tests.accounts.members import Member, member
from tests.kit.problems import fields, problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role

ADMINISTERED = re.compile(
    r"(GET .*/members|(?!GET)\w+ /projects"
    r"|\w+ /(members|tokens|audit|audit\.csv|settings|sign-in-provider|engagement-rules|role-policies|incident-roles))(/.*)?"
)
"""What only a token with the scope "admin" reads or changes."""
NOWHERE = "0197f0aa-0000-7000-8000-000000000000"
SERVICE = {"name": "CI", "kind": "service", "scopes": ["read", "write"]}


def client(org: Organization, secret: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=str(org.api.base_url), headers={"Authorization": f"Bearer {secret}"}, timeout=PATIENCE)


async def issue(api: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    response = await api.post("/tokens", json={"name": "Mine", "scopes": ["read"]} | more)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


@pytest.mark.feature("O3")
async def test_a_token_is_told_once_and_kept_as_its_hash(muster: RunningMuster, org: Organization) -> None:
    headers = {"Idempotency-Key": "once"}
    body = {"name": "Mine", "scopes": ["read", "write"], "expires_in": 30}
    first = await org.api.post("/tokens", json=body, headers=headers)
    again = await org.api.post("/tokens", json=body, headers=headers)
    made = first.json()
    assert made["secret"].startswith("muster_token_")
    assert made["secret"].endswith(made["hint"])
    assert again.json() == made | {"secret": None}
    assert (again.status_code, again.headers["Location"], again.headers["ETag"]) == (201, first.headers["Location"], '"1"')
    listed = (await org.get("/tokens"))["data"]
    assert [token["name"] for token in listed] == ["Mine", "owner-token"]
    assert (await org.get(f"/tokens/{made['id']}")) == listed[0]
    assert "secret" not in listed[0]
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        rows = [*await session.scalars(select(Token)), *await session.scalars(select(AnswerRow))]
    assert made["secret"] not in "".join(str(vars(row)) for row in rows)


@pytest.mark.feature("O3")
async def test_a_token_does_what_its_scopes_and_its_account_allow(muster: RunningMuster, org: Organization) -> None:
    secret = (await issue(org.api, scopes=["read"]))["secret"]
    async with client(org, secret) as api:
        assert (await api.get("/me")).json()["scopes"] == ["read"]
        problem(await api.post("/incidents", json={"title": "x"}), 403, "scope_missing")
    async with member(muster, org) as mia:
        refused = problem(await mia.api.post("/tokens", json={"name": "x", "scopes": ["admin"]}), 422, "scope_not_yours")
        assert fields(refused) == {"scopes"}
        problem(await mia.api.post("/tokens", json=SERVICE), 403, "administrators_only")
        assert {token["name"] for token in (await mia.api.get("/tokens")).json()["data"]} == {"test"}


@pytest.mark.feature("O3")
async def test_a_token_cannot_make_one_that_gives_more_or_holds_longer(org: Organization) -> None:
    secret = (await issue(org.api, scopes=["admin", "write"], expires_in=2))["secret"]
    async with client(org, secret) as api:
        problem(await api.post("/tokens", json={"name": "x", "scopes": ["read"], "expires_in": 1}), 422, "scope_not_yours")
        problem(await api.post("/tokens", json={"name": "x", "scopes": ["write"]}), 422, "expires_too_late")
        problem(await api.post("/tokens", json={"name": "x", "scopes": ["write"], "expires_in": 3}), 422, "expires_too_late")
        assert (await issue(api, scopes=["report"], expires_in=1))["scopes"] == ["report"]


@pytest.mark.feature("O3")
async def test_what_is_no_token_is_refused_at_its_field(org: Organization) -> None:
    good = {"name": "x", "scopes": ["read"]}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"expires_in": 367}, "expires_in"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_at": rfc3339(now() + timedelta(days=400))}, "expires_at"),
        ({"expires_at": rfc3339(now() - timedelta(days=1))}, "expires_at"),
        ({"expires_at": rfc3339(now() + timedelta(days=1)), "expires_in": 1}, "expires_at"),
        ({"role": "admin"}, "role"),
        ({"kind": "service", "role": "owner"}, "role"),
        ({"kind": "service", "role": "member", "scopes": ["admin"]}, "scopes"),
        ({"shoe_size": 7}, "shoe_size"),
    ]
    for change, field in wrong:
        response = await org.api.post("/tokens", json=good | change)
        assert response.status_code == 422, change
        assert {name.partition(".")[0] for name in fields(response.json())} == {field}
    assert len((await org.get("/tokens"))["data"]) == 1


@pytest.mark.feature("O3")
async def test_an_address_puts_no_words_of_its_own_on_the_page(muster: RunningMuster, org: Organization) -> None:
    page = f"{muster.base_url}/{org.slug}/settings/tokens"
    assert "Call 555" not in (await org.api.get(page, params={"revoked": "Call 555"}, headers=HTML)).text
    assert "The token was revoked" in (await org.api.get(page, params={"revoked": "true"}, headers=HTML)).text


@pytest.mark.feature("O3")
async def test_a_token_that_is_revoked_or_has_expired_is_refused_at_once(muster: RunningMuster, org: Organization) -> None:
    revoked, expiring = await issue(org.api), await issue(org.api, name="Short", expires_in=1)
    organization = (await org.get("/me"))["organization"]["id"]
    async with client(org, revoked["secret"]) as api:
        assert (await api.get("/me")).status_code == 200
        assert (await org.get(f"/tokens/{revoked['id']}"))["last_used_at"] is not None
        problem(await org.api.delete(f"/tokens/{revoked['id']}", headers={"If-Match": '"2"'}), 412, "version_conflict")
        assert (await org.api.delete(f"/tokens/{revoked['id']}")).status_code == 204
        problem(await api.get("/me"), 401, "unknown_token")
    problem(await org.api.delete(f"/tokens/{revoked['id']}"), 404, "not_found")
    async with client(org, expiring["secret"]) as api:
        assert (await api.get("/me")).status_code == 200
        async with muster.muster.database.write(organization) as session:
            past = now() - timedelta(seconds=1)
            await session.execute(update(Token).where(Token.id == expiring["id"]).values(expires_at=past))
        problem(await api.get("/me"), 401, "unknown_token")
    assert (await org.get(f"/tokens/{expiring['id']}"))["expired"]


@pytest.mark.feature("O3")
async def test_a_page_that_shows_a_secret_is_not_kept_but_makes_one_token(muster: RunningMuster, org: Organization) -> None:
    headers = {"Authorization": f"Bearer {org.token}", "Idempotency-Key": "a"}
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=headers) as browser:
        form = {"name": "Mine", "scope_read": "true", "expires_in": "30"}
        page = await browser.post(f"/{org.slug}/settings/tokens", data=form)
        secret = re.search(r'value="(muster_token_[\w-]{43})"', page.text)
        assert secret
        # Loaded again, the form is sent again.
        again = await browser.post(f"/{org.slug}/settings/tokens", data=form)
        assert again.status_code == 303
        shown = await browser.get(again.headers["location"])
        assert "its secret was shown then" in shown.text
        assert secret.group(1) not in shown.text
    assert [token["name"] for token in (await org.get("/tokens"))["data"]].count("Mine") == 1
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        (kept,) = (await session.scalars(select(AnswerRow))).all()
    assert (kept.status, kept.body) == (303, "")


@pytest.mark.feature("O3", "O6")
async def test_deactivating_a_member_ends_their_tokens_for_good(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        for active in (False, True):
            await org.patch(f"/members/{mia.account}", {"active": active})
            problem(await mia.api.get("/me"), 401, "unknown_token")


@pytest.mark.feature("O5")
async def test_what_a_token_with_the_longest_name_does_is_recorded(org: Organization) -> None:
    name = "x" * 100
    secret = (await issue(org.api, name=name, scopes=["admin"]))["secret"]
    async with client(org, secret) as api:
        await issue(api, scopes=["admin"])
    assert (await org.get("/audit"))["data"][0]["via"] == f"token “{name}”"


@pytest.mark.feature("O3")
async def test_a_token_is_renamed(org: Organization) -> None:
    made = await issue(org.api)
    path = f"/tokens/{made['id']}"
    assert (await org.patch(path, {"name": "Yours"}))["name"] == "Yours"
    problem(await org.api.patch(path, json={"name": "z"}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    entries = (await org.get("/audit", action="token."))["data"]
    assert [(entry["action"], entry["before"], entry["after"]) for entry in entries[:1]] == [
        ("token.renamed", {"name": "Mine"}, {"name": "Yours"})
    ]


@pytest.mark.feature("O3")
async def test_a_service_acts_under_its_own_name_until_it_is_revoked(muster: RunningMuster, org: Organization) -> None:
    made = await issue(org.api, **SERVICE)
    async with client(org, made["secret"]) as api:
        me = (await api.get("/me")).json()
        assert (me["role"], me["individual"]["name"]) == ("member", "CI")
        assert me["email"] == f"{me['individual']['id']}@service.invalid"
        assert (await api.post("/incidents", json={"title": "Build is red"})).status_code == 201
        await org.until(lambda: ready(org))
        assert (await org.get("/incidents/INC-1"))["reporter"]["name"] == "CI"
        await org.patch(f"/tokens/{made['id']}", {"name": "Builds"})
        assert (await api.get("/me")).json()["individual"]["name"] == "Builds"
        assert (await org.api.delete(f"/tokens/{made['id']}")).status_code == 204
        problem(await api.get("/me"), 401, "unknown_token")
    assert (await org.get("/incidents/INC-1"))["reporter"]["name"] == "Builds"


@pytest.mark.feature("O3", "E1")
async def test_a_service_is_nobody_to_engage_or_to_write_to(org: Organization) -> None:
    made = await issue(org.api, **SERVICE)
    async with client(org, made["secret"]) as api:
        program = (await api.get("/me")).json()["individual"]["id"]
        await api.post("/incidents", json={"title": "Build is red"})
        assert (await api.put(f"/individuals/{program}/terms", json={"terms": ["disk"]})).status_code == 404
    assert [person["name"] for person in (await org.get("/individuals"))["data"]] == ["Olive Owner"]
    assert (await org.get("/individuals", q="ci"))["data"] == []
    problem(await org.api.get(f"/individuals/{program}"), 404, "not_found")
    for who in ("CI", program, f"{program}@service.invalid"):
        refused = await org.api.post("/incidents", json={"title": "x", "commander": who})
        assert fields(problem(refused, 422, "invalid")) == {"commander"}
    await org.until(lambda: ready(org))
    problem(await org.api.post("/incidents/INC-1/participants", json={"individual": program}), 404, "not_found")
    ana = await org.individual("Ana", "green")
    await org.patch("/incidents/INC-1", {"title": "Build is green"})
    await org.until(lambda: org.all_sent("INC-1"))
    assert {delivery["recipient"]["id"] for delivery in await org.deliveries("INC-1")} == {ana["id"]}


@pytest.mark.feature("O3", "O4")
async def test_administrators_manage_the_services_tokens_and_nobodys_else(muster: RunningMuster, org: Organization) -> None:
    made, mine = await issue(org.api, **SERVICE | {"role": "admin"}), await issue(org.api)
    async with member(muster, org, "Ada", Role.ADMIN) as ada, member(muster, org, "Mia") as mia:
        assert [token["name"] for token in (await ada.api.get("/tokens")).json()["data"]] == ["test", "CI"]
        assert (await ada.api.get("/tokens")).json()["data"][1]["created_by"]["name"] == "Olive Owner"
        for token, people in ((mine, (ada, mia)), (made, (mia,))):
            for person in people:
                await not_to_know(person, token["id"])
        assert (await ada.api.delete(f"/tokens/{made['id']}")).status_code == 204


@pytest.mark.feature("O3", "O1")
async def test_tokens_are_read_page_by_page(muster: RunningMuster, org: Organization) -> None:
    for number in range(5):
        await issue(org.api, name=f"n{number}")
    names, after = [], None
    while True:
        page = await org.get("/tokens", page_size=2, **({"after": after} if after else {}))
        names += [token["name"] for token in page["data"]]
        if (after := page["pagination"]["after"]) is None:
            break
        foreign = after
    assert names == ["n4", "n3", "n2", "n1", "n0", "owner-token"]
    other = await muster.organization()
    problem(await other.api.get("/tokens", params={"after": foreign}), 400, "unknown_after")
    assert len((await other.get("/tokens"))["data"]) == 1
    await other.api.aclose()


@pytest.mark.feature("O3", "O4")
async def test_every_route_refuses_a_token_without_the_scope_for_it(muster: RunningMuster, org: Organization) -> None:
    """By the API's own document: what is not in it does not exist."""
    document = (await org.api.get(f"{muster.base_url}/api/v1/openapi.json")).json()
    operations = {
        (method.upper(), path.removeprefix("/api/v1/{org}"))
        for path, item in document["paths"].items()
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}
    }
    assert len(operations) > 40

    async def refused(*scopes: str) -> set[tuple[str, str]]:
        secret = (await issue(org.api, scopes=list(scopes)))["secret"]
        async with client(org, secret) as api:
            answers = {
                (method, path): await api.request(method, re.sub(r"\{\w+\}", NOWHERE, path), json={})
                for method, path in operations
            }
        missing = {each for each, answer in answers.items() if answer.status_code == 403}
        for each in missing:
            problem(answers[each], 403, "scope_missing")
        return missing

    administered = {each for each in operations if ADMINISTERED.fullmatch(" ".join(each))}
    # A preview asks much, so it is a POST; it changes nothing.
    changing = {each for each in operations if each[0] != "GET"} - {("POST", "/engagement/preview")}
    assert await refused("read") == changing | administered
    assert await refused("report") == operations - {("POST", "/incidents")}
    assert await refused("read", "report", "write") == administered
    assert await refused("admin") == operations - administered


async def ready(org: Organization) -> bool:
    return bool((await org.get("/incidents/INC-1/receipt"))["state"] == "ready")


async def not_to_know(person: Member, token: str) -> None:
    path = f"/tokens/{token}"
    for response in (
        await person.api.get(path),
        await person.api.patch(path, json={"name": "x"}),
        await person.api.delete(path),
    ):
        problem(response, 404, "not_found")
