"""What people set for themselves (O2)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from services.accounts import repository
from services.accounts.profile import browser as in_words
from services.kit.clock import now
from services.store.accounts import Account, Throttle
from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML, Browser

OLD, NEW = "seventeen purple herons", "a wholly different sentence"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@asynccontextmanager
async def signed_in(muster: RunningMuster, org: Organization, agent: str = FIREFOX) -> AsyncIterator[Browser]:
    """A browser of the owner's."""
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML | {"User-Agent": agent}) as client:
        link = await muster.muster.accounts.issue_link(org.slug)
        assert (await client.post("/sign-in", data={"link": link})).status_code == 303
        yield Browser(client, org.slug)


async def set_password(browser: Browser, old: str, new: str) -> httpx.Response:
    here = f"/{browser.slug}/preferences"
    return await browser.send(here, f"{here}/password", old_password=old, password=new)


async def save(browser: Browser, **more: str) -> httpx.Response:
    here = f"/{browser.slug}/preferences"
    return await browser.send(here, here, **{"name": "Olive Owner", "theme": "system"} | more)


async def sign_in(muster: RunningMuster, org: Organization, password: str) -> int:
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE) as client:
        form = {"email": f"olive@{org.slug}.example", "password": password}
        return (await client.post(f"/{org.slug}/sign-in", data=form)).status_code


@pytest.mark.feature("O2")
async def test_me_is_changed_by_api(org: Organization) -> None:
    me = await org.get("/me")
    assert me["email"] == f"olive@{org.slug}.example"
    assert set(me["scopes"]) == {"read", "report", "write", "admin"}
    assert me["preferences"] == {
        "time_zone": None, "theme": "system", "chat_identity": "", "quiet_from": None, "quiet_until": None, "channel": None
    }  # fmt: skip
    await org.patch("/me", {"preferences": {"time_zone": "Asia/Kathmandu", "quiet_from": "22:00", "quiet_until": "07:00"}})
    changed = await org.patch("/me", {"name": "Olivia", "preferences": {"theme": "dark"}})
    assert changed["preferences"] == me["preferences"] | {
        "time_zone": "Asia/Kathmandu", "theme": "dark", "quiet_from": "22:00:00", "quiet_until": "07:00:00"
    }  # fmt: skip
    assert changed["version"] == me["version"] + 2
    assert (await org.get(f"/individuals/{me['individual']['id']}"))["name"] == "Olivia"
    entry = (await org.get("/audit"))["data"][0]
    assert (entry["action"], entry["before"], entry["after"]) == ("account.renamed", {"name": "Olive Owner"}, {"name": "Olivia"})
    problem(await org.api.patch("/me", json={"name": "x"}, headers={"If-Match": '"1"'}), 412, "version_conflict")


@pytest.mark.feature("O2")
async def test_what_cannot_be_preferred_is_refused_at_its_field(org: Organization) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"time_zone": "Middle/Earth"}, "preferences.time_zone"),
        ({"time_zone": "localtime"}, "preferences.time_zone"),
        ({"theme": "pink"}, "preferences.theme"),
        ({"channel": "pigeon"}, "preferences.channel"),
        ({"quiet_from": "25:00"}, "preferences.quiet_from"),
        ({"quiet_from": "22:00"}, "preferences"),
        ({"shoe_size": 7}, "preferences.shoe_size"),
    ]
    for preferences, field in wrong:
        assert fields(problem(await org.api.patch("/me", json={"preferences": preferences}), 422, "invalid")) == {field}
    await org.patch("/me", {"preferences": {"quiet_from": "22:00", "quiet_until": "07:00"}})
    half = await org.api.patch("/me", json={"preferences": {"quiet_until": None}})
    assert fields(problem(half, 422, "quiet_hours")) == {"preferences.quiet_until"}
    assert (await org.get("/me"))["preferences"]["quiet_until"] == "07:00:00"


