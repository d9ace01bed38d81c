"""Teams and on-call services, on their pages and without scripts (E1, E10)."""

import html
import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update

from services.engagement.oncall.provider import Duty, ProviderFailed
from services.engagement.oncall.wording import lines_of
from services.engagement.rotation import MAX_HOURS, Hours
from services.engagement.targets import PROVIDERS
from services.kit.clock import now
from services.kit.errors import Invalid
from services.store.teams import OnCallService
from services.web.rota import hours_of
from tests.accounts.members import member
from tests.support.providers import Momentary
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML, Browser
from workflows.domain.policy import Role


def said_at(page: str, field: str) -> str:
    """What stands at a field."""
    found = re.search(rf'id="error-{field}">(.*?)</span>', page, re.DOTALL)
    return "" if found is None else html.unescape(found[1])


def value_of(page: str, field: str) -> str:
    found = re.search(
        rf'<textarea id="field-{field}".*?>\n?(.*?)</textarea>|id="field-{field}"[^>]*? value="([^"]*)"', page, re.DOTALL
    )
    assert found, field
    return html.unescape(found[1] if found[1] is not None else found[2])


@pytest.mark.feature("E1")
async def test_a_team_is_made_and_changed(browser: Browser, org: Organization) -> None:
    for name in ("Ana", "Ben", "Cai"):
        await org.individual(name)
    here = f"/{org.slug}/contacts/teams"
    wrong = await browser.send(here, here, name="Payments", members="Ana\nNobody", terms="refund")
    assert wrong.status_code == 422
    assert said_at(wrong.text, "members").startswith("Nobody here is called Nobody.")
    assert value_of(wrong.text, "members") == "Ana\nNobody"
    assert (await org.get("/teams"))["data"] == [], "what was refused left nothing behind"
    made = await browser.send(here, here, name="Payments", members="Ana\r\nben\r\n", terms="refund")
    page = made.headers["location"].partition("?")[0]
    shown = (await browser.get(made.headers["location"])).text
    assert "The team was added." in shown
    assert value_of(shown, "terms") == "refund"
    assert (await browser.send(page, f"{page}/members", individual="cai")).status_code == 303
    twice = await browser.send(page, f"{page}/members", individual="who?")
    assert said_at(twice.text, "individual").startswith("Nobody here is called who?.")
    team = await org.get(f"/teams/{page.rsplit('/', 1)[1]}")
    assert [each["name"] for each in team["members"]] == ["Ana", "Ben", "Cai"]
    await browser.send(page, f"{page}/members/remove", member=team["members"][0]["id"])
    changes = {"name": "Payouts", "terms": "refund\nledger", "notify": "list", "active": "true"}
    missing = await browser.send(page, page, **changes)
    assert said_at(missing.text, "list_address") == "Give the address of the list that is to be notified."
    assert (await org.get(f"/teams/{team['id']}"))["name"] == "Payments", "all or nothing"
    assert (await browser.send(page, page, **changes, list_address="pay@example.org")).status_code == 303
    changed = await org.get(f"/teams/{team['id']}")
    assert [each["name"] for each in changed["members"]] == ["Ben", "Cai"]
    assert (changed["name"], changed["list_address"], changed["terms"]) == ("Payouts", "pay@example.org", ["refund", "ledger"])


@pytest.mark.feature("C11")
async def test_of_two_who_edit_a_team_the_second_is_told(browser: Browser, org: Organization) -> None:
    team = await org.post("/teams", {"name": "Payments"})
    page = f"/{org.slug}/contacts/teams/{team['id']}"
    await org.patch(f"/teams/{team['id']}", {"name": "Payouts"})
    stale = {"version": "1", "name": "Mine", "terms": "", "notify": "members", "active": "true"}
    answer = await browser.send(page, page, **stale)
    assert answer.status_code == 412
    assert "Someone changed this while you were editing." in answer.text
    assert value_of(answer.text, "name") == "Mine"


@pytest.mark.feature("E1")
async def test_large_teams_are_shown_page_by_page(browser: Browser, org: Organization) -> None:
    people = [(await org.post("/individuals", {"name": f"P{n:03}", "email": f"{n}@x.example"}))["id"] for n in range(103)]
    team = await org.post("/teams", {"name": "Everyone", "members": people})
    page = f"/{org.slug}/contacts/teams/{team['id']}"
    first = (await browser.get(page)).text
    assert ("P099" in first, "P100" in first) == (True, False)
    behind = re.search(r'href="([^"]+)" rel="next"', first)
    assert behind
    rest = (await browser.get(html.unescape(behind[1]))).text
    assert ("P099" in rest, "P102" in rest, 'rel="next"' in rest) == (False, True, False)


