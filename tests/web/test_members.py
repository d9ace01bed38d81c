"""The settings' pages about members, projects and organizations, without scripts."""

import asyncio
import re

import httpx
import pytest
from sqlalchemy import insert, text

from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.accounts import Account
from services.store.contacts import Individual
from services.store.organizations import ProjectMember
from tests.accounts.members import member
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML, Browser

MANY = 10_000
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.feature("O3", "O4")
async def test_somebody_is_invited_and_given_a_role(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/members"
    assert (await browser.get(f"/{browser.slug}/settings")).headers["location"] == here
    project = (await org.get("/projects"))["data"][0]["id"]
    refused = await browser.send(here, here, name="Ana", email="nonsense", role="member")
    assert refused.status_code == 422
    assert 'id="error-email"' in refused.text
    assert 'value="nonsense"' in refused.text
    answer = await browser.send(
        here, here, **{"name": "Ana", "email": "ana@example.org", "role": "admin", f"project-{project}": "true"}
    )
    twice = await asyncio.gather(*(browser.client.post(here, content=answer.request.content, headers=FORM) for _ in range(2)))
    assert [each.headers["location"] for each in twice] == [answer.headers["location"]] * 2
    page = (await browser.get(answer.headers["location"])).text
    assert "Ana was invited." in page
    assert f'href="/{browser.slug}/deliveries?recipient=ana%40example.org"' in page
    (ana,) = (await org.get("/members", q="ana"))["data"]
    assert (ana["role"], ana["projects"]) == ("admin", 1)
    person = f"{here}/{ana['id']}"
    assert (await browser.send(person, person, role="member")).headers["location"] == f"{person}?done=role"
    assert (await org.get(f"/members/{ana['id']}"))["role"] == "member"
    stale = await browser.send(person, person, role="owner", version="1")
    assert (stale.status_code, "Someone changed this meanwhile" in stale.text) == (412, True)
    assert (await browser.send(person, f"{person}/invitation")).headers["location"] == f"{person}?done=again"


@pytest.mark.feature("O6")
async def test_who_leaves_is_deactivated_and_what_they_hold_is_shown(browser: Browser, org: Organization) -> None:
    kai = await org.individual("Kai Okafor")
    made = await org.post("/members", {"name": "Kai", "email": kai["email"]})
    await org.report("Queue grows", commander=kai["id"])
    person = f"/{browser.slug}/settings/members/{made['id']}"
    assert "signed out everywhere" in (await browser.get(person)).text
    hasty = await browser.send(person, f"{person}/deactivate")
    assert (hasty.status_code, "Tick “I understand”" in hasty.text) == (422, True)
    assert (await org.get(f"/members/{made['id']}"))["active"]
    answer = await browser.send(person, f"{person}/deactivate", understood="true")
    page = (await browser.get(answer.headers["location"])).text
    assert "Kai Okafor was deactivated" in page
    assert "Still commander of" in page
    assert f'href="/{browser.slug}/incidents/INC-1"' in page
    await browser.send(person, f"{person}/reactivate")
    assert (await org.get(f"/members/{made['id']}"))["active"]


@pytest.mark.feature("O4")
async def test_a_project_is_kept_by_its_pages(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/projects"
    refused = await browser.send(here, here, name="default")
    assert (refused.status_code, 'id="error-name"' in refused.text) == (422, True)
    answer = await browser.send(here, here, name="Payments", severity="High")
    project = answer.headers["location"].partition("?")[0]
    assert "The project was made" in (await browser.get(answer.headers["location"])).text
    await org.individual("Pat")
    refused = await browser.send(project, f"{project}/members", person="Pat")
    assert (refused.status_code, "Pat has no account." in refused.text) == (422, True)
    assert (await browser.send(project, f"{project}/members", person="Olive Owner")).status_code == 303
    account = (await org.get("/me"))["account"]
    assert f'href="/{browser.slug}/settings/members/{account}"' in (await browser.get(project)).text
    assert (await browser.send(project, f"{project}/members/{account}/remove")).status_code == 303
    form = (await browser.get(f"/{browser.slug}/incidents/report")).text
    assert form.count('<option value="">The project’s default</option>') == 3
    report = f"/{browser.slug}/incidents/report"
    sent = await browser.send(report, report, title="Cards are refused", project="Payments", severity="", type="", priority="Low")
    assert sent.status_code == 303
    made = (await org.get("/incidents"))["data"][0]
    assert (made["severity"]["name"], made["type"]["name"], made["priority"]["name"]) == ("High", "Other", "Low")
    page = (await browser.get(project)).text
    assert ("It cannot be deleted: incidents belong to it" in page, f'action="{project}/delete"' in page) == (True, False)
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    refused = await browser.client.post(f"{project}/delete", data={"csrf_token": token})
    assert (refused.status_code, "Incidents belong to this project" in refused.text) == (409, True)
    await browser.send(project, f"{project}/default")
    assert (await browser.send(project, project, name="Money")).status_code == 303
    found = {each["name"]: each for each in (await org.get("/projects"))["data"]}
    assert [name for name, each in found.items() if each["is_default"]] == ["Money"]
    assert (found["Money"]["self_join"], found["Money"]["defaults"]["severity"]) == (False, None)
    default = f"{here}/{found['Default']['id']}"
    assert (await browser.send(default, f"{default}/delete")).headers["location"] == f"{here}?deleted=true"


@pytest.mark.feature("O4")
async def test_who_may_not_manage_sees_no_forms(muster: RunningMuster, org: Organization) -> None:
    password = "a heron over the quiet canal"
    project = (await org.get("/projects"))["data"][0]["id"]
    async with (
        member(muster, org, password=password) as mia,
        httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as client,
    ):
        await client.post(f"/{org.slug}/sign-in", data={"email": mia.email, "password": password})
        for path in ("members", f"members/{mia.account}", "projects", f"projects/{project}"):
            page = await client.get(f"/{org.slug}/settings/{path}")
            assert page.status_code == 200
            assert re.findall(r'method="post" action="(.*?/settings/.*?)"', page.text) == []
        assert (await client.get(f"/{org.slug}/settings/organizations/new")).status_code == 403


@pytest.mark.feature("O1", "O2", "O5")
async def test_an_owner_makes_another_organization(browser: Browser, org: Organization) -> None:
    here = f"/{browser.slug}/settings/organizations/new"
    for slug, status in (("Not A Slug", 422), ("api", 422), (browser.slug, 409)):
        refused = await browser.send(here, here, name="Second", slug=slug)
        assert (refused.status_code, 'id="error-slug"' in refused.text) == (status, True)
    answer = await browser.send(here, here, name="Second", slug=f"{browser.slug}-2")
    assert answer.headers["location"] == f"/{browser.slug}-2"
    assert (await browser.get(f"/{browser.slug}-2")).status_code == 200
    assert (await browser.get(f"/{browser.slug}")).status_code == 200
    members = (await browser.get(f"/{browser.slug}-2/settings/members")).text
    assert "Olive Owner" in members
    (entry,) = [e for e in (await org.get("/audit", action="organization.created"))["data"] if e["who"]["id"]]
    assert (entry["who"]["name"], entry["object"]["name"]) == ("Olive Owner", f"{browser.slug}-2")
    theirs = (await browser.get(f"/{browser.slug}-2/settings/audit")).text
    assert "made the organization" in theirs


@pytest.mark.feature("O4")
async def test_pages_do_not_grow_with_the_members(
    browser: Browser, org: Organization, muster: RunningMuster, statements: list[str]
) -> None:
    me, project = await org.get("/me"), (await org.get("/projects"))["data"][0]["id"]
    await org.report("It broke")
    await org.until(lambda: org.all_sent("INC-1"))
    root, database = f"/{browser.slug}", muster.muster.database
    settings = (f"members/{me['account']}", "members", "members?q=member", f"projects/{project}", "projects")
    paths = [*(f"{root}/settings/{path}" for path in settings), f"{root}/incidents/report", f"{root}/incidents/INC-1"]
    await _fill(database, me["organization"]["id"], project, 30)
    before = [await _cost(browser, path, statements) for path in paths]
    await _fill(database, me["organization"]["id"], project, MANY)
    for path, (queries, length) in zip(paths, before, strict=True):
        queries_now, length_now = await _cost(browser, path, statements)
        assert queries_now == queries, path
        assert length_now < length + 2_000, path


async def _fill(database: Database, organization: str, project: str, count: int) -> None:
    people = [(new_id(), new_id()) for _ in range(count)]
    each = {"organization_id": organization}
    async with database.write(organization) as session:
        session.add_all(
            Individual(id=person, name=f"Member {person[-6:]}", email=f"{person}@m.example", created_at=now(), **each)
            for person, _ in people
        )
        await session.flush()
        rows = [
            each
            | {"id": account, "individual_id": person, "kind": "person", "role": "member", "preferences": {}, "created_at": now()}
            for person, account in people
        ]
        await session.execute(insert(Account), rows)
        joined = [each | {"project_id": project, "account_id": account, "added_at": now()} for _, account in people]
        await session.execute(insert(ProjectMember), joined)
        # PostgreSQL does so by itself, within a minute; until then it takes the tables for small ones.
        await session.execute(text("ANALYZE"))


async def _cost(browser: Browser, path: str, statements: list[str]) -> tuple[int, int]:
    statements.clear()
    page = await browser.get(path)
    assert page.status_code == 200, path
    asked = [statement for statement in statements if statement.startswith("SELECT")]
    return len(asked), len(page.content)


@pytest.mark.feature("O2", "O3")
async def test_an_invitation_says_whose_session_it_ends(browser: Browser, muster: RunningMuster, org: Organization) -> None:
    made = await org.post("/members", {"name": "Kai Okafor", "email": "kai@example.org"})

    async def secrets() -> list[str]:
        texts = [str(mail["text"]) for mail in (await org.get("/inbox", recipient=made["individual"]["id"]))["data"]]
        return re.findall(rf"/{org.slug}/invitation\?secret=(\S+)", "".join(texts))

    async def arrived() -> bool:
        return bool(await secrets())

    await org.until(arrived)
    address = f"/{org.slug}/invitation?secret={(await secrets())[0]}"
    page = (await browser.get(address)).text
    assert "as <strong>Olive Owner</strong>" in page
    assert f'{address}" readonly' in page
    refused = await browser.send(address, f"/{org.slug}/invitation", password="short")
    assert (refused.status_code, "as <strong>Olive Owner</strong>" in refused.text) == (422, True)
    async with httpx.AsyncClient(base_url=muster.base_url, timeout=PATIENCE, headers=HTML) as stranger:
        assert "you are signed in" not in (await stranger.get(address)).text


@pytest.mark.feature("O3")
async def test_a_role_and_a_scope_are_said_in_the_same_words_everywhere(browser: Browser, org: Organization) -> None:
    await org.post("/tokens", {"name": "Probe", "kind": "service", "role": "admin", "scopes": ["report"]})
    page = (await browser.get(f"/{browser.slug}/settings/tokens")).text
    assert "Service · Administrator" in page
    assert "See everything its account can see" in page
    assert "Make new ones, and change nothing else" in page


@pytest.mark.feature("N6")
async def test_the_ledger_is_narrowed_only_to_what_there_is(browser: Browser) -> None:
    page = (await browser.get(f"/{browser.slug}/deliveries")).text
    offered = set(re.findall(r'<option value="(\w+)"', page))
    assert offered == {"pending", "sent", "failed", "folded", "email", "chat", "inbox"}
