"""The page asks whether a crowd is to come in (E7), and says what it waits for (E10)."""

import re

import pytest

from services.store import event_log
from tests.accounts.members import member
from tests.lifecycle.crowds import CROWD, crowd, held, inside
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML, Browser
from workflows.domain.attributes import Choice
from workflows.domain.engagement import COMMANDER, Waiting
from workflows.domain.events import Draft, OnCallAwaited, RolesAwaited


@pytest.mark.feature("E7", "I4")
async def test_the_page_asks_with_all_names(muster: RunningMuster, org: Organization, browser: Browser) -> None:
    people = await crowd(muster, org)
    incident = await held(org)
    here = f"/{org.slug}/incidents/{incident['reference']}"
    page = (await browser.get(here)).text
    assert f"Bring in {CROWD} more people?" in page
    assert re.findall(r'name="bring:([^"]+)"', page) == people
    # In the timeline as beside it, the moment is in the reader's zone.
    asked = re.findall(r'Without an answer by <time datetime="([^"]*)"[^>]* data-time="clock">', page)
    assert len(asked) == 2
    assert len(set(asked)) == 1
    receipt = (await browser.get(f"{here}/receipt")).text
    assert f'{CROWD} people match: <a href="{here}#question">the commander is asked first</a>' in receipt
    await org.individual("Late", "valve")
    token = re.findall(r'name="csrf_token" value="([^"]*)"', page)[0]
    tried = await browser.client.post(f"{here}/edit/preview", data={"csrf_token": token, "title": "The valve"})
    assert re.search(rf"1 person would be held\s*with the {CROWD} already asked about", tried.text)
    nothing = await browser.send(here, f"{here}/engagement-answer", bring_in="")
    assert nothing.status_code == 422
    assert "Choose who comes in" in nothing.text
    unticked = await browser.send(here, f"{here}/engagement-answer", bring_in="chosen")
    assert unticked.status_code == 422
    assert 'id="error-bring_in" role="alert">Tick who comes in, or choose Nobody.' in unticked.text
    assert (await org.get(f"/incidents/{incident['id']}"))["held"] is not None
    ticked = {f"bring:{person}": "on" for person in people[1:3]}
    assert (await browser.send(here, f"{here}/engagement-answer", bring_in="chosen", **ticked)).status_code == 303

    async def came() -> bool:
        return {*people[1:3]} < await inside(org, incident)

    await org.until(came)
    assert len(await inside(org, incident)) == 3
    assert "Bring in" not in (await browser.get(f"{here}/fragments/question")).text
    page = (await browser.get(here)).text
    assert f"<summary>Left out: {CROWD - 2}</summary>" in page
    assert f"and {CROWD - 52} more" in page
    why = (await browser.get(f"{here}/why?individual={people[0]}")).text
    assert "The <mark>pump</mark> failed" in why
    assert "Held back" in why


@pytest.mark.feature("E7")
async def test_more_than_a_thousand_can_be_ticked(muster: RunningMuster, org: Organization, browser: Browser) -> None:
    people = await crowd(muster, org, count=1_200)
    incident = await held(org)
    here = f"/{org.slug}/incidents/{incident['reference']}"
    ticked = {f"bring:{person}": "on" for person in people[1:]}
    strange = await browser.client.post(
        f"{here}/engagement-answer", data=ticked | {"bring_in": "chosen", "csrf_token": "guessed"}
    )
    assert strange.status_code == 403
    answer = await browser.send(here, f"{here}/engagement-answer", bring_in="chosen", **ticked)
    assert answer.status_code == 303, answer.text
    assert "<summary>Left out: 1</summary>" in (await browser.get(here)).text


