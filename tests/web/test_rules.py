"""Rules on pages, without scripts: one writes a sentence, button by button, and nothing that was typed is lost (E3)."""

import re
from html import unescape

import pytest
from sqlalchemy import update

from services.kit.clock import now
from services.store.rules import RuleRow
from tests.accounts.members import member
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML, Browser
from tests.web.editor import Editor
from workflows.domain.rules import MAX_TARGETS

pytestmark = pytest.mark.feature("E3")


async def open_editor(browser: Browser, rule: str = "new") -> Editor:
    path = f"/{browser.slug}/settings/engagement/rules/{rule}"
    return Editor(browser, path, "rule", await browser.get(path))


async def entry(org: Organization, name: str) -> str:
    """The id of a severity or type."""
    made = await org.post("/projects", {"name": f"With {name}", "defaults": {"severity": name}})
    return str(made["defaults"]["severity"]["id"])


async def test_a_rule_is_written_button_by_button(browser: Browser, org: Organization) -> None:
    await org.post("/incident-roles", {"name": "Scribe"})
    team = await org.post("/teams", {"name": "Team <Payments>"})
    service = await org.post("/oncall-services", {"name": "Ledger"})
    kai = await org.individual("Kai Okafor")
    high, critical = await entry(org, "High"), await entry(org, "Critical")
    empty = (await browser.get(f"/{browser.slug}/settings/engagement")).text
    assert "No rules yet" in empty
    editor = await open_editor(browser)
    assert editor.sentence == "When severity is at least …, engage …, as responder."
    await editor.press("group:0", name="Severe payments", n1_values=high)
    await editor.press("condition:2", n2_add="tag")
    await editor.press("condition:2", n2_add="severity", n3_values="payments, Ledger")
    assert editor.sentence == (
        "When severity is at least High and (any tag is payments or Ledger or severity is at least …), engage …, as responder."
    )
    await editor.press("look", n4_operator="is", n4_values=[high, critical])
    assert "or severity is High or Critical)" in editor.sentence
    await editor.press("remove:1")
    assert editor.sentence.startswith("When any tag is payments or Ledger or severity is High or Critical, ")
    await editor.press("engage:team", team=team["id"])
    await editor.press("engage:oncall", oncall=service["id"])
    await editor.press("engage:individual", person_2="Kai Okafr")
    assert (editor.answer.status_code, list(editor.errors)) == (422, ["person_2"])
    assert 'value="Kai Okafr"' in editor.answer.text
    await editor.press("engage:individual", person_2="kai okafor")
    assert 'name="name" type="text" value="Severe payments"' in editor.answer.text
    await editor.press(f"drop:oncall:{service['id']}")
    assert editor.sentence.endswith("engage Team <Payments> and Kai Okafor, as responders.")
    await editor.save(n0_quantifier="any", role="Scribe")
    assert editor.answer.status_code == 303, editor.errors
    listed = await browser.get(editor.answer.headers["location"])
    assert "The rule was saved." in unescape(listed.text)
    made = (await org.get("/engagement-rules"))["data"][0]
    assert made["engage"] == [{"team": team["id"]}, {"individual": kai["id"]}]
    assert made["sentence"] == (
        "when any tag is payments or ledger or severity is High or Critical, engage Team <Payments> and Kai Okafor, as Scribe"
    )
    assert made["sentence"][1:] in unescape(listed.text)


async def test_what_is_wrong_stands_at_its_field(browser: Browser, org: Organization) -> None:
    await org.post("/incident-roles", {"name": "Scribe"})
    editor = await open_editor(browser)
    await editor.press("group:0")
    await editor.press("condition:0", n0_add="tag")
    await editor.save(name=" ", role="Scribe", n3_values="!")
    assert editor.answer.status_code == 422
    assert {"name", "n1_values", "n2", "engage"} == set(editor.errors)
    assert 'value="Scribe" selected' in editor.answer.text
    high = await entry(org, "High")
    await editor.press("remove:2", name="Fine", n1_values=high)
    await editor.save(person_0="Olive Owner")
    assert set(editor.errors) == {"n3_values"}
    assert 'value="!"' in editor.answer.text
    await editor.press("remove:3")
    await editor.save()
    assert editor.answer.status_code == 303
    assert (await org.get("/engagement-rules"))["data"][0]["engage"] != []


