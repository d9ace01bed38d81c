"""What the provider, or whoever pretends to be it, cannot do (O3). With a real one it is tested in tests/browser."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import Response
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import select, update

from services.accounts.providers import MAX_ANSWER, ProviderFailedError, Providers
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.accounts import Account, Attempt, Credential, Provider
from services.store.audit import AuditRow
from services.store.organizations import Organization as OrganizationRow
from services.store.organizations import ProjectMember
from services.store.secrets import new_secret
from tests.accounts.any_provider import ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET, KEY, AnyProvider, any_provider, challenge
from tests.accounts.members import Member, member
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML

pytestmark = pytest.mark.feature("O3")


@pytest.fixture
async def provider(org: Organization) -> AsyncIterator[AnyProvider]:
    """A provider that the organization's owner has set, and that knows Mia."""
    async with any_provider() as running:
        assert (await org.api.put("/sign-in-provider", json=running.setting())).status_code == 200
        yield running


@pytest.fixture
async def mia(muster: RunningMuster, org: Organization, provider: AnyProvider) -> AsyncIterator[Member]:
    """A member whom the provider tells the address of, written in another way."""
    async with member(muster, org) as made:
        provider.claims |= {"email": made.email.upper(), "email_verified": True}
        yield made


async def rows(muster: RunningMuster, org: Organization, table: type[Any]) -> list[Any]:
    """An organization's rows of a table."""
    async with muster.muster.database.read() as session:
        found = (await session.scalars(select(OrganizationRow).where(OrganizationRow.slug == org.slug))).one()
    async with muster.muster.database.read(found.id) as session:
        return list(await session.scalars(select(table)))


async def actions(muster: RunningMuster, org: Organization) -> list[tuple[str, str]]:
    """What the audit log has, with the reason of a refusal; the newest last."""
    entries = sorted(await rows(muster, org, AuditRow), key=lambda row: row.id)
    return [(row.action, row.after.get("reason", "")) for row in entries]


async def refused(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, answer: httpx.Response, reason: str, status: int = 403
) -> None:
    """A clear page, no session, and a note of it in the audit log."""
    assert (answer.status_code, "You are not signed in" in answer.text) == (status, True), answer.text
    assert not [name for name in browser.cookies if name.startswith("muster-")]
    assert await rows(muster, org, Credential) == []
    assert (await actions(muster, org))[-1] == ("sign_in.refused", reason)


async def test_who_is_known_by_their_address_is_known_by_their_id_from_then_on(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    asked = await provider.begin(browser, org.slug, f"/{org.slug}/deliveries?state=sent")
    assert (asked["response_type"], asked["code_challenge_method"], asked["scope"]) == ("code", "S256", "openid email profile")
    cookie = next(found for found in browser.cookies.jar if found.name == f"signing-in-{org.slug}")
    assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly"), cookie.value) == ("/", True, asked["state"])
    answer = await provider.come_back(browser, org.slug, asked["state"])
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{org.slug}/deliveries?state=sent")
    assert set(browser.cookies) == {f"muster-{org.slug}"}
    assert "Mia Member" in (await browser.get(f"/{org.slug}")).text
    form = provider.seen[-1]
    assert challenge(form["code_verifier"]) == asked["code_challenge"]
    assert form["redirect_uri"] == asked["redirect_uri"]
    assert form["authorization"] == httpx.BasicAuth(CLIENT_ID, CLIENT_SECRET.replace(" ", "+"))._auth_header
    assert (await actions(muster, org))[-2:] == [("account.bound", ""), ("sign_in", "")]
    provider.claims |= {"email": "elsewhere@x.example", "email_verified": False}
    assert (await provider.sign_in(browser, org.slug, "https://evil.example/")).headers["location"] == f"/{org.slug}"
    assert (await actions(muster, org))[-1] == ("sign_in", "")


NOW = int(now().timestamp())


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another"},
        {"aud": "another", "azp": CLIENT_ID},
        {"iss": "https://another.example"},
        {"iss": None},
        {"exp": NOW - 120},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": NOW + 3_600},
        {"iat": None},
        {"nbf": NOW + 3_600},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"sub": "s\u0000"},
        {"at_hash": "of another token"},
        {"email": "no address"},
    ],
    # Not by their values: the moments among them differ between the processes that share the tests.
    ids=", ".join,
)
async def test_an_id_token_that_says_another_thing_is_not_believed(
    muster: RunningMuster,
    org: Organization,
    browser: httpx.AsyncClient,
    provider: AnyProvider,
    mia: Member,
    claims: dict[str, Any],
) -> None:
    provider.claims |= claims
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), "identity_unproven")


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _unsigned(claims: dict[str, Any]) -> str:
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _by_secret(secret: bytes) -> Callable[[dict[str, Any]], str]:
    key = OctKey.import_key(base64.urlsafe_b64encode(secret).decode())
    return lambda claims: jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, ["HS256"])