@pytest.mark.feature("E7", "I4")
async def test_an_answer_counts_though_somebody_has_come_in_since_the_page_was_shown(
    muster: RunningMuster, org: Organization, browser: Browser
) -> None:
    await crowd(muster, org)
    incident = await held(org)
    here = f"/{org.slug}/incidents/{incident['reference']}"
    late = await org.individual("Late", "valve")
    await org.patch(f"/incidents/{incident['id']}", {"title": "The pump failed, and the valve"})

    async def joined() -> bool:
        return bool((await org.get(f"/incidents/{incident['id']}"))["held"]["count"] == CROWD + 1)

    await org.until(joined)
    (version,) = re.findall(r'name="version" value="(\d+)"', (await browser.get(f"{here}/fragments/question")).text)
    await org.post(f"/incidents/{incident['id']}/participants", {"individual": late["id"]})
    assert "Late" not in (await browser.get(f"{here}/fragments/question")).text
    answer = await browser.send(here, f"{here}/engagement-answer", bring_in="none", version=version)
    assert answer.status_code == 303, answer.text


@pytest.mark.feature("E10", "E9")
async def test_the_page_says_what_it_waits_for(muster: RunningMuster, org: Organization, browser: Browser) -> None:
    incident = await org.report("Disk")
    services = (Choice(id="ledger", name="Ledger"), Choice(id="web", name="Web"))
    away = "Whoever is on call for Web is no longer active."
    by_rule = (Waiting(service=services[0], evidence=()), Waiting(service=services[1], evidence=(), reason=away))
    by_policy = (Waiting(service=services[1], evidence=(), role=COMMANDER, reason=away),)
    organization = (await org.get("/me"))["organization"]["id"]
    twice = (OnCallAwaited(waiting=by_policy), RolesAwaited(), OnCallAwaited(waiting=by_policy))
    awaited = (OnCallAwaited(waiting=by_rule), *twice)
    drafts = [Draft(command_id="c", actor=None, body=body) for body in awaited]
    async with muster.muster.database.write(organization) as session:
        await event_log.append(session, incident["id"], incident["version"], drafts)
    shown = await org.get(f"/incidents/{incident['id']}")
    assert [each["service"]["name"] for each in shown["awaited_on_call"]] == ["Ledger", "Web", "Web"]
    assert shown["awaits_role_policies"]
    fragment = (await browser.get(f"/{org.slug}/incidents/INC-1/fragments/trouble")).text
    assert "Ledger cannot say who is on call. Muster keeps asking; everyone else was brought in." in fragment
    assert fragment.count("Web cannot say who is on call") == 1
    assert (
        "no longer active”. Muster keeps asking; until then the commander stands in, and everyone else was brought in."
        in fragment
    )
    assert f'<a href="/{org.slug}/contacts/on-call/web">See Web</a>' in fragment
    timeline = (await browser.get(f"/{org.slug}/incidents/INC-1/fragments/timeline")).text
    assert timeline.count("Nobody could say who is on call for Web; Muster keeps asking") == 1
    assert timeline.count("Nobody could say who is on call for Ledger and Web; Muster keeps asking") == 1
    assert "The role policies could not be asked." in fragment


@pytest.mark.feature("E7")
async def test_the_limit_is_set_on_a_page(org: Organization, browser: Browser) -> None:
    here = f"/{org.slug}/settings/engagement/storm-guard"
    assert 'value="50"' in (await browser.get(here)).text
    for typed in ("none", "0", "10001"):
        wrong = await browser.send(here, here, storm_limit=typed)
        assert wrong.status_code == 422
        assert f'value="{typed}"' in wrong.text
        assert "Give a whole number from 1 to 10,000." in wrong.text
    await org.patch("/settings", {"storm_limit": 7})
    late = await browser.send(here, here, storm_limit="9", version="1")
    assert late.status_code == 412
    assert 'name="version" value="2"' in late.text
    assert (await browser.send(here, here, storm_limit="9")).status_code == 303
    assert (await org.get("/settings"))["storm_limit"] == 9
    assert here in (await browser.get(f"/{org.slug}/settings/engagement")).text


@pytest.mark.feature("E7", "O4")
async def test_who_may_not_set_the_limit_is_told_so_whatever_they_send(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        for limit in ("2", "none", "0"):
            here = f"{muster.base_url}/{org.slug}/settings/engagement/storm-guard"
            assert (await mia.api.post(here, data={"storm_limit": limit}, headers=HTML)).status_code == 403
