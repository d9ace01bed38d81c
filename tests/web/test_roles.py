"""Roles on pages, without scripts: policies as sentences in their order, and the organization's own roles (E9)."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from services.kit.ids import new_id
from tests.accounts.members import member
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML, Browser
from tests.web.editor import Editor

pytestmark = pytest.mark.feature("E9")


async def open_editor(browser: Browser, policy: str = "new") -> Editor:
    path = f"/{browser.slug}/settings/engagement/roles/policies/{policy}"
    return Editor(browser, path, "policy", await browser.get(path))


def read(answer: httpx.Response) -> str:
    """A page's words."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


async def tagged(org: Organization, name: str, **more: Any) -> dict[str, Any]:
    when = {"all": [{"attribute": "tag", "operator": "is", "values": [name]}]}
    return await org.post(
        "/role-policies",
        {"name": name, "role": "commander", "when": when, "assignee": {"individual": "Olive Owner"}} | more,
    )


async def test_a_policy_is_written_and_changed(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/engagement/roles"
    ledger = await org.post("/oncall-services", {"name": "Ledger"})
    kai = await org.individual("Kai Okafor")
    await org.post("/incident-roles", {"name": "Scribe"})
    assert "No role policies yet" in read(await browser.get(here))
    editor = await open_editor(browser)
    assert editor.sentence == "When severity is at least …, the commander is whoever is on call for …."
    await editor.press("condition:0", n0_add="tag", oncall=ledger["id"], name="Ledger leads")
    await editor.press("remove:1", n2_values="ledger")
    assert editor.sentence == "When any tag is ledger, the commander is whoever is on call for Ledger."
    await editor.save()
    assert editor.answer.status_code == 303, editor.errors
    page = read(await browser.get(editor.answer.headers["location"]))
    assert "The policy was saved." in page
    assert "When any tag is ledger, the commander is whoever is on call for Ledger." in page
    [made] = (await org.get("/role-policies"))["data"]
    editor = await open_editor(browser, made["id"])
    await editor.press("look", kind="individual", person="Kai", role="Scribe")
    assert editor.sentence == "When any tag is ledger, the Scribe is Kai."
    await editor.save()
    assert (editor.answer.status_code, list(editor.errors)) == (422, ["person"])
    await editor.save(person="kai okafor")
    assert editor.answer.status_code == 303
    changed = await org.get(f"/role-policies/{made['id']}")
    assert (changed["role"], changed["assignee"], changed["version"]) == ("Scribe", {"individual": kai["id"]}, 2)
    editor = await open_editor(browser, made["id"])
    assert unescape(editor.answer.text).count(f"Kai Okafor <{kai['email']}>") == 1
    assert "Version 2 · Olive Owner" in read(editor.answer)
    await org.patch(f"/role-policies/{made['id']}", {"enabled": False})
    await editor.save(name="Mine")
    assert editor.answer.status_code == 412
    assert 'value="Mine"' in editor.answer.text
    await editor.save(enabled=[])
    assert "The policy was saved. It is off, so it chooses nobody." in read(await browser.get(editor.answer.headers["location"]))
    assert (await org.get(f"/role-policies/{made['id']}"))["name"] == "Mine"
    hasty = await browser.send(editor.path, f"{editor.path}/delete")
    assert (hasty.status_code, "Tick “I understand” to delete this policy." in hasty.text) == (422, True)
    gone = await browser.send(editor.path, f"{editor.path}/delete", understood="true")
    assert "The policy was deleted" in read(await browser.get(gone.headers["location"]))
    assert (await browser.get(editor.path)).status_code == 404


async def test_what_is_wrong_stands_at_its_field(browser: Browser) -> None:
    editor = await open_editor(browser)
    await editor.save(name=" ")
    assert (editor.answer.status_code, set(editor.errors)) == (422, {"name", "n1_values", "oncall"})
    await editor.save(name="x", kind="individual")
    assert set(editor.errors) == {"n1_values", "person"}
    assert (await browser.get(f"{editor.path}/draft")).headers["location"] == editor.path


async def test_policies_are_moved_and_switched(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/engagement/roles"
    await org.post("/incident-roles", {"name": "Scribe"})
    first, _, last = [await tagged(org, "one"), await tagged(org, "two", role="scribe"), await tagged(org, "three")]

    async def order() -> list[str]:
        return [each["name"] for each in (await org.get("/role-policies"))["data"]]

    async def move(policy: dict[str, Any], where: str) -> httpx.Response:
        """Press an arrow, if there is one."""
        path = f"{here}/policies/{policy['id']}/move"
        page = (await browser.get(here)).text
        form = re.search(rf'action="{path}">(.*?)</form>', page, re.DOTALL)
        assert form
        ranks = re.findall(r'name="rank" value="(\d+)" aria-label="Ask \w+ (\w+)"', form[1])
        return await browser.send(here, path, rank={there: rank for rank, there in ranks}[where])

    page = (await browser.get(here)).text
    assert page.index(">one<") < page.index(">three<") < page.index(">two<")
    moved = await move(last, "earlier")
    assert moved.headers["location"] == f"{here}#policy-{last['id']}"
    assert await order() == ["three", "one", "two"]
    assert "Ask three earlier" not in (await browser.get(here)).text
    await move(last, "later")
    assert await order() == ["one", "three", "two"]
    await browser.send(here, f"{here}/policies/{first['id']}/switch")
    assert ">Off<" in (await browser.get(here)).text
    await browser.send(here, f"{here}/policies/{first['id']}/switch", on="1")
    assert ">Off<" not in (await browser.get(here)).text


async def test_roles_are_made_described_and_deactivated(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/engagement/roles"
    made = await browser.send(here, here, name="Scribe", description="Writes.")
    assert "The role was made" in read(await browser.get(made.headers["location"]))
    refused = await browser.send(here, here, name="scribe", description="x")
    assert (refused.status_code, 'value="scribe"' in refused.text) == (422, True)
    [role] = (await org.get("/incident-roles"))["data"]
    await browser.send(here, f"{here}/{role['id']}", description="Takes notes.")
    policy = await tagged(org, "Notes", role="Scribe")
    refused = await browser.client.post(f"{here}/{role['id']}", data=await hidden(browser, here))
    assert refused.status_code == 409
    assert "It is still given by “Notes”." in read(refused)
    await org.api.delete(f"/role-policies/{policy['id']}")
    assert (await browser.client.post(f"{here}/{role['id']}", data=await hidden(browser, here))).status_code == 303
    [role] = (await org.get("/incident-roles"))["data"]
    assert (role["description"], role["active"]) == ("Takes notes.", False)
    await browser.client.post(f"{here}/{role['id']}", data=await hidden(browser, here) | {"active": "1"})
    assert (await org.get("/incident-roles"))["data"][0]["active"]


async def hidden(browser: Browser, path: str) -> dict[str, str]:
    """The token that every form of a page has."""
    found = re.search(r'name="csrf_token" value="([^"]*)"', (await browser.get(path)).text)
    assert found
    return {"csrf_token": found.group(1)}


async def test_members_see_no_roles(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        for path in ("", "/policies/new"):
            here = f"{muster.base_url}/{org.slug}/settings/engagement/roles{path}"
            assert (await mia.api.get(here, headers=HTML)).status_code == 403
        for path in ("", f"/{new_id()}"):
            here = f"{muster.base_url}/{org.slug}/settings/engagement/roles{path}"
            assert (await mia.api.post(here, data={"name": "", "description": "x" * 5_000}, headers=HTML)).status_code == 403


async def test_the_commander_hands_over_and_then_leaves(browser: Browser, org: Organization) -> None:
    await org.individual("Kai Okafor")
    ben = await org.individual("Ben")
    incident = await org.report("Queue grows")
    here = f"/{browser.slug}/incidents/INC-1"
    await org.post(f"/incidents/{incident['id']}/participants", {"individual": ben["id"]})
    token = await hidden(browser, here)
    refused = await browser.client.post(f"{here}/leave", data=token)
    assert refused.status_code == 409
    assert "The commander hands over before leaving: make another participant commander." in read(refused)
    refused = await browser.send(here, f"{here}/hand-over", successor="Bem", note="The queue is yours.")
    assert refused.status_code == 422
    assert 'value="Bem"' in refused.text
    assert 'value="The queue is yours."' in refused.text
    assert 'id="people-hand-over" open' in refused.text
    refused = await browser.send(here, f"{here}/hand-over", successor="kai okafor", note="The queue is yours.")
    assert refused.status_code == 409
    assert 'id="error-successor">Only a participant can become commander.' in refused.text
    assert 'value="kai okafor"' in refused.text
    assert 'value="The queue is yours."' in refused.text
    assert 'id="people-hand-over" open' in refused.text
    done = await browser.send(here, f"{here}/hand-over", successor="ben", note="The queue is yours.")
    assert done.status_code == 303
    page = read(await browser.get(here))
    assert "made Ben commander" in page
    assert "The queue is yours." in page
    assert (await browser.send(here, f"{here}/leave")).status_code == 303

    async def told() -> bool:
        ledger = read(await browser.get(f"/{browser.slug}/deliveries?recipient=Ben"))
        return ledger.count("Hand-over to Ben") == 2

    await org.until(told)


async def test_it_says_who_is_told_that_they_are_the_commander(browser: Browser, org: Organization) -> None:
    ben = await org.individual("Ben")
    incident = await org.report("Queue grows")
    await org.post(f"/incidents/{incident['id']}/participants", {"individual": ben["id"]})
    here = f"/{browser.slug}/incidents/INC-1"
    page = read(await browser.get(here))
    assert "Somebody who is here, by name or address. They are told by email and in the channel." in page
    assert "Hand over the command What Ben should know (optional) Make commander Ben is told by email and in the channel." in page
    await browser.send(here, f"{here}/commander", individual=ben["id"])
    page = read(await browser.get(here))
    assert "Make commander" in page
    assert "Olive Owner is told" not in page


async def test_roles_are_shown_beside_people(browser: Browser, org: Organization) -> None:
    await org.individual("Kai Okafor")
    await org.individual("Ben", "queue")
    await org.post("/incident-roles", {"name": "Scribe"})
    await tagged(org, "Notes", role="Scribe", assignee={"individual": "Kai Okafor"})
    rule = {"name": "Scribes", "engage": [{"individual": "Ben"}], "role": "Scribe"}
    await org.post("/engagement-rules", rule | {"when": {"all": [{"attribute": "tag", "operator": "is", "values": ["Notes"]}]}})
    await org.report("Queue grows", tags=["Notes"])
    here = f"/{browser.slug}/incidents/INC-1"
    page = read(await browser.get(here))
    assert "Kai Okafor Scribe by the role policy “Notes”" in page
    assert "Ben Scribe rule “Scribes”" in page


async def test_a_policy_that_changed_meanwhile_is_neither_switched_nor_deleted(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/engagement/roles"
    made = await tagged(org, "old")
    path = f"{here}/policies/{made['id']}"
    assert 'name="version" value="1"' in (await browser.get(here)).text
    await org.patch(f"/role-policies/{made['id']}", {"name": "new"})
    for refused, said in (
        (await browser.send(here, f"{path}/switch", version="1"), "was not switched"),
        (await browser.send(path, f"{path}/delete", version="1", understood="true"), "was not deleted"),
    ):
        assert refused.status_code == 412
        assert said in refused.text
        assert "new" in refused.text
        assert 'name="version" value="2"' in refused.text
    for _ in range(2):
        assert (await browser.send(here, f"{path}/switch", version="2")).status_code == 303
    assert (await org.get(f"/role-policies/{made['id']}"))["enabled"] is False
    assert (await browser.send(path, f"{path}/delete", version="3", understood="true")).status_code == 303
    assert (await org.get("/role-policies"))["data"] == []


@pytest.mark.feature("C11")
async def test_of_two_who_move_policies_the_second_is_told(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/engagement/roles"
    one, _, three = [await tagged(org, name) for name in ("one", "two", "three")]

    async def names() -> list[str]:
        return [each["name"] for each in (await org.get("/role-policies"))["data"]]

    def told(answer: httpx.Response) -> bool:
        return answer.status_code == 412 and "Someone changed these policies meanwhile, so none was moved." in answer.text

    page = (await browser.get(here)).text
    seen = re.findall(r'name="(csrf_token|order)" value="(\w+)"', page)
    up, down = dict(seen) | {"rank": "2"}, dict(seen) | {"rank": "2"}
    for _ in range(2):
        # Pressed twice, it is moved once.
        assert (await browser.client.post(f"{here}/policies/{three['id']}/move", data=up)).status_code == 303
    assert await names() == ["one", "three", "two"]
    refused = await browser.client.post(f"{here}/policies/{one['id']}/move", data=down)
    assert told(refused)
    assert refused.text.index(">one<") < refused.text.index(">three<") < refused.text.index(">two<")
    assert await names() == ["one", "three", "two"]
    # What is shown then can be moved; what says something else by then is looked at again.
    again = dict(re.findall(r'name="(csrf_token|order)" value="(\w+)"', refused.text))
    assert (await browser.client.post(f"{here}/policies/{one['id']}/move", data=again | {"rank": "2"})).status_code == 303
    assert await names() == ["three", "one", "two"]
    again = dict(re.findall(r'name="(csrf_token|order)" value="(\w+)"', (await browser.get(here)).text))
    await org.patch(f"/role-policies/{three['id']}", {"enabled": False})
    refused = await browser.client.post(f"{here}/policies/{one['id']}/move", data=again | {"rank": "1"})
    assert told(refused)
    assert ">Off<" in refused.text
    assert (await browser.client.post(f"{here}/policies/{one['id']}/move", data=dict(seen) | {"rank": "0"})).status_code == 422