OTHER = RSAKey.generate_key(2048, {"kid": "one"})


@pytest.mark.parametrize(
    "sign",
    [
        _unsigned,
        _by_secret(KEY.as_pem(private=False)),
        _by_secret(CLIENT_SECRET.encode()),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "another"}, claims, KEY),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)[:-4] + "AAAA",
        lambda claims: "not.a.token",
        lambda claims: "",
    ],
    ids=["none", "public key as secret", "client secret", "another key", "unknown key", "cut", "no token", "nothing"],
)
async def test_an_id_token_that_the_provider_did_not_sign_is_not_believed(
    muster: RunningMuster,
    org: Organization,
    browser: httpx.AsyncClient,
    provider: AnyProvider,
    mia: Member,
    sign: Callable[[dict[str, Any]], str],
) -> None:
    provider.sign = sign
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), "identity_unproven")


async def test_new_keys_of_the_provider_are_fetched(org: Organization, browser: httpx.AsyncClient, provider: AnyProvider) -> None:
    assert (await org.api.put("/sign-in-provider", json=provider.setting(admits=True))).status_code == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    provider.keys = [KEY, provider.key]
    provider.claims |= {"email": "nele@x.example", "email_verified": True}
    assert (await provider.sign_in(browser, org.slug)).status_code == 303


async def test_only_the_browser_that_began_can_finish_once_and_in_time(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    asked = await provider.begin(browser, org.slug)
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as victim:
        for state in (asked["state"], "", "another"):
            await refused(muster, org, victim, await provider.come_back(victim, org.slug, state), "sign_in_not_begun")
        await provider.begin(victim, org.slug)
        await refused(muster, org, victim, await provider.come_back(victim, org.slug, asked["state"]), "sign_in_not_begun")
    assert provider.seen == []
    kept = dict(browser.cookies)
    provider.nonce = asked["nonce"]
    assert (await provider.come_back(browser, org.slug, asked["state"])).status_code == 303
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML, cookies=kept) as again:
        answer = await provider.come_back(again, org.slug, asked["state"])
        assert (answer.status_code, "is over already" in answer.text) == (403, True)
    asked = await provider.begin(browser, org.slug)
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        await session.execute(update(Attempt).values(expires_at=now() - timedelta(seconds=1)))
    assert (await provider.come_back(browser, org.slug, asked["state"])).status_code == 403
    assert len(provider.seen) == 1
    await provider.begin(browser, org.slug)
    assert len(await rows(muster, org, Attempt)) == 1


