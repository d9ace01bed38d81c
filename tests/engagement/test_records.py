"""How often rules and terms matched, and were right; the noisy and the dead ones are pointed out (E3, E8)."""

import asyncio
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select, update

from services.engagement.health import DEAD_AFTER, Health, does, health_of
from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.contacts import TermMatch, TermRow
from services.store.matches import Causes, note_matches, note_not_relevant
from services.store.organizations import Organization as OrganizationRow
from services.store.rules import RuleRow
from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E3", "E8")

AT = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
DAY = timedelta(days=1)


async def organization(muster: RunningMuster, org: Organization) -> str:
    async with muster.muster.database.read() as session:
        found = await session.scalars(select(OrganizationRow.id).where(OrganizationRow.slug == org.slug))
        return found.one()


async def terms(org: Organization, **asked: Any) -> dict[str, dict[str, Any]]:
    """How the terms do, by phrase."""
    return {each["phrase"]: each for each in (await org.get("/engagement/terms", **asked))["data"]}


def counts(term: dict[str, Any]) -> tuple[int, int]:
    return term["matches"], term["not_relevant"]


def row(matches: int, not_relevant: int, last: datetime | None) -> TermRow:
    return TermRow(matches=matches, not_relevant=not_relevant, last_match_at=last)


@pytest.mark.parametrize(
    ("matches", "not_relevant", "last", "since", "expected"),
    [
        (0, 0, None, AT, Health.OK),
        (0, 0, None, AT - DEAD_AFTER, Health.OK),
        (0, 0, None, AT - DEAD_AFTER - DAY, Health.DEAD),
        (0, 0, None, None, Health.OK),
        (9, 0, AT - DEAD_AFTER, AT - 2 * DEAD_AFTER, Health.OK),
        (9, 9, AT - DEAD_AFTER - DAY, AT - 2 * DEAD_AFTER, Health.DEAD),
        (2, 2, AT, AT, Health.OK),
        (3, 3, AT, AT, Health.NOISY),
        (10, 3, AT, AT, Health.NOISY),
        (11, 3, AT, AT, Health.OK),
        (10, 3, AT, None, Health.OK),
    ],
)
def test_what_is_noisy_and_what_is_dead(
    matches: int, not_relevant: int, last: datetime | None, since: datetime | None, expected: Health
) -> None:
    assert health_of(row(matches, not_relevant, last), since, AT) is expected


async def test_the_database_is_asked_for_the_same(database: Database) -> None:
    identity = new_id()
    moments = [AT, AT - DEAD_AFTER, AT - DEAD_AFTER - DAY]
    every = list(product((0, 3, 10, 11), (0, 2, 3, 4), (None, *moments), moments, (True, False)))
    async with database.write() as session:
        session.add(OrganizationRow(id=identity, slug="org", name="Org", created_at=AT))
    async with database.write(identity) as session:
        for number, (matches, not_relevant, last, since, enabled) in enumerate(every):
            rule = RuleRow(id=new_id(), organization_id=identity, name=str(number), enabled=enabled, definition={}, version=1)
            rule.created_at = rule.changed_at = since
            rule.matches, rule.not_relevant, rule.last_match_at = matches, not_relevant, last
            session.add(rule)
    async with database.read(identity) as session:
        for wanted in Health:
            condition = does(wanted, RuleRow, RuleRow.changed_at, RuleRow.enabled, AT)
            found = set(await session.scalars(select(RuleRow.name).where(condition)))
            rows = (await session.scalars(select(RuleRow))).all()
            expected = {each.name for each in rows if health_of(each, each.changed_at if each.enabled else None, AT) is wanted}
            assert found == expected
            assert found