@pytest.mark.feature("O2")
async def test_a_zone_that_is_another_on_each_machine_counts_as_none(muster: RunningMuster, org: Organization) -> None:
    me = await org.get("/me")
    async with muster.muster.database.write(me["organization"]["id"]) as session:
        await session.execute(update(Account).where(Account.id == me["account"]).values(preferences={"time_zone": "localtime"}))
    assert (await org.get("/me"))["preferences"]["time_zone"] is None


@pytest.mark.feature("O2")
async def test_preferences_are_set_on_their_page(muster: RunningMuster, org: Organization) -> None:
    async with signed_in(muster, org) as browser:
        wanted = {"name": "Olivia", "time_zone": "Europe/Lisbon", "theme": "dark", "quiet_from": "22:30", "quiet_until": "06:00"}
        saved = await save(browser, **wanted, channel="chat", chat_identity="@olivia")
        assert saved.headers["location"] == f"/{org.slug}/preferences?done=saved"
        page = (await browser.get(f"/{org.slug}/preferences")).text
        for value in (*wanted.values(), "@olivia"):
            assert f'value="{value}"' in page
        assert 'data-theme="dark"' in page
        assert 'data-time-zone="Europe/Lisbon"' in page
        refused = await save(browser, time_zone="Nowhere", quiet_from="10:00")
        assert refused.status_code == 422
        assert "is not a time zone" in refused.text
        assert 'value="Nowhere"' in refused.text
        half = await save(browser, quiet_from="10:00")
        assert 'id="error-quiet_until">Quiet hours need a beginning and an end.' in half.text
        half = await save(browser, quiet_until="10:00")
        assert 'id="error-quiet_from">Quiet hours need a beginning and an end.' in half.text
        assert (await save(browser)).status_code == 303
        assert (await org.get("/me"))["preferences"]["time_zone"] is None
        here = f"/{org.slug}/preferences"
        assert (await browser.send(here, f"{here}/theme", theme="light")).status_code == 303
        assert (await org.get("/me"))["preferences"]["theme"] == "light"
        assert (await browser.send(here, f"{here}/theme", theme="pink")).status_code == 422


@pytest.mark.feature("O2")
async def test_times_are_written_in_the_readers_zone_and_in_utc_beside(muster: RunningMuster, org: Organization) -> None:
    until = (now() + timedelta(days=40)).replace(hour=20, minute=45, second=0, microsecond=0)
    await org.post("/tokens", {"name": "Mine", "scopes": ["read"], "expires_at": until.isoformat()})
    await org.patch("/me", {"preferences": {"time_zone": "Asia/Kathmandu"}})
    async with signed_in(muster, org) as browser:
        page = (await browser.get(f"/{org.slug}/settings/tokens")).text
    # There it is 2:30 of the next day.
    assert f">{until + timedelta(days=1):%-d %b %Y}<" in page
    assert f'title="{until:%-d %B %Y}, 20:45 UTC"' in page


@pytest.mark.feature("O2", "O3")
async def test_a_password_is_changed_with_the_old_one_and_ends_other_sessions(muster: RunningMuster, org: Organization) -> None:
    async with signed_in(muster, org) as here, signed_in(muster, org, CHROME) as there:
        assert "Present password" not in (await here.get(f"/{org.slug}/preferences")).text
        assert (await set_password(here, "", "too short")).status_code == 422
        assert (await set_password(here, "", OLD)).status_code == 303
        assert (await there.get(f"/{org.slug}")).status_code == 303
        assert await sign_in(muster, org, OLD) == 303
        wrong = await set_password(here, "not the old one", NEW)
        assert wrong.status_code == 422
        assert "This is not your present password." in wrong.text
        guessable = await set_password(here, OLD, "olive owner olive owner")
        assert guessable.status_code == 422
        assert "first that would be tried" in guessable.text
        assert (await set_password(here, OLD, NEW)).status_code == 303
        assert (await here.get(f"/{org.slug}")).status_code == 200
        assert await sign_in(muster, org, OLD) == 401
        assert await sign_in(muster, org, NEW) == 303
    assert [entry["via"] for entry in (await org.get("/audit", action="password."))["data"]] == ["session", "session"]


