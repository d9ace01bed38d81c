"""Further addresses of an individual (E1)."""

import asyncio

import httpx
import pytest

from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML

pytestmark = pytest.mark.feature("E1")


async def test_an_address_is_one_individuals(org: Organization) -> None:
    ana = await org.post("/individuals", {"name": "Ana", "email": "ana@example.org", "addresses": ["a@b.example", "A@B.example"]})
    assert ana["addresses"] in (["a@b.example"], ["A@B.example"])
    for body in ({"email": "A@b.example"}, {"email": "x@y.example", "addresses": ["z@y.example", "ANA@example.org"]}):
        taken = problem(await org.api.post("/individuals", json={"name": "Ben"} | body), 422, "email_taken")
        assert fields(taken) == {"addresses.1" if "addresses" in body else "email"}
    ben = await org.post("/individuals", {"name": "Ben", "email": "ben@example.org"})
    problem(await org.api.patch(f"/individuals/{ben['id']}", json={"addresses": ["a@b.example"]}), 422, "email_taken")
    assert len((await org.get("/individuals"))["data"]) == 3


async def test_a_further_address_becomes_the_main_one(org: Organization) -> None:
    ana = await org.post(
        "/individuals", {"name": "Ana", "email": "old@x.example", "addresses": ["new@x.example", "third@x.example"]}
    )
    here = f"/individuals/{ana['id']}"
    changed = await org.patch(here, {"email": "new@x.example"})
    assert (changed["email"], changed["addresses"]) == ("new@x.example", ["third@x.example"])
    both = await org.patch(here, {"email": "old@x.example", "addresses": ["new@x.example"]})
    assert (both["email"], both["addresses"]) == ("old@x.example", ["new@x.example"])
    await org.post("/individuals", {"name": "Ben", "email": "third@x.example"})


async def test_one_of_many_gets_it(org: Organization) -> None:
    bodies = [
        {"name": f"P{n}", "email": f"{n}@x.example", "addresses": ["shared@x.example"]}
        if n % 2
        else {"name": f"P{n}", "email": "Shared@x.example"}
        for n in range(8)
    ]
    answers = await asyncio.gather(*(org.api.post("/individuals", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 7]


@pytest.mark.feature("R1")
async def test_people_are_named_and_found_by_any_address(org: Organization) -> None:
    ana = await org.post("/individuals", {"name": "Ana", "email": "ana@example.org", "addresses": ["a.moreno@elsewhere.example"]})
    made = await org.post("/incidents", {"title": "x", "commander": "A.Moreno@elsewhere.example"})
    await org.until(lambda: _led_by(org, made["id"], ana["id"]))
    assert [each["id"] for each in (await org.get("/individuals", q="moreno elsew"))["data"]] == [ana["id"]]
    assert [each["id"] for each in (await org.get("/incidents", commander="a.moreno@elsewhere.example"))["data"]] == [made["id"]]


async def _led_by(org: Organization, incident: str, person: str) -> bool:
    commander = (await org.get(f"/incidents/{incident}"))["commander"]
    return commander is not None and bool(commander["id"] == person)


@pytest.mark.feature("O3")
async def test_one_signs_in_by_any_address(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, password="a long enough pass phrase") as mia:
        await org.patch(f"/individuals/{mia.individual}", {"addresses": ["mia@home.example"]})
        async with httpx.AsyncClient(base_url=muster.base_url, headers=HTML) as client:
            page = f"/{org.slug}/sign-in"
            form = {"email": "MIA@home.example", "password": "a long enough pass phrase"}
            assert (await client.post(page, data=form)).status_code == 303
            assert (await client.get(f"/{org.slug}")).status_code == 200


@pytest.mark.feature("O4")
async def test_a_mailing_list_gets_no_account(org: Organization) -> None:
    await org.post("/teams", {"name": "Payments", "notify": "list", "list_address": "pay@example.org"})
    body = {"name": "Pay", "email": "PAY@example.org", "role": "member"}
    assert fields(problem(await org.api.post("/members", json=body), 422, "email_taken")) == {"email"}
