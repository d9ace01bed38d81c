"""Setting a password by the secret of a mail (O3)."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update

from services.accounts.recovery import AGAIN
from services.accounts.throttling import FORGET
from services.kit.clock import now
from services.store.accounts import Account, Credential, Throttle
from services.store.audit import AuditRow
from tests.accounts.members import PASSWORD, Member, member
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role

NEW = "nine loud geese hurry on"


async def mails(org: Organization, recipient: str) -> list[str]:
    """The texts of the mails to someone, as the built-in inbox has them, the latest first."""
    found = (await org.get("/inbox", recipient=recipient))["data"]
    return [str(message["text"]) for message in found if message["incident"] is None]


async def asked(browser: httpx.AsyncClient, org: Organization, mia: Member, count: int = 1) -> str:
    """The secret of the mail that is sent to whoever forgot the password."""
    answer = await browser.post(f"/{org.slug}/forgot-password", data={"email": mia.email.upper()})
    assert answer.status_code == 200

    async def arrived() -> bool:
        return len(await mails(org, mia.individual)) == count

    await org.until(arrived)
    found = re.search(rf"/{org.slug}/reset-password\?secret=(\S+)", (await mails(org, mia.individual))[0])
    assert found
    return found.group(1)


async def grow_old(muster: RunningMuster, org: Organization) -> None:
    """As if what was asked for had been five minutes ago."""
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        await session.execute(update(Credential).values(created_at=now() - AGAIN))


@pytest.mark.feature("O3")
async def test_a_forgotten_password_is_set_anew_by_mail_and_every_session_ends(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    await browser.post(f"/{org.slug}/sign-in", data={"email": mia.email, "password": PASSWORD})
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as other:
        secret = await asked(other, org, mia)
        form = f"/{org.slug}/reset-password"
        page = await other.get(form, params={"secret": secret})
        assert mia.email in page.text
        assert page.headers["referrer-policy"] == "same-origin" or page.headers["referrer-policy"] == "no-referrer"
        # Looking spends nothing, and neither does a password that will not do.
        for weak in ("short", "Mia Member Mia Member", "aaaaaaaaaaaaaaaaaaaa", "passwordpassword", "x" * 257):
            refused = await other.post(form, data={"secret": secret, "password": weak})
            assert refused.status_code == 422, weak
        answers = await asyncio.gather(*(other.post(form, data={"secret": secret, "password": NEW}) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [303, 401, 401]
        assert (await other.get(f"/{org.slug}/inbox")).status_code == 200
    assert (await browser.get(f"/{org.slug}/inbox")).status_code == 303
    assert (await browser.post(f"/{org.slug}/sign-in", data={"email": mia.email, "password": PASSWORD})).status_code == 401
    assert (await browser.post(f"/{org.slug}/sign-in", data={"email": mia.email, "password": NEW})).status_code == 303
    async with muster.muster.database.read((await org.get("/me"))["organization"]["id"]) as session:
        rows = list(await session.scalars(select(AuditRow)))
    assert {"password.reset_asked", "password.reset", "sign_in"} <= {row.action for row in rows}
    assert not any(secret in str(vars(row)) or NEW in str(vars(row)) for row in rows)


@pytest.mark.feature("O3")
async def test_whether_there_is_an_account_cannot_be_told(browser: httpx.AsyncClient, org: Organization, mia: Member) -> None:
    known = await browser.post(f"/{org.slug}/forgot-password", data={"email": mia.email})
    unknown = await browser.post(f"/{org.slug}/forgot-password", data={"email": "nobody@x.example"})
    nowhere = await browser.post("/nowhere/forgot-password", data={"email": "nobody@x.example"})
    assert {known.status_code, unknown.status_code, nowhere.status_code} == {200}
    assert known.text.replace(mia.email, "") == unknown.text.replace("nobody@x.example", "")


@pytest.mark.feature("O3")
@pytest.mark.parametrize(("page", "status"), [("sign-in", 401), ("forgot-password", 200)])
async def test_many_tries_tell_no_more_of_an_organization_than_one(
    browser: httpx.AsyncClient, org: Organization, page: str, status: int
) -> None:
    for slug in (org.slug, f"no-{org.slug}"):

        async def once(path: str = f"/{slug}/{page}") -> httpx.Response:
            return await browser.post(path, data={"email": "nobody@x.example", "password": "wrong"})

        assert {answer.status_code for answer in await asyncio.gather(*(once() for _ in range(6)))} == {status}
        # Waits double, so that even a slow machine asks again within one.
        answers = [answer for _ in range(8) if (answer := await once()).status_code == 429]
        assert answers
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)


@pytest.mark.feature("O3")
async def test_asking_again_does_not_replace_the_letter_that_was_just_sent(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    path, form = f"/{org.slug}/forgot-password", {"email": mia.email}
    first, again = await asyncio.gather(*(browser.post(path, data=form) for _ in range(2)))
    assert (first.status_code, again.status_code, first.text) == (200, 200, again.text)
    secret = await asked(browser, org, mia)
    assert (await browser.post(path, data=form)).text == first.text
    answer = await browser.post(f"/{org.slug}/reset-password", data={"secret": secret, "password": NEW})
    assert answer.status_code == 303
    assert len((await org.get("/audit", action="password.reset_asked"))["data"]) == 1
    # It is spent, so there may be another one at once, and success has forgotten the tries.
    await asked(browser, org, mia, 2)
    async with muster.muster.database.read((await org.get("/me"))["organization"]["id"]) as session:
        assert [row.failures for row in await session.scalars(select(Throttle))] == [1]


@pytest.mark.feature("O3")
async def test_asking_for_a_letter_and_signing_in_are_counted_apart_and_forgotten_in_time(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    organization = (await org.get("/me"))["organization"]["id"]
    for typed in (f"reset {mia.email}", f"reset\n{mia.email}", mia.email):
        await browser.post(f"/{org.slug}/sign-in", data={"email": typed, "password": "wrong"})
    await browser.post(f"/{org.slug}/forgot-password", data={"email": mia.email})
    async with muster.muster.database.write(organization) as session:
        assert {row.failures for row in await session.scalars(select(Throttle))} == {1}
        await session.execute(update(Throttle).values(until=now() - FORGET - timedelta(seconds=1)))
    await browser.post(f"/{org.slug}/sign-in", data={"email": "nobody@x.example", "password": "wrong"})
    async with muster.muster.database.read(organization) as session:
        assert len(list(await session.scalars(select(Throttle)))) == 1


@pytest.mark.feature("O3")
async def test_a_secret_is_good_for_one_thing_in_one_organization_for_a_while(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    first = await asked(browser, org, mia)
    await grow_old(muster, org)
    second = await asked(browser, org, mia, 2)
    other = await muster.organization()
    tries = [(org.slug, "invitation", second), (other.slug, "reset-password", second), (org.slug, "reset-password", first)]
    for slug, page, secret in tries:
        answer = await browser.post(f"/{slug}/{page}", data={"secret": secret, "password": NEW})
        assert answer.status_code == 401, (slug, page)
        assert "does not work" in answer.text
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        await session.execute(update(Credential).values(expires_at=now() - timedelta(seconds=1)))
    answer = await browser.post(f"/{org.slug}/reset-password", data={"secret": second, "password": NEW})
    assert answer.status_code == 401
    await other.api.aclose()


@pytest.mark.feature("O3", "O4")
async def test_an_owners_letter_is_for_owners_alone(muster: RunningMuster, browser: httpx.AsyncClient, org: Organization) -> None:
    async with (
        member(muster, org, "Otto Owner", Role.OWNER) as otto,
        member(muster, org, "Ada Admin", Role.ADMIN) as ada,
    ):
        await asked(browser, org, otto)
        assert (await ada.api.get("/inbox", params={"recipient": otto.individual})).json()["data"] == []
        assert len(await mails(org, otto.individual)) == 1


@pytest.mark.feature("O3")
async def test_a_deactivated_account_is_not_let_in_by_mail(
    muster: RunningMuster, browser: httpx.AsyncClient, org: Organization, mia: Member
) -> None:
    secret = await asked(browser, org, mia)
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        await session.execute(update(Account).where(Account.id == mia.account).values(active=False))
    answer = await browser.post(f"/{org.slug}/reset-password", data={"secret": secret, "password": NEW})
    assert answer.status_code == 401
