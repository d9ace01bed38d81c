"""Fields that name a person, without scripts; and that pages do not grow with the contacts."""

import re
import time

import pytest

from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.contacts import Individual, TermRow
from tests.accounts.members import member
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML, Browser
from workflows.domain.policy import Role

MANY = 10_000


async def _two_called_ana(org: Organization) -> None:
    for number in (1, 2):
        await org.post("/individuals", {"name": "Ana <3", "email": f"ana{number}@example.org"})


@pytest.mark.feature("R1")
async def test_a_report_names_its_commander(browser: Browser, org: Organization) -> None:
    await _two_called_ana(org)
    gone = await org.post("/individuals", {"name": "Gone", "email": "gone@example.org", "active": False})
    form = f"/{browser.slug}/incidents/report"
    for typed, said in (
        ("Ana &lt;3", "Two people are called Ana &lt;3: give the address."),
        ("Anna", "Nobody here is called Anna. Look at the spelling"),
        (gone["email"], "Gone is no longer active."),
    ):
        refused = await browser.send(form, form, title="It broke", commander=typed.replace("&lt;", "<"))
        assert refused.status_code == 422
        assert said in _error(refused.text, "commander")
        assert f'name="commander" type="text" value="{typed}"' in refused.text
    assert (await browser.send(form, form, title="It broke", commander="Ana <3 <ANA2@example.org>")).status_code == 303
    await org.until(lambda: _commands(org, "ana2@example.org"))


@pytest.mark.feature("R1")
async def test_a_link_to_the_form_shows_the_commander(browser: Browser, org: Organization) -> None:
    kai = await org.individual("Kai Okafor")
    for given in (kai["id"], kai["email"].upper(), "kai okafor"):
        page = (await browser.client.get(f"/{browser.slug}/incidents/report", params={"commander": given})).text
        assert f'value="Kai Okafor &lt;{kai["email"]}&gt;"' in page
    assert 'value="Nobody &lt;"' in (await browser.get(f"/{browser.slug}/incidents/report?commander=Nobody+<")).text


@pytest.mark.feature("E1", "N1")
async def test_a_mailing_list_is_counted_and_told_as_one(browser: Browser, org: Organization) -> None:
    legal = {"name": "Legal desk", "notify": "list", "list_address": "legal@example.org", "terms": ["GDPR"]}
    await org.post("/teams", legal)
    await org.report("GDPR leak")
    here = f"/{browser.slug}/incidents/INC-1"
    await org.until(lambda: org.all_sent("INC-1"))
    for path in (here, f"{here}/people"):
        assert "1 person and 1 mailing list" in (await browser.get(path)).text
    [mail] = [each for each in (await org.get("/inbox"))["data"] if "legal@example.org" in each["text"]]
    shown = (await browser.get(f"/{browser.slug}/inbox/{mail['id']}/html")).text
    for told in (mail["text"], shown):
        assert "Legal desk (list) is told because the term" in told
        assert "whoever works on it opens the incident, and joins it" in told
        assert "participant" not in told
        assert "not relevant" not in told


@pytest.mark.feature("E9", "E6")
async def test_an_incident_s_pages_take_a_name(browser: Browser, org: Organization) -> None:
    await _two_called_ana(org)
    kai = await org.individual("Kai Okafor")
    await org.report("Queue grows")
    here = f"/{browser.slug}/incidents/INC-1"
    refused = await browser.send(here, f"{here}/participants", individual="ana 3")
    assert refused.status_code == 422
    assert "Two people are called ana 3: give the address." in _error(refused.text, "individual")
    assert 'value="ana 3"' in refused.text
    assert '<details class="fold" id="people-add" open>' in refused.text
    assert (await browser.send(here, f"{here}/participants", individual="kai okafor")).status_code == 303
    assert (await org.participants("INC-1"))["Kai Okafor"]["state"] == "engaged"

    why = await browser.client.get(f"{here}/why", params={"individual": "Kai Okafor"})
    assert "Kai Okafor is engaged" in why.text
    assert f'value="Kai Okafor &lt;{kai["email"]}&gt;"' in why.text
    unknown = await browser.client.get(f"{here}/why", params={"individual": "Kay"})
    assert (unknown.status_code, 'value="Kay"' in unknown.text) == (422, True)
    assert "Nobody here is called Kay." in _error(unknown.text, "individual")