async def test_a_state_holds_in_its_organization_only(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    other = await muster.organization()
    await other.api.put("/sign-in-provider", json=provider.setting(admits=True))
    asked = await provider.begin(browser, org.slug)
    async with httpx.AsyncClient(
        base_url=muster.base_url, headers=HTML, cookies={f"signing-in-{other.slug}": asked["state"]}
    ) as carried:
        await refused(muster, other, carried, await provider.come_back(carried, other.slug, asked["state"]), "sign_in_not_begun")
    assert (await provider.come_back(browser, org.slug, asked["state"])).status_code == 303
    await other.api.aclose()


async def test_an_answer_of_another_issuer_is_not_passed_on(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    answer = await provider.sign_in(browser, org.slug, iss="https://another.example")
    await refused(muster, org, browser, answer, "identity_unproven")
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    await org.api.put("/sign-in-provider", json=provider.setting())
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), "identity_unproven")
    assert provider.seen == []
    assert (await provider.sign_in(browser, org.slug, iss=provider.issuer)).status_code == 303


@pytest.mark.parametrize(
    ("tokens", "reason", "status"),
    [
        (lambda: JSONResponse({"error": "invalid_grant"}, 400), "provider_refused", 403),
        (lambda: JSONResponse({"error": "invalid_client"}, 401), "provider_refused", 403),
        (lambda: JSONResponse({"error": "server_error"}, 500), "provider_down", 503),
        (lambda: Response("<html>", 200), "provider_down", 503),
        (lambda: Response("[" * 100_000, 200), "provider_down", 503),
        (lambda: JSONResponse(["id_token"]), "provider_down", 503),
        (lambda: JSONResponse({"access_token": ACCESS_TOKEN}), "provider_down", 503),
        (lambda: Response(b" " * (MAX_ANSWER + 1), 200), "provider_down", 503),
        (lambda: Response(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}), "provider_down", 503),
        (lambda: RedirectResponse("/keys", 307), "provider_down", 503),
    ],
)
async def test_a_token_endpoint_can_answer_anything(
    muster: RunningMuster,
    org: Organization,
    browser: httpx.AsyncClient,
    provider: AnyProvider,
    mia: Member,
    tokens: Callable[[], Response],
    reason: str,
    status: int,
) -> None:
    provider.tokens = tokens
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), reason, status)


def _publishing(**metadata: Any) -> Callable[[AnyProvider], None]:
    return lambda provider: provider.metadata.update(metadata)


def _answering(make: Callable[[], Response]) -> Callable[[AnyProvider], None]:
    return lambda provider: setattr(provider, "discovery", make)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_publishing(issuer="https://another.example"), "another issuer"),
        (_publishing(token_endpoint=None), "token_endpoint"),
        (_publishing(token_endpoint="http://another.example/token"), "https://"),
        (_publishing(jwks_uri="file:///etc/passwd"), "https://"),
        (_publishing(authorization_endpoint="javascript:alert(1)"), "https://"),
        (_publishing(authorization_endpoint="https://[/"), "is none"),
        (_publishing(jwks_uri="https://nowhere.invalid/keys"), "not known"),
        (_answering(lambda: RedirectResponse("/keys", 302)), "status 302"),
        (_answering(lambda: JSONResponse({"issuer": 7})), "issuer"),
        (_answering(lambda: Response(b" " * (MAX_ANSWER + 1))), "bytes"),
        (lambda provider: setattr(provider, "keys", []), "no keys"),
        (lambda provider: setattr(provider, "issuer", "http://127.0.0.1:9"), "no answer"),
        (lambda provider: setattr(provider, "issuer", "http://192.0.2.1"), "https://"),
        (lambda provider: setattr(provider, "issuer", f"{provider.issuer}?"), "query"),
        (lambda provider: setattr(provider, "issuer", f"{provider.issuer}#x"), "query"),
        (lambda provider: setattr(provider, "issuer", provider.issuer.replace("//", "//me:x@")), "is none"),
    ],
)
async def test_what_is_no_provider_cannot_be_set_and_when_it_is_the_password_is_left(
    muster: RunningMuster,
    org: Organization,
    browser: httpx.AsyncClient,
    spoil: Callable[[AnyProvider], None],
    why: str,
) -> None:
    async with any_provider() as provider:
        spoil(provider)
        answer = await org.api.put("/sign-in-provider", json=provider.setting())
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["field"], error["code"]) == ("issuer", "provider_unusable")
        assert error["message"] == "This address does not answer as an OpenID Connect provider. Muster’s log says what is amiss."
        with pytest.raises(ProviderFailedError, match=why):
            await Providers(muster.base_url).published(provider.issuer)
        belongs = {"organization_id": (await org.get("/me"))["organization"]["id"]}
        async with muster.muster.database.write(belongs["organization_id"]) as session:
            session.add(Provider(**provider.setting(), **belongs))
        page = await browser.get(f"/{org.slug}/sign-in/provider")
        assert page.status_code == 503
        assert "Some ID does not answer. Try again, or sign in by password." in page.text
        assert 'name="password"' in (await browser.get(f"/{org.slug}/sign-in")).text
        assert await rows(muster, org, Attempt) == []


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_an_address_that_is_not_verified_is_nobodys(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member, verified: object
) -> None:
    await org.api.put("/sign-in-provider", json=provider.setting(admits=True))
    provider.claims["email_verified"] = verified
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), "address_not_verified")