async def test_a_term_counts_once_an_incident_however_often_it_is_evaluated(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo:
        await org.api.put(f"/individuals/{jo.individual}/terms", json={"terms": ["Disk", "smoke"]})
        first = (await org.report("Disk"))["id"]
        await org.patch(f"/incidents/{first}", {"title": "The disk", "description": "disk disk"})
        await org.patch(f"/incidents/{first}", {"tags": ["disk", "smoke"]})

        async def counted() -> bool:
            found = await terms(org)
            return (counts(found["Disk"]), counts(found["smoke"])) == ((1, 0), (1, 0))

        await org.until(counted)
        second = (await org.report("Another disk"))["id"]
        await org.until(lambda: _matched(org, "Disk", 2))
        for _ in range(2):
            assert (await jo.api.post(f"/incidents/{first}/not-relevant")).json()["state"] == "left"
        found = await terms(org)
        # Only what engaged somebody was wrong about them.
        assert (counts(found["Disk"]), counts(found["smoke"])) == ((2, 1), (1, 0))
        assert (await jo.api.post(f"/incidents/{second}/leave")).is_success
        assert counts((await terms(org))["Disk"]) == (2, 1), "leaving says nothing of the match"
        # Back, and away again: it is still one incident.
        assert (await jo.api.post(f"/incidents/{first}/join")).is_success
        assert (await jo.api.post(f"/incidents/{first}/not-relevant")).is_success
        assert counts((await terms(org))["Disk"]) == (2, 1)
        assert found["Disk"]["owner"] == {"kind": "individual", "id": jo.individual, "name": "Jo"}
        assert (found["Disk"]["health"], found["Disk"]["last_match_at"] is None) == ("ok", False)


async def _matched(org: Organization, phrase: str, times: int) -> bool:
    return bool((await terms(org))[phrase]["matches"] == times)


@pytest.mark.feature("E1")
async def test_teams_terms_and_rules_count_too(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Jo") as jo, member(muster, org, "Kim") as kim:
        people = [jo.individual, kim.individual]
        team = await org.post("/teams", {"name": "Storage", "members": people, "terms": ["disk"]})
        body = {"name": "All", "when": {"any": [{"attribute": "severity", "operator": "at_least", "values": ["Low"]}]}}
        rule = await org.post("/engagement-rules", body | {"engage": [{"individual": jo.individual}]})
        incident = (await org.report("Disk"))["id"]
        for each in (kim, jo):
            assert (await each.api.post(f"/incidents/{incident}/not-relevant")).is_success
        [term] = (await org.get("/engagement/terms", owner=team["id"]))["data"]
        assert (term["owner"]["name"], counts(term)) == ("Storage", (1, 1))
        assert counts(await org.get(f"/engagement-rules/{rule['id']}")) == (1, 1)


async def test_a_click_counts_even_before_the_match_was_counted(muster: RunningMuster, org: Organization) -> None:
    await org.individual("Ana", "disk", "smoke")
    incident = (await org.report("Nothing of it"))["id"]
    found = await terms(org)
    causes = Causes(rules=[new_id()], terms=[found["disk"]["id"], new_id()])
    for _ in range(2):
        async with muster.muster.database.write(await organization(muster, org)) as session:
            await note_not_relevant(session, incident, causes, now())
            await note_matches(session, incident, causes, now())
    found = await terms(org)
    assert (counts(found["disk"]), counts(found["smoke"])) == ((1, 1), (0, 0))


async def test_incidents_that_match_the_same_at_once_are_all_counted(muster: RunningMuster, org: Organization) -> None:
    await org.individual("Ana", *(f"word{number}" for number in range(20)))
    ids = [each["id"] for each in (await terms(org)).values()]
    body = {"when": {"any": [{"attribute": "tag", "operator": "is", "values": ["never"]}]}, "engage": [{"individual": "Ana"}]}
    rules = [(await org.post("/engagement-rules", body | {"name": str(number)}))["id"] for number in range(3)]
    incidents = [(await org.post("/incidents", {"title": f"Number {number}"}))["id"] for number in range(8)]
    database, mine = muster.muster.database, await organization(muster, org)

    async def note(number: int, incident: str) -> None:
        # However they come to it.
        causes = Causes(rules=rules[::-1] if number % 2 else rules, terms=ids[::-1] if number % 2 else ids)
        async with database.write(mine) as session:
            await note_matches(session, incident, causes, now())
            await note_not_relevant(session, incident, causes, now())

    await asyncio.gather(*(note(number, incident) for number, incident in enumerate(incidents * 2)))
    assert {counts(each) for each in (await terms(org)).values()} == {(8, 8)}
    assert {counts(each) for each in (await org.get("/engagement-rules"))["data"]} == {(8, 8)}


async def test_a_term_that_is_gone_takes_its_counts_along(muster: RunningMuster, org: Organization) -> None:
    ana = await org.individual("Ana", "disk")
    await org.report("Disk")
    await org.until(lambda: _matched(org, "disk", 1))
    path = f"/individuals/{ana['id']}/terms"
    assert (await org.api.put(path, json={"terms": ["DISK"]})).is_success
    assert counts((await terms(org))["DISK"]) == (1, 0), "spelt differently, it matches the same"
    for words in ([], ["disk"]):
        assert (await org.api.put(path, json={"terms": words})).is_success
    assert counts((await terms(org))["disk"]) == (0, 0)
    async with muster.muster.database.read(await organization(muster, org)) as session:
        assert (await session.scalars(select(TermMatch))).all() == []


@pytest.mark.feature("O4")
async def test_whoever_may_not_change_a_term_does_not_learn_how_it_does(muster: RunningMuster, org: Organization) -> None:
    other = await org.individual("Ana", "acquisition")
    team = await org.post("/teams", {"name": "Board", "terms": ["merger"]})
    async with member(muster, org, "Jo") as jo, member(muster, org, "Ada", Role.ADMIN) as ada:
        assert (await jo.api.put(f"/individuals/{jo.individual}/terms", json={"terms": ["disk"]})).is_success
        assert [each["phrase"] for each in await listed(jo, owner=jo.individual)] == ["disk"]
        for asked in ({}, {"owner": other["id"]}, {"owner": team["id"]}):
            problem(await jo.api.get("/engagement/terms", params=asked), 403, "contacts_not_yours")
            assert await listed(ada, **asked)
        for contact in (await jo.api.get("/individuals")).json()["data"]:
            assert all(set(each) == {"id", "phrase", "version"} for each in contact["term_details"])


@pytest.mark.feature("R7")
async def test_a_member_learns_only_of_matches_that_they_see(muster: RunningMuster, org: Organization) -> None:
    await org.patch("/settings", {"storm_limit": 1})
    async with member(muster, org, "Jo") as jo:
        # An administrator vouches for it, so it matches in restricted incidents too; there the storm guard holds them.
        await org.api.put(f"/individuals/{jo.individual}/terms", json={"terms": ["disk"]})
        await org.individual("Ana", "disk")
        secret = await org.post("/incidents", {"title": "The disk", "visibility": "restricted"})
        await org.until(lambda: _matched_of(org, jo.individual, 1))
        problem(await jo.api.get(f"/incidents/{secret['id']}"), 404, "not_found")
        for asked in ({}, {"health": "ok"}):
            [term] = await listed(jo, owner=jo.individual, **asked)
            assert (counts(term), term["last_match_at"], term["health"]) == ((0, 0), None, "ok")

        await org.patch(f"/incidents/{secret['id']}", {"visibility": "public"})
        [term] = await listed(jo, owner=jo.individual)
        assert (counts(term), term["last_match_at"] is None) == ((1, 0), False)
        [known] = (await org.get("/engagement/terms", owner=jo.individual))["data"]
        assert term == known


async def _matched_of(org: Organization, owner: str, times: int) -> bool:
    return [each["matches"] for each in (await org.get("/engagement/terms", owner=owner))["data"]] == [times]


async def listed(person: Member, **asked: str) -> list[dict[str, Any]]:
    answer = await person.api.get("/engagement/terms", params=asked)
    assert answer.is_success, answer.text
    return list(answer.json()["data"])


@pytest.mark.feature("E1")
async def test_noisy_and_dead_terms_of_everyone_are_found_page_by_page(muster: RunningMuster, org: Organization) -> None:
    ana = await org.individual("Ana", *(f"old{number}" for number in range(5)), "loud", "new")
    gone = await org.individual("Ben", "old and nobody's")
    long_ago = now() - DEAD_AFTER - DAY
    async with muster.muster.database.write(await organization(muster, org)) as session:
        await session.execute(update(TermRow).where(TermRow.phrase.startswith("old")).values(created_at=long_ago))
        await session.execute(update(TermRow).where(TermRow.phrase == "loud").values(matches=9, not_relevant=3, last_match_at=AT))
        await session.execute(update(TermRow).where(TermRow.phrase == "loud").values(last_match_at=now()))
    assert (await org.patch(f"/individuals/{gone['id']}", {"active": False}))["active"] is False
    assert list(await terms(org, health="noisy")) == ["loud"]
    assert set(await terms(org, health="ok")) == {"new", "old and nobody's"}
    found, after = [], None
    while True:
        page = await org.get("/engagement/terms", health="dead", page_size=2, **({"after": after} if after else {}))
        found += [each["phrase"] for each in page["data"]]
        if (after := page["pagination"]["after"]) is None:
            break
    assert sorted(found) == [f"old{number}" for number in range(5)]
    assert (await org.get("/engagement/terms", owner=ana["id"], page_size=100))["pagination"]["after"] is None
    problem(await org.api.get("/engagement/terms", params={"after": "x"}), 400, "unknown_after")