@pytest.mark.feature("E10")
async def test_a_rotation_is_made_by_hand(browser: Browser, org: Organization) -> None:
    for name in ("Ana", "Ben", "Cai"):
        await org.individual(name)
    here = f"/{org.slug}/contacts/on-call"
    page = (await browser.send(here, here, name="Ledger", terms="double booking")).headers["location"].partition("?")[0]
    assert "Nobody is on call" in (await browser.get(page)).text
    monday = now() - timedelta(days=now().weekday() + 7)
    layer = {
        "name": "Primary",
        "members": "Ana\nBen",
        "time_zone": "Europe/Berlin",
        "starts_at": f"{monday:%Y-%m-%d}T09:00",
        "number": "1",
        "unit": "weeks",
        "only": "",
    }
    wrong = [
        ({"members": ""}, "members", "Name at least one person"),
        ({"members": "Ana\nZoe"}, "members", "Nobody here is called Zoe."),
        ({"time_zone": "Berlin"}, "time_zone", "This is not a time zone; they are called like Europe/Berlin."),
        ({"starts_at": "tomorrow"}, "starts_at", "Give a date and a time"),
        ({"number": "0"}, "number", "Give a number of days"),
        ({"only": "whenever"}, "only", "“whenever” cannot be read."),
        ({"only": "Mon 25:00–26:00"}, "only", ""),
        ({"name": ""}, "name", "This is needed."),
    ]
    new = f"{page}/layers/new"
    for change, field, message in wrong:
        answer = await browser.send(new, new, **(layer | change))
        assert answer.status_code == 422
        assert said_at(answer.text, field).startswith(message or "")
        assert said_at(answer.text, field)
        assert value_of(answer.text, "members") == (layer | change)["members"]
    assert (await browser.send(new, new, **layer)).status_code == 303
    over = layer | {"name": "Nights", "members": "Cai", "only": "mon-fri 22:00-6:00\nSat, Sun 00:00 – 00:00"}
    assert (await browser.send(new, new, **over)).status_code == 303
    shown = (await browser.get(page)).text
    assert "Every week, on Monday at 09:00, Europe/Berlin" in shown
    assert "Only Mon–Fri 22:00–06:00" in shown
    nights = f"{page}/layers/1"
    assert value_of((await browser.get(nights)).text, "only") == "Mon–Fri 22:00–06:00\nSat–Sun 00:00–00:00"
    assert (await browser.send(nights, f"{nights}/remove")).status_code == 303
    service = await org.get(f"/oncall-services/{page.rsplit('/', 1)[1]}")
    assert [each["name"] for each in service["rotation"]["layers"]] == ["Primary"]
    assert (await browser.get(nights)).status_code == 404
    edited = await browser.send(f"{page}/edit", f"{page}/edit", name="Ledger service", terms="ledger", active="true")
    assert edited.status_code == 303
    assert (await org.get("/oncall-services"))["data"][0]["name"] == "Ledger service"


@pytest.mark.feature("E10")
async def test_the_next_layer_follows_from_those_there_are(browser: Browser, org: Organization) -> None:
    ana = await org.individual("Ana")
    layer = {"name": "Mine", "time_zone": "Asia/Tokyo", "starts_at": "2026-01-05T09:00", "every": {"weeks": 1}}
    layer |= {"members": [ana["id"]]}
    for layers, name in (([], "Primary"), ([layer], "Secondary"), ([layer, layer | {"name": "Other"}], "Layer 3")):
        made = await org.post("/oncall-services", {"name": f"With {len(layers)}", "rotation": {"layers": layers}})
        page = (await browser.get(f"/{org.slug}/contacts/on-call/{made['id']}/layers/new")).text
        assert value_of(page, "name") == name
        assert value_of(page, "time_zone") == ("Asia/Tokyo" if layers else "UTC")


@pytest.mark.feature("E10")
async def test_the_page_tells_who_is_on_call_but_not_active_and_what_goes_on(browser: Browser, org: Organization) -> None:
    ana = await org.individual("Ana")
    layer = {"name": "All", "time_zone": "UTC", "starts_at": "2026-01-05T09:00", "every": {"weeks": 1}, "members": [ana["id"]]}
    made = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [layer]}})
    here = f"/{org.slug}/contacts/on-call"
    page = (await browser.get(f"{here}/{made['id']}")).text
    assert "after these two weeks" in page
    assert "not active" not in page
    await org.patch(f"/individuals/{ana['id']}", {"active": False})
    assert "Ana is on call, but is not active" in (await browser.get(f"{here}/{made['id']}")).text
    assert "On call, but not active" in (await browser.get(here)).text