async def test_what_is_chosen_counts_though_no_button_beside_it_was_pressed(browser: Browser, org: Organization) -> None:
    team, service = await org.post("/teams", {"name": "Payments"}), await org.post("/oncall-services", {"name": "Ledger"})
    kai = await org.individual("Kai Okafor")
    editor = await open_editor(browser)
    await editor.press("look", name="X", n1_values=await entry(org, "High"), team=team["id"], person_0="kai okafor")
    assert editor.sentence.endswith("engage team Payments and Kai Okafor, as responders.")
    await editor.press("try", oncall=service["id"], person_0="Nobody of that name")
    assert editor.sentence.endswith("engage team Payments and whoever is on call for Ledger, as responders.")
    assert f'<option value="{team["id"]}" selected>' in editor.answer.text
    await editor.press("engage:oncall")
    assert f'value="oncall:{service["id"]}"' in editor.answer.text
    assert f'<option value="{team["id"]}" selected>' in editor.answer.text
    await editor.save(person_1="Kai Okafor")
    assert editor.answer.status_code == 303, editor.errors
    made = (await org.get("/engagement-rules"))["data"][0]
    assert made["engage"] == [{"oncall": service["id"]}, {"team": team["id"]}, {"individual": kai["id"]}]


async def test_a_limit_takes_one_value(browser: Browser, org: Organization) -> None:
    high, critical = await entry(org, "High"), await entry(org, "Critical")
    editor = await open_editor(browser)
    await editor.press("look", n1_operator="is", n1_values=[high, critical])
    assert "severity is High or Critical" in editor.sentence
    await editor.press("look", n1_operator="at_most")
    assert "severity is at most High," in editor.sentence
    await editor.press("look", n1_operator="nonsense", n1_values=["gone"])
    assert "severity is at least something that is gone" in editor.sentence


async def test_a_rule_is_changed_and_deleted(browser: Browser, org: Organization) -> None:
    when = {
        "all": [
            {"attribute": "tag", "operator": "is", "values": ["x"]},
            {"any": [{"attribute": "visibility", "operator": "is", "values": ["public"]}]},
        ]
    }
    made = await org.post("/engagement-rules", {"name": "X", "when": when, "engage": [{"individual": "Olive Owner"}]})
    editor = await open_editor(browser, made["id"])
    assert editor.sentence == "W" + made["sentence"][1:] + "."
    await org.patch(f"/engagement-rules/{made['id']}", {"name": "Y"})
    await editor.save(name="Z")
    assert editor.answer.status_code == 412
    assert 'value="Z"' in editor.answer.text
    await editor.save()
    assert editor.answer.status_code == 303
    changed = await org.get(f"/engagement-rules/{made['id']}")
    assert (changed["name"], changed["version"], changed["when"]) == ("Z", 3, made["when"])
    here = f"/{browser.slug}/settings/engagement/rules/{made['id']}"
    page = (await browser.get(here)).text
    assert "Version 3 · Olive Owner" in page
    hasty = await browser.send(here, f"{here}/delete")
    assert (hasty.status_code, "Tick “I understand” to delete this rule." in hasty.text) == (422, True)
    gone = await browser.send(here, f"{here}/delete", understood="true")
    assert "The rule was deleted" in unescape((await browser.get(gone.headers["location"])).text)
    assert (await browser.get(here)).status_code == 404
    assert (await browser.get(f"{here}/draft")).status_code == 303


@pytest.mark.parametrize("number", ["²", "①", "٣", "9" * 5_000, "-1", ""])
async def test_a_number_that_no_part_of_a_rule_has_is_passed_over(browser: Browser, number: str) -> None:
    for path in ("rules", "roles/policies"):
        here = f"/{browser.slug}/settings/engagement/{path}/new"
        token = re.search(r'name="csrf_token" value="([^"]*)"', (await browser.get(here)).text)
        assert token
        form = {"csrf_token": token[1], "n1_in": number, "n1_attribute": "tag", "n1_operator": "is", "n1_values": "x"}
        for to in (here, f"{here}/draft"):
            answer = await browser.client.post(to, data=form | {"do": f"condition:{number}"})
            assert answer.status_code == (422 if to == here else 200)


