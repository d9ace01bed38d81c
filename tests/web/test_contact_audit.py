"""What changes of the contacts is in the audit log, by the API and by the pages (O5)."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from services.kit.clock import now
from tests.accounts.members import member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from tests.web.browser import Browser
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("O5")

Changed = tuple[dict[str, Any], dict[str, Any]]


async def entries(org: Organization, about: str) -> list[dict[str, Any]]:
    """The entries about something, the earliest first."""
    found: list[dict[str, Any]] = (await org.get("/audit", action=about, page_size=100))["data"]
    return found[::-1]


async def changes(org: Organization, about: str, identity: str) -> list[Changed]:
    """What changed of one thing, one entry after the other, after it was made."""
    _, *found = [each for each in await entries(org, about) if each["object"]["id"] == identity]
    assert {each["action"] for each in found} == {f"{about}changed"}
    return [(each["before"], each["after"]) for each in found]


def label(person: dict[str, Any]) -> str:
    return f"{person['name']} <{person['email']}>"


async def test_what_changes_of_a_team_is_told(browser: Browser, org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    made = await org.post("/teams", {"name": "Payments", "members": [ana["id"]], "terms": ["refund", "ledger"]})
    here, page = f"/teams/{made['id']}", f"/{org.slug}/contacts/teams/{made['id']}"
    await org.patch(here, {"name": "Payouts", "members": [ben["id"]]})
    await org.api.put(f"{here}/terms", json={"terms": ["ledger", "REFUND", "payout"]})
    await org.patch(here, {"notify": "list", "list_address": "pay@example.org"})
    await browser.send(page, f"{page}/members", individual="Ana")
    await browser.send(page, f"{page}/members/remove", member=ben["id"])
    await org.api.delete(here)
    told = [
        ({"name": "Payments", "members": [label(ana)]}, {"name": "Payouts", "members": [label(ben)]}),
        ({"terms": ["refund"]}, {"terms": ["REFUND", "payout"]}),
        ({"notify": "members", "list_address": None}, {"notify": "list", "list_address": "pay@example.org"}),
        ({"members": []}, {"members": [label(ana)]}),
        ({"members": [label(ben)]}, {"members": []}),
        ({"active": True}, {"active": False}),
    ]
    assert await changes(org, "team.", made["id"]) == told
    # What changes nothing, or is refused, is not told.
    await org.api.delete(here)
    await org.patch(here, {"name": "Payouts", "members": [ana["id"]], "notify": "list"})
    await browser.send(page, f"{page}/members", individual="Ana")
    problem(await org.api.patch(here, json={"name": "Lost", "members": ["nobody"]}), 422, "unknown")
    assert await changes(org, "team.", made["id"]) == told
    first = (await entries(org, "team."))[0]
    assert (first["action"], first["text"]) == ("team.created", "Olive Owner made the team “Payments”")
    assert first["after"] == {
        "name": "Payments", "members": [label(ana)], "notify": "members", "list_address": None,
        "terms": ["refund", "ledger"], "active": True,
    }  # fmt: skip


async def test_what_changes_of_an_on_call_service_is_told(browser: Browser, org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    primary = {
        "name": "Primary", "time_zone": "Europe/Berlin", "starts_at": "2026-11-23T09:00", "every": {"weeks": 1},
        "members": [ana["id"], ben["id"]],
    }  # fmt: skip
    hours = [{"weekdays": ["mon", "tue", "wed"], "from": "22:00", "until": "06:00"}]
    nights = primary | {"name": "Nights", "members": [ben["id"]], "every": {"days": 1}, "only": hours}
    made = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [primary]}})
    here, page = f"/oncall-services/{made['id']}", f"/{org.slug}/contacts/on-call/{made['id']}"
    await org.patch(here, {"rotation": {"layers": [primary, nights]}})
    await browser.send(f"{page}/layers/0", f"{page}/layers/0/remove")
    await org.api.put(f"{here}/terms", json={"terms": ["double booking"]})
    await org.api.delete(here)
    await org.patch(here, {"name": "Ledger", "active": False})
    one = f"1. Primary: {label(ana)} → {label(ben)}. Every week, on Monday at 09:00, Europe/Berlin, from 2026-11-23"
    two = f"2. Nights: {label(ben)}. Every day at 09:00, Europe/Berlin, from 2026-11-23, only Mon–Wed 22:00–06:00"
    assert await changes(org, "oncall_service.", made["id"]) == [
        ({"layers": []}, {"layers": [two]}),
        ({"layers": [one, two]}, {"layers": [two.replace("2.", "1.", 1)]}),
        ({"terms": []}, {"terms": ["double booking"]}),
        ({"active": True}, {"active": False}),
    ]
    first = (await entries(org, "oncall_service."))[0]
    assert (first["action"], first["after"]) == (
        "oncall_service.created",
        {"name": "Ledger", "layers": [one], "terms": [], "active": True},
    )


async def test_who_is_put_on_call_for_a_while_is_told(org: Organization) -> None:
    cai = await org.individual("Cai")
    made = await org.post("/oncall-services", {"name": "Ledger"})
    here = f"/oncall-services/{made['id']}/overrides"
    told = []
    for begin in (timedelta(hours=1), timedelta(hours=-1)):
        body = {"individual": "Cai", "from": (now() + begin).isoformat(), "until": (now() + timedelta(hours=2)).isoformat()}
        over = await org.post(here, body)
        told.append({"individual": label(cai), "from": over["from"], "until": over["until"]})
        assert (await org.api.delete(f"{here}/{over['id']}")).status_code == 204
    problem(await org.api.delete(f"{here}/{over['id']}"), 409, "over")
    found = await entries(org, "oncall_service.override_added") + await entries(org, "oncall_service.override_removed")
    assert [(each["before"], each["after"]) for each in found] == [*(({}, each) for each in told), *((each, {}) for each in told)]
    assert {each["object"]["name"] for each in found} == {"Ledger"}


async def test_what_administrators_change_of_individuals_is_told(muster: RunningMuster, org: Organization) -> None:
    ana = await org.post(
        "/individuals", {"name": "Ana", "email": "ana@x.example", "addresses": ["a@x.example"], "terms": ["disk"]}
    )
    here = f"/individuals/{ana['id']}"
    await org.patch(here, {"name": "Ana B", "addresses": ["a@x.example", "b@x.example"]})
    await org.api.put(f"{here}/terms", json={"terms": ["quota"]})
    await org.api.delete(here)
    told = [
        ({"name": "Ana", "addresses": []}, {"name": "Ana B", "addresses": ["b@x.example"]}),
        ({"terms": ["disk"]}, {"terms": ["quota"]}),
        ({"active": True}, {"active": False}),
    ]
    assert await changes(org, "contact.", ana["id"]) == told
    await org.patch(here, {"name": "Ana B", "active": False})
    await org.api.put(f"{here}/terms", json={"terms": ["quota"]})
    problem(await org.api.patch(here, json={"name": "Ana C", "email": f"olive@{org.slug}.example"}), 422, "email_taken")
    assert await changes(org, "contact.", ana["id"]) == told
    first = (await entries(org, "contact."))[0]
    assert first["text"] == "Olive Owner added the contact Ana"
    assert first["after"] == {
        "name": "Ana", "email": "ana@x.example", "addresses": ["a@x.example"], "active": True, "terms": ["disk"]
    }  # fmt: skip


async def test_terms_that_people_set_for_themselves_are_told_of_administrators(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia, member(muster, org, "Ada", Role.ADMIN) as ada:
        for each in (mia, ada):
            await each.api.put(f"/individuals/{each.individual}/terms", json={"terms": ["disk"]})
        await ada.api.put(f"/individuals/{mia.individual}/terms", json={"terms": ["quota"]})
        # Hers open restricted incidents, and Mia's do not.
        assert [(each["who"]["name"], each["object"]["id"]) for each in await entries(org, "contact.changed")] == [
            ("Ada", ada.individual),
            ("Ada", mia.individual),
        ]


async def test_the_page_tells_it_in_words(browser: Browser, org: Organization) -> None:
    ana = await org.individual("Ana")
    made = await org.post("/oncall-services", {"name": "Ledger"})
    body = {"individual": ana["id"], "from": "2050-07-01T13:00:00Z", "until": "2050-07-02T13:00:00Z"}
    await org.post(f"/oncall-services/{made['id']}/overrides", body)
    page = (await browser.get(f"/{org.slug}/settings/audit?about=oncall_service.")).text
    assert '<option value="oncall_service." selected>On-call services</option>' in page
    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
    told = ("individual " + label(ana), "from 1 July 2050, 13:00 UTC", "until 2 July 2050, 13:00 UTC")
    for each in ("Olive Owner added an override to the on-call service “Ledger”", *told):
        assert each in words