@pytest.mark.feature("E1")
async def test_the_contacts_begin_with_the_individuals(browser: Browser, org: Organization) -> None:
    assert (await browser.get(f"/{org.slug}/contacts")).headers["location"] == f"/{org.slug}/contacts/individuals"


@pytest.mark.feature("E10")
async def test_an_override_is_on_the_clocks_of_its_zone(browser: Browser, org: Organization) -> None:
    await org.individual("Cai")
    service = await org.post("/oncall-services", {"name": "Ledger"})
    page = f"/{org.slug}/contacts/on-call/{service['id']}"
    good = {"individual": "Cai", "from": "2050-07-01T09:00", "until": "2050-07-02T09:00", "time_zone": "America/New_York"}
    for change, field in (
        ({"individual": "Zoe"}, "individual"),
        ({"from": ""}, "from"),
        ({"until": "2050-06-01T09:00"}, "until"),
        ({"time_zone": "?"}, "time_zone"),
    ):
        answer = await browser.send(page, f"{page}/overrides", **(good | change))
        assert answer.status_code == 422
        assert said_at(answer.text, field)
    saved = await browser.send(page, f"{page}/overrides", **good)
    assert saved.status_code == 303
    flash = re.search(r'<p class="flash good">(.*?)</p>', (await browser.get(saved.headers["location"])).text)
    assert flash
    assert re.sub(r"<[^>]*>", "", flash[1]) == "Saved: Cai is on call from Fri 1 Jul, 13:00 until Sat 2 Jul, 13:00, UTC."
    [override] = (await org.get(f"/oncall-services/{service['id']}"))["overrides"]
    assert override["from"] == "2050-07-01T13:00:00Z"
    assert (await browser.send(page, f"{page}/overrides/remove", override=override["id"])).status_code == 303
    assert (await org.get(f"/oncall-services/{service['id']}"))["overrides"] == []


@pytest.mark.feature("E10", "O2")
@pytest.mark.parametrize(("chosen", "shown"), [(None, "UTC"), ("Asia/Tokyo", "Asia/Tokyo")])
async def test_an_override_is_given_in_the_zone_of_its_page(
    browser: Browser, org: Organization, chosen: str | None, shown: str
) -> None:
    ana = await org.individual("Ana")
    await org.patch("/me", {"preferences": {"time_zone": chosen}})
    layer = {"name": "All", "time_zone": "Europe/Berlin", "starts_at": "2026-01-05T09:00", "every": {"weeks": 1}}
    made = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [layer | {"members": [ana["id"]]}]}})
    page = (await browser.get(f"/{org.slug}/contacts/on-call/{made['id']}")).text
    assert f"Times in <span data-zone>{shown}</span>" in page
    assert value_of(page, "time_zone") == shown