@pytest.mark.feature("O3")
async def test_guessing_the_old_password_is_slowed_down_as_at_signing_in(muster: RunningMuster, org: Organization) -> None:
    async with signed_in(muster, org) as browser:
        await set_password(browser, "", OLD)
        # What is refused for the new one is a try as well.
        answers = [await set_password(browser, OLD, "too short"), *[await set_password(browser, "guess", NEW) for _ in range(5)]]
        assert [answer.status_code for answer in answers] == [422] * 6
        async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
            await session.execute(update(Throttle).values(until=now() + timedelta(minutes=10)))
        slow = await set_password(browser, OLD, NEW)
        assert slow.status_code == 429
        assert int(slow.headers["Retry-After"]) >= 540
        assert await sign_in(muster, org, OLD) == 429
    (slowed,) = (await org.get("/audit", action="sign_in.throttled"))["data"]
    assert slowed["text"] == "Olive Owner failed so often that the next tries have to wait"


@pytest.mark.feature("O2")
async def test_other_sessions_are_ended_one_by_one_and_all_at_once(muster: RunningMuster, org: Organization) -> None:
    page = f"/{org.slug}/preferences"
    async with (
        signed_in(muster, org) as here,
        signed_in(muster, org, CHROME) as there,
        signed_in(muster, org, "curl/8") as elsewhere,
        member(muster, org) as mia,
    ):
        shown = (await here.get(page)).text
        assert [shown.count(name) > 0 for name in ("Firefox on Linux", "Chrome on Windows", "A browser")] == [True] * 3
        assert re.search(r"Signed in on <time [^>]*>[^<]+</time> at <time [^>]*>\d\d:\d\d</time> from 127\.0\.0\.1<", shown)
        last = re.findall(r'name="session" value="([^"]*)"', shown)[0]
        ended = await here.send(page, f"{page}/sessions/end", session=last)
        assert ended.headers["location"] == f"{page}?done=session"
        states = [(await each.get(f"/{org.slug}")).status_code for each in (here, there, elsewhere)]
        assert states == [200, 200, 303]
        assert (await here.send(page, f"{page}/sessions/end", session=last)).status_code == 404
        assert (await here.send(page, f"{page}/sessions/end", session="")).status_code == 303
        assert [(await each.get(f"/{org.slug}")).status_code for each in (here, there)] == [200, 303]
        assert (await mia.api.get("/me")).status_code == 200
    actions = [entry["action"] for entry in (await org.get("/audit", action="session"))["data"]]
    assert actions == []
    assert {entry["action"] for entry in (await org.get("/audit"))["data"]} >= {"session.ended", "sessions.ended"}


@pytest.mark.feature("O3")
async def test_a_token_does_not_change_how_people_sign_in_and_makes_no_session(muster: RunningMuster, org: Organization) -> None:
    headers = {"Authorization": f"Bearer {org.token}"}
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=headers) as client:
        for path in ("password", "sessions/end"):
            refused = await client.post(f"/{org.slug}/preferences/{path}", data={"password": NEW})
            problem(refused, 403, "session_needed")
        another = {"slug": f"{org.slug}-2", "name": "Another"}
        problem(await client.post(f"/{org.slug}/settings/organizations/new", data=another), 403, "session_needed")
        assert not client.cookies
    async with muster.muster.database.read() as session:
        assert await repository.organization_by_slug(session, another["slug"]) is None


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (CHROME + " Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "A browser"),
        ("", "A browser"),
    ],
)  # fmt: skip
def test_a_browser_is_told_in_words(label: str, said: str) -> None:
    assert in_words(label) == said
