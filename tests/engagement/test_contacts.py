"""Individuals and their terms (E1)."""

import asyncio

import httpx
import pytest

from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from tests.web.browser import HTML
from workflows.domain.policy import Role


@pytest.mark.feature("E1", "E6")
async def test_terms_keep_their_ids_and_count_their_versions(org: Organization) -> None:
    ana = await org.individual("Ana", "Disk Full", "quota", "disk-full")
    assert ana["terms"] == ["Disk Full", "quota"]
    path = f"/individuals/{ana['id']}/terms"
    response = await org.api.put(path, json={"terms": ["DISK FULL", "new"]}, headers={"If-Match": '"1"'})
    changed = response.json()
    assert response.headers["ETag"] == '"2"'
    before, after = ({term["phrase"]: term for term in each["term_details"]} for each in (ana, changed))
    assert after["DISK FULL"] == {"id": before["Disk Full"]["id"], "phrase": "DISK FULL", "version": 2}
    assert after["new"]["version"] == 1
    assert set(after) == {"DISK FULL", "new"}
    again = (await org.api.put(path, json={"terms": ["DISK FULL", "new"]})).json()
    assert again["term_details"] == changed["term_details"]


@pytest.mark.feature("E1")
async def test_a_contact_that_cannot_be_is_refused(org: Organization) -> None:
    await org.post("/individuals", {"name": "Ana", "email": "ana@example.org"})
    good = {"name": "x", "email": "x@example.org"}
    wrong: list[tuple[dict[str, object], str]] = [
        ({"email": "nobody"}, "email"),
        ({"email": "a@b\r\nBcc: all@example.org"}, "email"),
        ({"email": "Ana <a@b.example>"}, "email"),
        ({"email": "a@b.example, c@d.example"}, "email"),
        ({"email": "x@" + "y" * 320}, "email"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"terms": ["--"]}, "terms.0"),
        ({"terms": ["x" * 201]}, "terms.0"),
        ({"terms": ["㌖" * 200]}, "terms.0"),  # each is six characters written out
        ({"terms": [f"t{n}" for n in range(201)]}, "terms"),
        ({"terms": [1]}, "terms.0"),
        ({"active": "perhaps"}, "active"),
        ({"shoe_size": 7}, "shoe_size"),
    ]
    for change, field in wrong:
        assert fields(problem(await org.api.post("/individuals", json=good | change), 422, "invalid")) == {field}
    taken = problem(await org.api.post("/individuals", json=good | {"email": "ANA@example.org"}), 422, "email_taken")
    assert fields(taken) == {"email"}
    assert len((await org.get("/individuals"))["data"]) == 2


