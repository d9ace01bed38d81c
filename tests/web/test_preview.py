"""Trying terms, rules and edits on pages, without scripts: nothing is saved, and nothing that was typed is lost (E7)."""

import re
from html import unescape

import pytest

from tests.accounts.members import member
from tests.engagement.test_preview import past
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML, Browser
from tests.web.test_contact_pages import said_at, value_of
from tests.web.test_rules import entry, open_editor

pytestmark = pytest.mark.feature("E7")


def words(page: str) -> str:
    """What one reads, with what is highlighted in brackets."""
    marked = re.sub(r"<mark>(.*?)</mark>", r"[\1]", page)
    return " ".join(unescape(re.sub(r"<[^>]*>", "", marked)).split())


async def test_terms_are_tried_before_they_are_saved(muster: RunningMuster, browser: Browser, org: Organization) -> None:
    await past(muster, org, "A <leak>", [0, 15, 15])
    ana = await org.individual("Ana")
    team = await org.post("/teams", {"name": "Team Disks"})
    service = await org.post("/oncall-services", {"name": "Ledger"})
    forms = {
        f"/{org.slug}/contacts/individuals/{ana['id']}": "/try",
        f"/{org.slug}/contacts/teams/{team['id']}": "/try",
        f"/{org.slug}/contacts/on-call/{service['id']}/edit": "/try",
    }
    for here, behind in forms.items():
        page = (await browser.get(here)).text
        assert f'formaction="{here}{behind}"' in page
        assert "would have matched" not in page
        typed = {"name": "Other name", "terms": "LEAK\nnothing", "email": "x@y.example", "version": "7"}
        token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
        tried = await browser.client.post(here + behind, data=typed | {"csrf_token": token})
        assert tried.status_code == 200
        assert value_of(tried.text, "name") == "Other name"
        assert value_of(tried.text, "terms") == "LEAK\nnothing"
        assert 'name="version" value="7"' in tried.text, "who changed it in between is still told"
        assert "3 incidents of the last 90 days would have matched" in tried.text
        assert "A <[leak]>, 15 days ago in the title" in words(tried.text)
        assert re.findall(r"<td>\d+ \w+</td><td>2</td>", tried.text)
        assert tried.text.count("<rect ") in {13, 14}
        wrong = await browser.client.post(here + behind, data={"csrf_token": token, "name": "N", "terms": "!"})
        assert (wrong.status_code, said_at(wrong.text, "terms")) == (422, "“!” has no word in it.")
        assert (await browser.client.post(here + behind, data=typed)).status_code == 403
        assert (await browser.get(here + behind)).headers["location"] == here
    assert (await org.get(f"/individuals/{ana['id']}"))["terms"] == []
    assert (await org.get(f"/teams/{team['id']}"))["name"] == "Team Disks"


async def test_terms_are_tried_before_what_has_them_is_added(muster: RunningMuster, browser: Browser, org: Organization) -> None:
    await past(muster, org, "A <leak>", [0, 15, 15])
    typed = {"name": "Not yet", "email": "not yet", "members": "Ana\nwho?", "terms": "LEAK\nnothing"}
    kept = {"individuals": ("name", "email", "terms"), "teams": ("name", "members", "terms"), "on-call": ("name", "terms")}
    for tab, fields in kept.items():
        here = f"/{org.slug}/contacts/{tab}"
        to = f"{here}/new/edit/try" if tab == "on-call" else f"{here}/new/try"
        page = (await browser.get(here)).text
        assert f'formaction="{to}"' in page
        assert "would have matched" not in page
        token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
        tried = await browser.client.post(to, data=typed | {"csrf_token": token})
        assert tried.status_code == 200
        assert {field: value_of(tried.text, field) for field in fields} == {field: typed[field] for field in fields}
        assert "3 incidents of the last 90 days would have matched" in tried.text
        assert "Nothing was saved." in tried.text
        assert "A <[leak]>, 15 days ago in the title" in words(tried.text)
        wrong = await browser.client.post(to, data=typed | {"csrf_token": token, "terms": "!"})
        assert (wrong.status_code, said_at(wrong.text, "terms")) == (422, "“!” has no word in it.")
        assert value_of(wrong.text, "name") == "Not yet"
        assert (await browser.client.post(to, data=typed)).status_code == 403
        assert (await browser.get(to)).headers["location"] == here
        async with member(muster, org) as mia:
            assert (await mia.api.post(f"{muster.base_url}{to}", data=typed)).status_code == 403
            assert to not in (await mia.api.get(f"{muster.base_url}{here}", headers=HTML)).text
    assert (await org.get("/teams"))["data"] == (await org.get("/oncall-services"))["data"] == []
    assert (await org.get("/individuals", q="not"))["data"] == []
    for number in range(26):
        await org.individual(f"Somebody {number}")
    here = f"/{org.slug}/contacts/individuals"
    tried = await browser.client.post(f"{here}/new/try", data=typed | {"csrf_token": token})
    further = re.findall(r'href="([^"]*)" rel="next"', tried.text)[0]
    assert further.startswith(f"{here}?after="), "the list goes on from there"


