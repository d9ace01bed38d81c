"""Whom a text names, and whom one may mean by it."""

import asyncio

import pytest

from services.desk.lookup import Person, resolve_person
from services.engagement import contacts
from services.kit.errors import Invalid
from tests.support.running import Organization, RunningMuster


async def named(muster: RunningMuster, org: Organization, text: str) -> str:
    """The address of whom a text names, or the words about why it names nobody."""
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        try:
            return (await resolve_person(session, "commander", text)).email
        except Invalid as error:
            (fault,) = error.errors
            assert fault.field == "commander"
            return fault.message


async def add(org: Organization, name: str, email: str, active: bool = True) -> str:
    return str((await org.post("/individuals", {"name": name, "email": email, "active": active}))["id"])


@pytest.mark.feature("R1", "E1")
async def test_a_person_is_named_by_id_address_or_name(muster: RunningMuster, org: Organization) -> None:
    zoe = await add(org, "Zoë  Alpha-Beta", "Zoe.Älpha@example.org")
    label = Person(id=zoe, name="Zoë Alpha-Beta", email="Zoe.Älpha@example.org").label
    for text in (zoe, label, "ZOE.ÄLPHA@EXAMPLE.ORG", "  zoe\u0308 alpha beta ", "Somebody <zoe.älpha@example.org>"):
        assert await named(muster, org, text) == "Zoe.Älpha@example.org"
    for text in ("Zoë", "Zoë Alpha-Bet", "%", "🦊", "x" * 600, "ﷺ" * 600):
        assert (await named(muster, org, text)).startswith(f"Nobody here is called {text}. Look at the spelling, or add them")
    for text in ("zoe@example.org", "Zoë Alpha-Beta <zoe@example.org>"):
        assert (await named(muster, org, text)).startswith("Nobody here has the address zoe@example.org.")
    assert await named(muster, org, " ") == "Name a person."


@pytest.mark.feature("R1", "E1")
async def test_a_name_that_two_have_needs_the_address(muster: RunningMuster, org: Organization) -> None:
    await add(org, "Ana", "ana.old@example.org", active=False)
    assert await named(muster, org, "ana") == "ana.old@example.org"
    await add(org, "Ana", "ana.one@example.org")
    assert await named(muster, org, "ana") == "ana.one@example.org"
    await add(org, "ANA", "ana.two@example.org")
    assert await named(muster, org, "Ana") == "Two people are called Ana: give the address."
    await add(org, "Ana!", "ana.three@example.org")
    assert await named(muster, org, "Ana") == "Several people are called Ana: give the address."
    assert await named(muster, org, "Ana <ana.two@example.org>") == "ana.two@example.org"
    assert await named(muster, org, "ana.old@example.org") == "ana.old@example.org"


@pytest.mark.feature("O1")
async def test_nobody_of_another_organization_is_named(muster: RunningMuster, org: Organization) -> None:
    other = await muster.organization()
    stranger = await add(other, "Stranger", "stranger@example.org")
    for text in (stranger, "Stranger", "stranger@example.org"):
        assert (await named(muster, org, text)).startswith("Nobody here")
    await other.api.aclose()


@pytest.mark.feature("E1")
async def test_what_is_changed_is_found_anew_and_an_address_stays_unique(muster: RunningMuster, org: Organization) -> None:
    ana = await add(org, "Ana Alpha", "ana@example.org")
    await org.patch(f"/individuals/{ana}", {"name": "Ana Omega", "email": "omega@example.org"})
    assert await named(muster, org, "Ana Omega") == await named(muster, org, "OMEGA@example.org") == "omega@example.org"
    assert (await named(muster, org, "Ana Alpha")).startswith("Nobody")
    # Two who add the same address in other letters at the same time: the database lets one through.
    bodies = [{"name": "Twin", "email": email} for email in ("tWin@example.org", "twIn@example.org", "twiN@example.org")]
    answers = await asyncio.gather(*(org.api.post("/individuals", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422]


@pytest.mark.feature("R1")
async def test_suggestions_are_few_active_and_begin_as_typed(muster: RunningMuster, org: Organization) -> None:
    organization = (await org.get("/me"))["organization"]["id"]
    for number in range(12):
        await add(org, f"Ben Beta{number:02}", f"b{number}@example.com")
    await add(org, "Gone Beta99", "gone@example.com", active=False)

    async def suggested(text: str) -> list[str]:
        async with muster.muster.database.read(organization) as session:
            return [person.name for person in await contacts.suggestions(session, text)]

    assert await suggested("be") == [f"Ben Beta{number:02}" for number in range(contacts.MAX_SUGGESTIONS)]
    assert await suggested("BETA11 b") == await suggested("b11@ex") == ["Ben Beta11"]
    assert await suggested("Ben Beta07 <b7@example.com>") == ["Ben Beta07"]
    for nobody in ("", "%", "eta", "gone", "beta99", "ﷺ" * 600):
        assert await suggested(nobody) == []