@pytest.mark.feature("O4")
async def test_who_does_not_keep_the_contacts_sees_no_form(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        team = await org.post("/teams", {"name": "Payments", "members": [mia.individual]})
        service = await org.post("/oncall-services", {"name": "Ledger"})
        mia.api.base_url = muster.base_url
        root = f"/{org.slug}/contacts"
        paths = ("teams", f"teams/{team['id']}", "on-call", f"on-call/{service['id']}", f"on-call/{service['id']}/layers/new")
        for path in paths:
            answer = await mia.api.get(f"{root}/{path}", headers=HTML)
            assert answer.status_code == 200
            assert f'method="post" action="{root}' not in answer.text


@pytest.mark.feature("E10", "O4")
async def test_a_layer_is_read_only_for_who_may_keep_it(muster: RunningMuster, org: Organization) -> None:
    service = await org.post("/oncall-services", {"name": "Ledger"})
    form = {"only": "a" + " " * 24_000 + "x"}
    for client, identity, status in ((org.api, service["id"], 422), (org.api, "x", 404)):
        answer = await client.post(
            f"{muster.base_url}/{org.slug}/contacts/on-call/{identity}/layers/new", data=form, headers=HTML
        )
        assert answer.status_code == status
    async with member(muster, org) as mia:
        for identity, status in ((service["id"], 403), ("x", 404)):
            here = f"{muster.base_url}/{org.slug}/contacts/on-call/{identity}/layers/new"
            assert (await mia.api.post(here, data=form, headers=HTML)).status_code == status


@pytest.mark.feature("E1", "O3")
async def test_an_individual_gets_further_addresses(browser: Browser, org: Organization) -> None:
    ana, ben = await org.individual("Ana"), await org.individual("Ben")
    page = f"/{org.slug}/contacts/individuals/{ana['id']}"
    form = {"name": "Ana", "email": ana["email"], "terms": "disk", "active": "true"}
    taken = await browser.send(page, page, **form, addresses=f"a@x.example\n{ben['email']}")
    assert said_at(taken.text, "addresses") == "Another individual has this address. Change that one instead."
    assert (await org.get(f"/individuals/{ana['id']}"))["terms"] == [], "all or nothing"
    wrong = await browser.send(page, page, **form, addresses="nowhere")
    assert said_at(wrong.text, "addresses") == "“nowhere” is not an e-mail address like ana@example.org."
    assert (await browser.send(page, page, **form, addresses="a@x.example")).status_code == 303
    assert (await org.get(f"/individuals/{ana['id']}"))["addresses"] == ["a@x.example"]


@pytest.mark.feature("E1", "O4")
async def test_a_member_with_further_addresses_saves_their_own_entry(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        await org.patch(f"/individuals/{mia.individual}", {"addresses": ["mia@other.example"]})
        mia.api.base_url = muster.base_url
        mia.api.headers.update(HTML)
        own = Browser(mia.api, org.slug)
        page = f"/{org.slug}/contacts/individuals/{mia.individual}"
        shown = (await own.get(page)).text
        assert "mia@other.example" in shown
        assert 'name="addresses"' not in shown
        wrong = await own.send(page, page, name="", terms="disk")
        assert (wrong.status_code, said_at(wrong.text, "name"), value_of(wrong.text, "terms")) == (422, "This is needed.", "disk")
        assert (await own.send(page, page, name="Mia M.", terms="disk")).status_code == 303
        changed = await org.get(f"/individuals/{mia.individual}")
        kept = {"name": "Mia M.", "terms": ["disk"], "email": mia.email, "addresses": ["mia@other.example"], "active": True}
        assert changed == changed | kept


@pytest.mark.feature("E1", "O4")
async def test_an_administrator_saves_the_terms_of_an_owner(muster: RunningMuster, org: Organization) -> None:
    owner = (await org.get("/me"))["individual"]
    await org.patch(f"/individuals/{owner['id']}", {"addresses": ["owner@other.example"]})
    async with member(muster, org, "Adi", Role.ADMIN) as adi:
        adi.api.base_url = muster.base_url
        adi.api.headers.update(HTML)
        page = f"/{org.slug}/contacts/individuals/{owner['id']}"
        assert (await Browser(adi.api, org.slug).send(page, page, terms="disk")).status_code == 303
    changed = await org.get(f"/individuals/{owner['id']}")
    assert (changed["terms"], changed["addresses"], changed["name"]) == (["disk"], ["owner@other.example"], owner["name"])


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Mon-Fri 9:00-17:00", "Mon–Fri 09:00–17:00"),
        ("fri–mon 22:00 – 06:00", "Mon, Fri–Sun 22:00–06:00"),
        ("tuesday,THU 00:00-00:00", "Tue, Thu 00:00–00:00"),
    ],
)
def test_hours_are_read_as_people_write_them(typed: str, shown: str) -> None:
    assert lines_of([Hours.model_validate(each) for each in hours_of("only", [typed])]) == shown


@pytest.mark.parametrize("typed", ["9-17", "Mon–Fri", "Mo 09:00–10:00", "Mon-Tue-Wed 09:00–10:00", "Mon 09:00", ", 09:00–10:00"])
def test_hours_that_cannot_be_read_are_refused(typed: str) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        hours_of("only", [typed])


def test_reading_hours_takes_no_longer_than_they_are() -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        hours_of("only", ["a" + " " * 24_000 + "x"] * MAX_HOURS)
    with pytest.raises(Invalid, match="at most 20"):
        hours_of("only", ["Mon 09:00–10:00"] * (MAX_HOURS + 1))


class Away(Momentary):
    """A provider that cannot be reached."""

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        raise ProviderFailed(f"Pagers are down, so nobody knows who looks after {duty.name}.")


@pytest.mark.feature("E10")
async def test_a_provider_that_cannot_tell_is_told(
    muster: RunningMuster, org: Organization, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROVIDERS, "pagers", Away())
    made = await org.post("/oncall-services", {"name": "Ledger"})
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        await session.execute(update(OnCallService).values(provider="pagers"))
    here = f"/{org.slug}/contacts/on-call"
    for page in (here, f"{here}/{made['id']}"):
        shown = (await browser.get(page)).text
        assert "Cannot tell now</span>" in shown
        assert "Pagers are down, so nobody knows who looks after Ledger." in shown
        assert "Nobody is on call" not in shown