@pytest.mark.feature("R1", "O1")
async def test_suggestions_are_options_for_who_is_signed_in(browser: Browser, org: Organization) -> None:
    await _two_called_ana(org)
    path = f"/{browser.slug}/contacts/suggestions"
    found = await browser.client.get(path, params={"q": "an"})
    assert re.findall('<option value="(.*)"></option>', found.text) == [
        f"Ana &lt;3 &lt;ana{number}@example.org&gt;" for number in (1, 2)
    ]
    assert (await browser.get(path)).text.strip() == ""
    browser.client.cookies.clear()
    assert (await browser.get(f"{path}?q=an")).status_code == 303


@pytest.mark.feature("C9", "R1")
async def test_pages_do_not_grow_with_the_contacts(
    browser: Browser, org: Organization, muster: RunningMuster, statements: list[str]
) -> None:
    await _crowd(muster.muster.database, org, 30)
    await org.report("Queue grows")
    await org.until(lambda: org.all_sent("INC-1"))
    contacts, incident = f"/{browser.slug}/contacts", f"/{browser.slug}/incidents/INC-1"
    paths = (
        f"/{browser.slug}/incidents/report",
        f"/{browser.slug}/incidents/report?commander=person+7",
        f"{contacts}/individuals",
        *(f"{contacts}/{page}?q={q}" for page in ("individuals", "suggestions") for q in ("pers", "nobody", "per+exa")),
        incident,
        f"{incident}/fragments/people",
        f"{incident}/why?individual=person+7",
    )
    before = [await _cost(browser, path, statements) for path in paths]
    await _crowd(muster.muster.database, org, MANY)
    for path, (queries, length) in zip(paths, before, strict=True):
        queries_now, length_now = await _cost(browser, path, statements)
        assert queries_now == queries, path
        assert abs(length_now - length) < 1_000, path


async def _cost(browser: Browser, path: str, statements: list[str]) -> tuple[int, int]:
    statements.clear()
    began = time.perf_counter()
    answer = await browser.get(path)
    print(f"{path}: {(time.perf_counter() - began) * 1000:.0f} ms")  # noqa: T201
    assert answer.status_code == 200
    asked = [statement for statement in statements if statement.startswith("SELECT")]
    return len(asked), len(answer.text)


async def _crowd(database: Database, org: Organization, count: int) -> None:
    """More people of an organization, each with a term; those who come later are called otherwise."""
    organization = (await org.get("/me"))["organization"]["id"]
    people = {new_id(): number for number in range(count)}
    common = {"organization_id": organization, "version": 1, "created_at": now()}
    kind = "Person" if count < MANY else "Personage"
    async with database.write(organization) as session:
        session.add_all(
            Individual(id=each, name=f"{kind} {number}", email=f"{each}@example.org", active=True, **common)
            for each, number in people.items()
        )
        await session.flush()
        session.add_all(
            TermRow(id=new_id(), individual_id=each, phrase="lag", normalised=f"lag {number}", words=2, self_set=False, **common)
            for each, number in people.items()
        )


async def _commands(org: Organization, email: str) -> bool:
    commander = (await org.get("/incidents/INC-1"))["commander"]
    return bool(commander and commander["email"] == email)


def _error(page: str, field: str) -> str:
    found = re.search(rf'<span class="error" id="error-{field}">([^<]*)</span>', page)
    assert found, f"there is no error at {field}"
    return found.group(1)


@pytest.mark.feature("O4", "E1")
async def test_the_page_of_a_contact_offers_what_its_reader_may_change(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    async with member(muster, org, "Ada Admin", Role.ADMIN) as ada, member(muster, org) as mia:
        for reader, person, fields in (
            (ada, me, set()),
            (mia, mia.individual, {"name"}),
            (ada, mia.individual, {"name", "email"}),
        ):
            address = f"{org.base_url}/{org.slug}/contacts/individuals/{person}"
            page = (await reader.api.get(address, headers=HTML)).text
            assert {each for each in ("name", "email") if f'id="field-{each}"' in page} == fields
            hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
            typed = dict(re.findall(r'id="field-(\w+)" name="\w+" type="\w+" value="([^"]*)"', page))
            form = hidden | typed | {"active": "true", "terms": "disk"}
            assert (await reader.api.post(address, data=form, headers=HTML)).status_code == 303, page
            assert (await org.get(f"/individuals/{person}"))["terms"] == ["disk"]
