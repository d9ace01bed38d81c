"""Signing in by password: what it tells, how it slows guessing down, and what a session is (O2, O3)."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update

from services.kit.clock import now
from services.kit.settings import Settings
from services.store.accounts import Account, Throttle
from services.store.audit import AuditRow
from tests.accounts.members import PASSWORD, Member, member
from tests.support.running import Organization, RunningMuster, running_muster
from tests.web.browser import HTML
from workflows.domain.policy import Role

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def sign_in(browser: httpx.AsyncClient, slug: str, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    return await browser.post(f"/{slug}/sign-in", data={"email": email, "password": password, **more})


@pytest.mark.feature("O3")
async def test_the_right_password_gets_a_session_and_goes_on_where_one_was(
    browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    sent = await browser.get(f"/{org.slug}/deliveries?state=sent")
    form = await browser.get(sent.headers["location"])
    assert f'name="next" value="/{org.slug}/deliveries?state=sent"' in form.text
    answer = await sign_in(browser, org.slug, mia.email.upper(), next=f"/{org.slug}/deliveries?state=sent")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/{org.slug}/deliveries?state=sent")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"muster-{org.slug}=")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/"))
    page = await browser.get(f"/{org.slug}")
    assert "Mia Member" in page.text
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.feature("O3")
async def test_what_is_wrong_is_not_told(browser: httpx.AsyncClient, org: Organization, mia: Member) -> None:
    tries = [
        await sign_in(browser, org.slug, mia.email, "wrong"),
        await sign_in(browser, org.slug, "nobody@x.example", "wrong"),
        await sign_in(browser, org.slug, "nobody@x.example", "x" * 100_000),
        await sign_in(browser, org.slug, f"{mia.email}\x00{'y' * 1_000}", "\x00"),
        # Half of a surrogate pair, as bytes: no client library sends it.
        await browser.post(f"/{org.slug}/sign-in", content=b"email=%ED%A0%BD&password=%00%ED%A0%BD", headers=FORM),
    ]
    assert {answer.status_code for answer in tries} == {401}
    assert all("do not go together" in answer.text for answer in tries)
    elsewhere = await sign_in(browser, "nowhere", mia.email)
    assert (elsewhere.status_code, "do not go together" in elsewhere.text) == (401, True)
    assert not browser.cookies


@pytest.mark.feature("O3")
async def test_what_was_not_given_is_asked_for_and_is_no_try(browser: httpx.AsyncClient, org: Organization) -> None:
    for email, password, field in (("", "", "email"), (" ", "wrong", "email"), ("mia@x.example", "", "password")):
        refused = await sign_in(browser, org.slug, email, password)
        assert (refused.status_code, f'id="error-{field}">This is needed.' in refused.text) == (422, True)
        assert ('id="error-password"' in refused.text) is (not password)
    entries = (await org.get("/audit", action="sign_in.refused"))["data"]
    assert entries == []


@pytest.mark.feature("O2")
async def test_what_cannot_be_a_name_in_addresses_is_refused_at_the_field(browser: httpx.AsyncClient) -> None:
    refused = await browser.post("/sign-in", data={"organization": "Beta & Söhne"})
    assert refused.status_code == 422
    assert 'id="error-organization">This is no name in addresses. Use small letters' in refused.text
    assert 'value="beta &amp; söhne"' in refused.text
    accepted = await browser.post("/sign-in", data={"organization": " Beta-2 "})
    assert accepted.headers["location"] == "/beta-2/sign-in"


@pytest.mark.feature("O3")
async def test_guessing_gets_slower_and_slower(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    database = muster.muster.database
    organization = (await org.get("/me"))["organization"]["id"]
    # Tries at once count as many.
    answers = await asyncio.gather(*(sign_in(browser, org.slug, mia.email, f"guess {number}") for number in range(6)))
    assert {answer.status_code for answer in answers} == {401}
    async with database.write(organization) as session:
        tries = (await session.scalars(select(Throttle))).one()
        assert tries.failures == 6
        # The first waits are over before a slow machine has asked again.
        tries.until = now() + timedelta(minutes=10)
    slow = await sign_in(browser, org.slug, mia.email, "guess")
    assert slow.status_code == 429
    assert 540 < int(slow.headers["retry-after"]) <= 600
    assert "Too many tries. The next one is possible in 10 minutes." in slow.text
    assert re.search(r'id="field-password"[^>]* autofocus', slow.text)
    assert (await sign_in(browser, org.slug, mia.email)).status_code == 429
    # Whoever is called something else is not slowed down, and whether there is such a person makes no difference.
    assert (await sign_in(browser, org.slug, "other@x.example")).status_code == 401
    async with database.write(organization) as session:
        refused = select(func.count(AuditRow.id)).where(AuditRow.action == "sign_in.refused", AuditRow.who == mia.email)
        assert await session.scalar(refused) == 6
        slowed = select(func.count(AuditRow.id)).where(AuditRow.action == "sign_in.throttled", AuditRow.who == mia.email)
        assert await session.scalar(slowed) == 1
        await session.execute(update(Throttle).values(until=now() + timedelta(seconds=130)))
    assert "The next one is possible in 3 minutes." in (await sign_in(browser, org.slug, mia.email)).text
    async with database.write(organization) as session:
        await session.execute(update(Throttle).values(until=now() - timedelta(seconds=1)))
    assert (await sign_in(browser, org.slug, mia.email)).status_code == 303
    async with database.read(organization) as session:
        left = await session.scalars(select(Throttle.failures).where(Throttle.failures > 1))
        assert left.all() == []


@pytest.mark.feature("O3")
async def test_a_session_ends_at_once_with_its_account(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    await sign_in(browser, org.slug, mia.email)
    assert (await browser.get(f"/{org.slug}/inbox")).status_code == 200
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        await session.execute(update(Account).where(Account.id == mia.account).values(active=False))
    assert (await browser.get(f"/{org.slug}/inbox")).status_code == 303
    assert (await sign_in(browser, org.slug, mia.email)).status_code == 401
    assert (await mia.api.get("/me")).status_code == 401


@pytest.mark.feature("O3")
@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/{slug}",
        "//evil.example/{slug}",
        "/\\evil.example/{slug}",
        "/{slug}\\..\\evil",
        "/other/incidents",
        "/{slug}x",
        "javascript:alert(1)",
        "/{slug}/\tevil",
        "/{slug}/sign-in?next=/{slug}/sign-in",
        "",
    ],
)
async def test_signing_in_leads_nowhere_else(browser: httpx.AsyncClient, org: Organization, mia: Member, wanted: str) -> None:
    answer = await sign_in(browser, org.slug, mia.email, next=wanted.format(slug=org.slug))
    assert answer.headers["location"] == f"/{org.slug}"


@pytest.mark.feature("O3")
async def test_no_other_site_can_sign_anyone_in(browser: httpx.AsyncClient, org: Organization, mia: Member) -> None:
    browser.headers["Sec-Fetch-Site"] = "cross-site"
    for path in (f"/{org.slug}/sign-in", "/sign-in", f"/{org.slug}/forgot-password", f"/{org.slug}/invitation"):
        answer = await browser.post(path, data={"email": mia.email, "password": PASSWORD, "link": "x", "secret": "x"})
        assert answer.status_code == 403, path
    assert not browser.cookies


@pytest.mark.feature("O3")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 401),
        ({"Origin": "http://Muster.example", "Host": "muster.example"}, 401),
        ({"Sec-Fetch-Site": "none"}, 401),
        ({}, 401),
    ],
)
async def test_a_browser_without_fetch_metadata_says_by_origin_where_a_form_comes_from(
    browser: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await browser.post("/sign-in", data={"link": "x"}, headers=headers)).status_code == status


@pytest.mark.feature("O3")
async def test_a_form_from_the_public_address_is_our_own(muster: RunningMuster, browser: httpx.AsyncClient) -> None:
    origin = muster.muster.settings.base_url
    assert (await browser.post("/sign-in", data={"link": "x"}, headers={"Origin": origin})).status_code == 401


@pytest.mark.feature("O3", "O5")
async def test_a_forged_address_is_cut(browser: httpx.AsyncClient, org: Organization, mia: Member) -> None:
    browser.headers["X-Forwarded-For"] = "2001:db8::" + "f" * 50
    assert (await sign_in(browser, org.slug, mia.email, "wrong")).status_code == 401
    assert (await sign_in(browser, org.slug, mia.email)).status_code == 303
    entries = (await org.get("/audit", action="sign_in"))["data"]
    assert len(browser.headers["X-Forwarded-For"][:45]) == 45
    assert {entry["address"] for entry in entries} == {browser.headers["X-Forwarded-For"][:45]}


@pytest.mark.feature("O3")
async def test_under_https_cookies_are_bound_to_the_host(muster: RunningMuster) -> None:
    settings = Settings(data_dir=muster.muster.settings.data_dir, public_url="https://muster.example")
    async with running_muster(muster.muster.database, muster.muster.target, settings) as secure:
        org = await secure.organization()
        link = await secure.muster.accounts.issue_link(org.slug)
        async with httpx.AsyncClient(base_url=secure.base_url, headers=HTML) as browser:
            answer = await browser.post("/sign-in", data={"link": link})
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith(f"__Host-muster-{org.slug}=")
            assert all(word in cookie for word in ("Secure", "HttpOnly", "Path=/"))
            assert "Domain" not in cookie
        await org.api.aclose()


@pytest.mark.feature("O2")
async def test_sessions_in_several_organizations_come_and_go_alone(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    other = await muster.organization()
    async with member(muster, other, "Mia Elsewhere", Role.ADMIN, password=PASSWORD) as there:
        await sign_in(browser, org.slug, mia.email)
        await sign_in(browser, other.slug, there.email)
        here, beyond = (await browser.get(f"/{org.slug}")).text, (await browser.get(f"/{other.slug}")).text
        assert f'href="/{other.slug}"' in here
        assert f'href="/{org.slug}"' in beyond
        token = beyond.split('name="csrf_token" value="')[1].split('"')[0]
        # Each session has a token of its own, so a form of one organization is not good in the other.
        assert (await browser.post(f"/{org.slug}/sign-out", data={"csrf_token": token})).status_code == 403
        answer = await browser.post(f"/{other.slug}/sign-out", data={"csrf_token": token})
        assert answer.headers["location"] == f"/{other.slug}/sign-in?signed_out=true"
        left = (await browser.get(answer.headers["location"])).text
        assert f"You are signed out of {other.slug}." in left
        assert f'<a href="/{org.slug}">' in left
        assert (await browser.get(f"/{org.slug}")).status_code == 200
        assert (await browser.get(f"/{other.slug}")).status_code == 303
    await other.api.aclose()