async def test_what_was_saved_shows_what_it_would_have_matched(
    muster: RunningMuster, browser: Browser, org: Organization
) -> None:
    await past(muster, org, "A leak", [0, 15, 15])
    ana = await org.individual("Ana")
    team = await org.post("/teams", {"name": "Team Disks"})
    service = await org.post("/oncall-services", {"name": "Ledger"})
    root = f"/{org.slug}/contacts"
    for here in (f"{root}/individuals/{ana['id']}", f"{root}/teams/{team['id']}", f"{root}/on-call/{service['id']}/edit"):
        form = {"name": "Other", "email": "o@x.example", "notify": "members", "active": "true"}
        for terms, shown in (("leak", True), ("", False)):
            saved = await browser.send(here, here, **form, terms=terms)
            page = (await browser.get(saved.headers["location"])).text
            assert 'class="flash good"' in page
            assert ("3 incidents of the last 90 days would have matched" in page) is shown
            assert "Nothing was saved" not in page
    for path in ("individuals", "teams", "on-call"):
        added = await browser.send(f"{root}/{path}", f"{root}/{path}", name="New", email="new@x.example", terms="leak")
        page = (await browser.get(added.headers["location"])).text
        assert "was added." in page
        assert "3 incidents of the last 90 days would have matched" in page
    editor = await open_editor(browser)
    await editor.save(name="All", n1_values=await entry(org, "Low"), person_0="Other")
    page = (await browser.get(editor.answer.headers["location"])).text
    assert "The rule was saved. It counts from the next change" in page
    assert "3 incidents of the last 90 days would have matched" in page


async def test_a_rule_is_tried_while_it_is_written(muster: RunningMuster, browser: Browser, org: Organization) -> None:
    await past(muster, org, "A leak", [1])
    editor = await open_editor(browser)
    await editor.press("try", name="Severe")
    assert (editor.answer.status_code, set(editor.errors)) == (422, {"n1_values"})
    severity = await entry(org, "Low")
    await editor.press("try", n1_values=severity)
    assert "1 incident of the last 90 days would have matched" in editor.answer.text
    assert "Holds severity is at least Low: [" in words(editor.answer.text)
    assert value_of(editor.answer.text, "name") == "Severe"
    assert (await org.get("/engagement-rules"))["data"] == []


async def test_one_sees_whom_an_edit_adds(muster: RunningMuster, browser: Browser, org: Organization) -> None:
    await org.report("Disk")
    await org.individual("Kai Okafor", "slow")
    await org.post("/teams", {"name": "Team Disks", "notify": "list", "list_address": "d@x.example", "terms": ["slow"]})
    here = f"/{org.slug}/incidents/INC-1/edit"
    page = (await browser.get(here)).text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    typed = hidden | {"title": "A slow disk", "description": "", "was_title": "Dis", "tags": "a, b"}
    seen = await browser.client.post(f"{here}/preview", data=typed)
    assert seen.status_code == 200
    assert "2 people would come in" in seen.text
    assert "Kai Okafor term “[slow]” in the title" in words(seen.text)
    assert "Team Disks (list) term “[slow]” in the title (Team Disks)" in words(seen.text)
    assert (value_of(seen.text, "title"), value_of(seen.text, "tags")) == ("A slow disk", "a, b")
    assert 'name="was_title" value="Dis"' in seen.text, "what was there as the form was opened stays"
    wrong = await browser.client.post(f"{here}/preview", data=typed | {"title": " "})
    assert (wrong.status_code, said_at(wrong.text, "title")) == (422, "This is needed.")
    assert "Nobody would come in" in (await browser.client.post(f"{here}/preview", data=hidden)).text
    assert (await org.get("/incidents/INC-1"))["title"] == "Disk"
    async with member(muster, org, in_project=False) as mia:
        assert (await mia.api.post(f"{muster.base_url}{here}/preview", data=typed)).status_code == 403


async def test_what_is_asked_of_the_database_does_not_grow_with_what_matches(
    muster: RunningMuster, org: Organization, statements: list[str]
) -> None:
    counts: list[int] = []
    for ages in (range(3), range(80)):
        await past(muster, org, "A leak", ages, first=1000 + 100 * len(counts))
        for body in ({"terms": ["leak"]}, {"title": "leak", "tags": ["a"]}):
            statements.clear()
            await org.post("/engagement/preview", body)
            counts.append(len(statements))
        for number in range(20):
            await org.individual(f"Somebody {number}", "leak")
        await org.post("/teams", {"name": f"Team {len(counts)}", "terms": ["leak"]})
    terms, report, terms_later, report_later = counts
    assert terms_later == terms
    assert report_later <= report + 4
    assert max(counts) < 25