@pytest.mark.feature("E1")
async def test_one_of_many_gets_an_address(org: Organization) -> None:
    body = {"name": "Twin", "email": "twin@example.org"}
    answers = await asyncio.gather(*(org.api.post("/individuals", json=body) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 11]
    for answer in answers:
        if answer.status_code == 422:
            problem(answer, 422, "email_taken")


@pytest.mark.feature("C11")
async def test_of_two_changes_of_one_version_one_is_told(org: Organization) -> None:
    ana = await org.individual("Ana")
    answers = await asyncio.gather(
        *(
            org.api.put(f"/individuals/{ana['id']}/terms", json={"terms": [f"word{n}", "same"]}, headers={"If-Match": '"1"'})
            for n in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    now = await org.get(f"/individuals/{ana['id']}")
    assert now["version"] == 2
    assert [answer.json()["terms"] for answer in answers if answer.status_code == 200] == [now["terms"]]


@pytest.mark.feature("E1")
async def test_individuals_are_found_by_how_their_words_begin(org: Organization) -> None:
    for name, term in (("100% Ann", "x"), ("Under_score", "y"), ("Zoë Back\\slash", "z"), ("Plain", "50% off_all")):
        await org.post("/individuals", {"name": name, "email": f"{term[0]}@example.com", "terms": [term]})

    async def found(q: str) -> list[str]:
        return [each["name"] for each in (await org.get("/individuals", q=q))["data"]]

    assert await found("ann") == await found("Ann 10") == ["100% Ann"]
    assert await found("SLASH zoe\u0308") == ["Zoë Back\\slash"]
    assert await found("und sco") == await found("y@example.com") == ["Under_score"]
    assert await found("PLAIN") == await found("off 5") == ["Plain"]
    assert await found("com example") == ["100% Ann", "Plain", "Under_score", "Zoë Back\\slash"]
    for nobody in ("%", "_", "\\", "lain", "ann off", "nothing like it", "ﷺ" * 200):
        assert await found(nobody) == []


@pytest.mark.feature("O4", "E1")
async def test_an_owners_address_is_for_owners_to_change(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    async with member(muster, org, "Ada", Role.ADMIN) as ada:
        for body in ({"email": "mine@x.example"}, {"active": False}, {"name": "Someone else"}):
            problem(await ada.api.patch(f"/individuals/{me}", json=body), 403, "owners_only")
        problem(await ada.api.delete(f"/individuals/{me}"), 403, "owners_only")
        assert (await ada.api.put(f"/individuals/{me}/terms", json={"terms": ["disk"]})).status_code == 200
        assert (await ada.api.patch(f"/individuals/{me}", json={"name": "Olive Owner"})).status_code == 200
        assert (await org.patch(f"/individuals/{ada.individual}", {"name": "Ada B"}))["name"] == "Ada B"


@pytest.mark.feature("O3", "O4")
async def test_an_address_that_lets_somebody_in_takes_an_administrator(muster: RunningMuster, org: Organization) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    async with member(muster, org, "Mia") as mia:
        own = f"/individuals/{mia.individual}"
        problem(await mia.api.patch(own, json={"email": "ceo@corp.example"}), 403, "administrators_only")
        problem(await mia.api.patch(own, json={"active": False}), 403, "administrators_only")
        assert (await mia.api.patch(own, json={"name": "Mia M", "email": mia.email})).status_code == 200
        writes = await org.post("/tokens", {"name": "writes", "scopes": ["read", "write"]})
        async with httpx.AsyncClient(
            base_url=str(org.api.base_url), headers={"Authorization": f"Bearer {writes['secret']}"}, timeout=PATIENCE
        ) as program:
            for path in (f"/individuals/{me}", own):
                problem(await program.patch(path, json={"email": "evil@x.example"}), 403, "scope_missing")
            problem(await program.delete(own), 403, "scope_missing")
            assert (await program.patch(own, json={"name": "Mia"})).status_code == 200
        # Who is made inactive is out, and stays out when they are active again.
        assert (await org.patch(own, {"email": "mia@corp.example"}))["email"] == "mia@corp.example"
        assert (await org.api.delete(own)).status_code == 204
        await org.patch(own, {"active": True})
        problem(await mia.api.get("/me"), 401, "unknown_token")
        entries = (await org.get("/audit", action="contact.changed"))["data"]
        told = [{"active": True}, {"active": False}, {"email": "mia@corp.example"}, {"name": "Mia"}, {"name": "Mia M"}]
        assert [entry["after"] for entry in entries] == told


@pytest.mark.feature("E1")
async def test_of_many_who_add_the_same_address_by_the_page_one_does(muster: RunningMuster, org: Organization) -> None:
    async with httpx.AsyncClient(base_url=muster.base_url, headers=HTML, timeout=PATIENCE) as browser:
        link = await muster.muster.accounts.issue_link(org.slug)
        await browser.post("/sign-in", data={"link": link})
        page = (await browser.get(f"/{org.slug}/contacts/individuals")).text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"csrf_token": token, "name": "Twin", "email": "twin@x.example", "terms": ""}
        path = f"/{org.slug}/contacts/individuals"
        answers = await asyncio.gather(*(browser.post(path, data=form) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [303, 422, 422, 422, 422]