async def test_what_the_id_token_does_not_say_is_asked_for(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    told = {"email": mia.email, "email_verified": True}
    provider.claims = {}
    provider.user_info = {"sub": "s-2", **told}
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), "identity_unproven")
    provider.user_info["sub"] = "s-1"
    assert (await provider.sign_in(browser, org.slug)).status_code == 303


async def test_an_account_belongs_to_one_person_at_the_provider(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    assert (await provider.sign_in(browser, org.slug)).status_code == 303
    await org.api.delete(f"/individuals/{mia.individual}")
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as other:
        answer = await provider.sign_in(other, org.slug)
        assert (answer.status_code, "was deactivated" in answer.text) == (403, True)
        await org.patch(f"/individuals/{mia.individual}", {"active": True})
        provider.claims["sub"] = "s-2"
        answer = await provider.sign_in(other, org.slug)
        assert (answer.status_code, "someone else&#39;s at your provider" in answer.text) == (403, True)
    reasons = [reason for action, reason in await actions(muster, org) if action == "sign_in.refused"]
    assert reasons == ["deactivated", "bound_to_another"]


async def test_who_is_admitted_becomes_a_member_and_is_the_contact_there_was(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider
) -> None:
    contact = await org.individual("Ana", "disk")
    provider.claims |= {"email": contact["email"].upper(), "email_verified": True, "name": " A\u0000\u202ena \n B. "}
    await refused(muster, org, browser, await provider.sign_in(browser, org.slug), "not_a_member")
    await org.api.put("/sign-in-provider", json=provider.setting(admits=True))
    assert (await provider.sign_in(browser, org.slug)).status_code == 303
    provider.claims |= {"email": "new@x.example", "sub": "s-2"}
    assert (await provider.sign_in(browser, org.slug)).status_code == 303
    accounts = {row.oidc_subject: row for row in await rows(muster, org, Account)}
    assert accounts["s-1"].individual_id == contact["id"]
    assert {accounts["s-1"].role, accounts["s-2"].role} == {"member"}
    assert (await org.get(f"/individuals/{accounts['s-2'].individual_id}"))["name"] == "Ana B."
    assert {accounts["s-1"].id, accounts["s-2"].id} <= {row.account_id for row in await rows(muster, org, ProjectMember)}
    assert (await actions(muster, org))[-2:] == [("member.admitted", ""), ("sign_in", "")]


async def test_every_attempt_has_secrets_of_its_own(org: Organization, browser: httpx.AsyncClient, provider: AnyProvider) -> None:
    first, second = [await provider.begin(browser, org.slug) for _ in range(2)]
    assert not [name for name in ("state", "nonce", "code_challenge") if first[name] == second[name]]


async def test_who_had_the_account_before_the_provider_knew_whose_it_is_has_it_no_longer(
    muster: RunningMuster, org: Organization, browser: httpx.AsyncClient, provider: AnyProvider, mia: Member
) -> None:
    me = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.write(me) as session:
        await session.execute(update(Account).where(Account.id == mia.account).values(password_hash="known to another"))
        for kind in ("session", "invitation", "password_reset", "link"):
            expires = now() + timedelta(hours=1)
            session.add(
                Credential(
                    id=new_id(),
                    organization_id=me,
                    account_id=mia.account,
                    kind=kind,
                    secret_hash=new_secret(kind)[1],
                    expires_at=expires,
                    created_at=now(),
                )
            )
    assert (await provider.sign_in(browser, org.slug)).status_code == 303
    assert [row.kind for row in await rows(muster, org, Credential)] == ["session"]
    assert [row.password_hash for row in await rows(muster, org, Account) if row.id == mia.account] == [None]
    assert (await mia.api.get("/me")).status_code == 401
    bound = next(row for row in await rows(muster, org, AuditRow) if row.action == "account.bound")
    assert bound.after == {"password_ended": True, "tokens_ended": 1}
    # What comes after it is theirs.
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as other:
        assert (await provider.sign_in(other, org.slug)).status_code == 303
    assert [row.kind for row in await rows(muster, org, Credential)] == ["session"] * 2


@pytest.mark.parametrize(("here", "there"), [("groß@x.example", "gross@x.example"), ("kim@x.example", "\u212aim@x.example")])
@pytest.mark.parametrize("admits", [False, True])
async def test_an_address_that_is_only_folded_to_the_same_is_another_ones(
    muster: RunningMuster,
    org: Organization,
    browser: httpx.AsyncClient,
    provider: AnyProvider,
    here: str,
    there: str,
    admits: bool,
) -> None:
    await org.post("/individuals", {"name": "Kim", "email": here})
    await org.api.put("/sign-in-provider", json=provider.setting(admits=admits))
    provider.claims |= {"email": there, "email_verified": True}
    answer = await provider.sign_in(browser, org.slug)
    await refused(muster, org, browser, answer, "address_taken" if admits else "not_a_member")


async def test_two_windows_that_are_let_in_at_once_are_one_person(
    muster: RunningMuster, org: Organization, provider: AnyProvider
) -> None:
    await org.api.put("/sign-in-provider", json=provider.setting(admits=True))
    provider.claims |= {"email": "nele@x.example", "email_verified": True, "nonce": "the same"}
    async with AsyncExitStack() as stack:
        windows = [httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) for _ in range(4)]
        for window in windows:
            await stack.enter_async_context(window)
        asked = [await provider.begin(window, org.slug) for window in windows]
        # What tells the windows apart is not what this is about.
        async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
            await session.execute(update(Attempt).values(nonce="the same"))
        back = (provider.come_back(window, org.slug, each["state"]) for window, each in zip(windows, asked, strict=True))
        assert [answer.status_code for answer in await asyncio.gather(*back)] == [303] * 4
    assert len([row for row in await rows(muster, org, Account) if row.oidc_subject == "s-1"]) == 1


async def test_nothing_secret_is_told(
    muster: RunningMuster,
    org: Organization,
    browser: httpx.AsyncClient,
    provider: AnyProvider,
    mia: Member,
    capfd: pytest.CaptureFixture[str],
) -> None:
    asked = await provider.begin(browser, org.slug)
    pages = [await provider.come_back(browser, org.slug, asked["state"])]
    verifier = provider.seen[-1]["code_verifier"]
    provider.claims["aud"] = "another"
    pages.append(await provider.sign_in(browser, org.slug))
    provider.tokens = lambda: JSONResponse({"error": CLIENT_SECRET, "error_description": ACCESS_TOKEN}, 400)
    pages.append(await provider.sign_in(browser, org.slug))
    told = [page.text + str(page.headers) for page in pages]
    told += [str([row.before, row.after, row.who, row.object_name]) for row in await rows(muster, org, AuditRow)]
    told += capfd.readouterr()
    for secret in (CLIENT_SECRET, ACCESS_TOKEN, "a code not to be seen", verifier, asked["state"], asked["nonce"]):
        assert not [text for text in told if secret in text], secret