async def test_no_more_are_read_than_a_rule_can_engage(browser: Browser) -> None:
    here = f"/{browser.slug}/settings/engagement/rules/new"
    token = re.search(r'name="csrf_token" value="([^"]*)"', (await browser.get(here)).text)
    assert token
    form: dict[str, str | list[str]] = {"csrf_token": token[1], "target": [f"team:{number}" for number in range(900)]}
    page = (await browser.client.post(f"{here}/draft", data=form)).text
    assert page.count('name="target"') == MAX_TARGETS


async def test_only_what_was_done_is_said(browser: Browser) -> None:
    for path in ("", "/roles"):
        for query in ("done=Send your password to eve", "saved=Send your password to eve"):
            page = (await browser.get(f"/{browser.slug}/settings/engagement{path}?{query}")).text
            assert "Send your password" not in page


async def test_how_rules_do_is_said_in_words(muster: RunningMuster, browser: Browser, org: Organization) -> None:
    when = {"all": [{"attribute": "tag", "operator": "is", "values": ["x"]}]}
    made = await org.post(
        "/engagement-rules", {"name": "X", "when": when, "engage": [{"individual": "Olive Owner"}], "enabled": False}
    )
    here = f"/{browser.slug}/settings/engagement"
    page = (await browser.get(here)).text
    assert "Has matched no incident yet." in page
    assert ">Off<" in page
    async with muster.muster.database.write(str((await org.get("/me"))["organization"]["id"])) as session:
        await session.execute(
            update(RuleRow).where(RuleRow.id == made["id"]).values(matches=6, not_relevant=3, last_match_at=now())
        )
    await org.patch(f"/engagement-rules/{made['id']}", {"enabled": True})
    page = unescape(re.sub(r"<[^>]*>", "", (await browser.get(here)).text))
    assert "Matched 6 incidents, last just now; in 3 of them somebody said “not relevant”." in page
    assert "Noisy" in page
    assert "No rule has “nothing” in its name." in unescape((await browser.get(f"{here}?q=nothing")).text)


async def test_a_rule_that_is_off_says_so(browser: Browser, org: Organization) -> None:
    when = {"all": [{"attribute": "tag", "operator": "is", "values": ["x"]}]}
    body = {"name": "X", "when": when, "engage": [{"individual": "Olive Owner"}], "enabled": False}
    editor = await open_editor(browser, (await org.post("/engagement-rules", body))["id"])
    assert editor.sentence.endswith("engage Olive Owner, as responder. It is off.")
    await editor.save(name="Y")
    saved = (await browser.get(editor.answer.headers["location"])).text
    assert "The rule was saved. It is off, so it engages nobody." in saved
    assert "next change of each incident" not in saved


async def test_members_see_no_rules(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        for path in ("", "/rules/new"):
            here = f"{muster.base_url}/{org.slug}/settings/engagement{path}"
            assert (await mia.api.get(here, headers=HTML)).status_code == 403
        tokens = await mia.api.get(f"{muster.base_url}/{org.slug}/settings/tokens", headers=HTML)
        assert "/settings/engagement" not in tokens.text


async def test_a_rule_that_changed_meanwhile_is_not_deleted(browser: Browser, org: Organization) -> None:
    when = {"all": [{"attribute": "tag", "operator": "is", "values": ["x"]}]}
    made = await org.post("/engagement-rules", {"name": "Old", "when": when, "engage": [{"individual": "Olive Owner"}]})
    editor = await open_editor(browser, made["id"])
    assert "Everyone who sees an incident can read it there" in editor.answer.text
    assert editor.answer.text.count('name="version" value="1"') == 2
    await org.patch(f"/engagement-rules/{made['id']}", {"name": "New"})
    refused = await browser.send(editor.path, f"{editor.path}/delete", version="1", understood="true")
    assert refused.status_code == 412
    assert "was not deleted" in refused.text
    assert 'value="New"' in refused.text
    assert refused.text.count('name="version" value="2"') == 2
    assert (await browser.send(editor.path, f"{editor.path}/delete", version="2", understood="true")).status_code == 303
    assert (await org.get("/engagement-rules"))["data"] == []
