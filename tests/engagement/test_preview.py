"""Trying terms, rules, edits and reports before they count (E7)."""

import asyncio
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select
from starlette.requests import Request

from services.engagement.preview import backtest
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.contacts import Individual
from services.store.incidents import Incident
from services.store.organizations import Project, Setting
from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E7")

SEVERE = {"attribute": "severity", "operator": "at_least", "values": ["High"]}
TAGGED = {"attribute": "tag", "operator": "is", "values": ["PAY-ments!"]}


async def preview(org: Organization, **body: Any) -> dict[str, Any]:
    return await org.post("/engagement/preview", body)


async def write(org: Organization, title: str, **more: Any) -> dict[str, Any]:
    """A report, however far it has come."""
    return await org.post("/incidents", {"title": title, **more})


async def past(
    muster: RunningMuster, org: Organization, title: str, ages: Iterable[int], first: int = 1000, description: str = ""
) -> None:
    """Incidents of these ages in days, as far as previews read them; no workflow ever writes them anew."""
    organization = str((await org.get("/me"))["organization"]["id"])
    async with muster.muster.database.write(organization) as session:
        person = (await session.scalars(select(Individual).limit(1))).one()
        project = (await session.scalars(select(Project))).one()
        entries = {row.list: {"id": row.id, "name": row.name} for row in await session.scalars(select(Setting))}
        for number, age in enumerate(ages):
            named = f"{title}, {age} days ago"
            attributes = {"title": named, "description": description, "tags": [], **entries}
            session.add(
                Incident(
                    id=new_id(),
                    organization_id=organization,
                    reference=first + number,
                    seq=1,
                    title=named,
                    description="",
                    type_id=entries["type"]["id"],
                    severity_id=entries["severity"]["id"],
                    priority_id=entries["priority"]["id"],
                    project_id=project.id,
                    visibility="public",
                    mode="standard",
                    status_id="closed",
                    category="closed",
                    is_open=False,
                    reporter_id=person.id,
                    reported_at=now() - timedelta(days=age),
                    state={"attributes": attributes, "project": {"id": project.id, "name": project.name}},
                )
            )


def titles(found: dict[str, Any]) -> list[str]:
    return [each["title"] for each in found["incidents"]]


def added(found: dict[str, Any]) -> list[str]:
    return [each["individual"]["name"] for each in found["people"]]


async def test_terms_are_tried_on_what_incidents_say_now(org: Organization) -> None:
    await write(org, "Nothing of the kind")
    long = f"{'Something else. ' * 20}A credential--LEAK, again. {'And more. ' * 20}"
    await write(org, "Old", description=long, tags=["Credential leak", "other"])
    newest = await write(org, "CREDENTIAL leak!")
    found = await preview(org, terms=["Credential Leak", "credential-leak", "unheard of"])
    assert titles(found) == ["CREDENTIAL leak!", "Old"]
    assert (found["count"], found["looked_at"], found["truncated"]) == (2, 3, False)
    [piece] = found["incidents"][0]["evidence"]
    assert found["incidents"][0]["id"] == newest["id"]
    assert (piece["kind"], piece["attribute"], piece["start"], piece["end"]) == ("term", "title", 0, 15)
    assert (piece["before"], piece["text"], piece["after"]) == ("", "CREDENTIAL leak", "!")
    described, tagged = found["incidents"][1]["evidence"]
    assert long[described["start"] : described["end"]] == described["text"] == "credential--LEAK"
    assert described["before"].startswith("…")
    assert described["before"].endswith(" A ")
    assert described["after"].endswith("…")
    assert (tagged["attribute"], tagged["text"]) == ("tags", "Credential leak")
    assert (await preview(org, terms=[]))["count"] == 0


async def test_incidents_are_counted_by_week_as_far_back_as_one_asks(muster: RunningMuster, org: Organization) -> None:
    await past(muster, org, "A leak", [0, 20, 20, 80, 100])
    found = await preview(org, terms=["leak"])
    assert titles(found) == [f"A leak, {age} days ago" for age in (0, 20, 20, 80)]
    assert sum(week["count"] for week in found["weeks"]) == found["count"] == 4
    begins = [date.fromisoformat(week["begins"]) for week in found["weeks"]]
    assert len(begins) in {13, 14}
    assert all(later - earlier == timedelta(days=7) for earlier, later in pairwise(begins))
    assert {each.weekday() for each in begins} == {0}
    assert (await preview(org, terms=["leak"], days=120))["count"] == 5
    assert (await preview(org, terms=["leak"], days=10))["count"] == 1


async def test_a_rule_is_tried_with_what_each_condition_found(org: Organization) -> None:
    await write(org, "Both", severity="Critical", tags=["Pay-Ments", "eu"])
    await write(org, "Mild", severity="Low", tags=["pay ments"])
    await write(org, "Severe", severity="High")
    found = await preview(org, rule={"when": {"all": [SEVERE, TAGGED]}})
    assert titles(found) == ["Both"]
    assert found["incidents"][0]["conditions"] == [
        {"asked": "severity is at least High", "found": ["Critical"], "matched": ["Critical"], "holds": True},
        {"asked": "any tag is pay ments", "found": ["Pay-Ments", "eu"], "matched": ["Pay-Ments"], "holds": True},
    ]
    rule = {"when": {"any": [SEVERE, TAGGED]}, "name": "X", "engage": [{"individual": "Olive Owner"}]}
    either = await preview(org, rule=rule, days=7)
    assert titles(either) == ["Severe", "Mild", "Both"]
    assert [part["holds"] for part in either["incidents"][0]["conditions"]] == [True, False]
    assert [part["matched"] for part in either["incidents"][0]["conditions"]] == [["High"], []]


async def test_what_is_wrong_is_told_where_it_is(org: Organization) -> None:
    wrong = await org.api.post("/engagement/preview", json={"rule": {"when": {"all": [SEVERE | {"values": ["gigantic"]}]}}})
    assert fields(problem(wrong, 422, "unknown")) == {"rule.when.all.0.values.0"}
    deep: dict[str, Any] = SEVERE
    for _ in range(4):
        deep = {"all": [deep]}
    assert fields(problem(await org.api.post("/engagement/preview", json={"rule": {"when": deep}}), 422, "too_large")) == {
        "rule.when"
    }
    incident = await write(org, "x")
    body = {"incident": incident["id"], "changes": {"type": "none such", "severity": "gigantic"}}
    assert fields(problem(await org.api.post("/engagement/preview", json=body), 422, "invalid")) == {
        "changes.type",
        "changes.severity",
    }
    assert fields(problem(await org.api.post("/engagement/preview", json={"project": "none"}), 422, "invalid")) == {"project"}
    for mixed in ({"terms": ["x"], "title": "x"}, {"incident": "INC-1"}, {"days": 3}, {"terms": None}, {"title": "x", "days": 3}):
        problem(await org.api.post("/engagement/preview", json=mixed), 422, "invalid")
    problem(await org.api.post("/engagement/preview", json={"incident": "INC-99", "changes": {}}), 404, "not_found")


async def test_only_administrators_try_rules_and_nobody_sees_what_is_not_theirs(muster: RunningMuster, org: Organization) -> None:
    secret = await write(org, "A secret leak", visibility="restricted")
    await write(org, "A leak")
    assert titles(await preview(org, terms=["leak"])) == ["A leak", "A secret leak"]
    rule = {"rule": {"when": {"all": [{"attribute": "visibility", "operator": "is", "values": ["restricted"]}]}}}
    assert titles(await preview(org, **rule)) == ["A secret leak"]
    async with member(muster, org) as mia:
        answer = await mia.api.post("/engagement/preview", json={"terms": ["leak"]})
        assert (titles(answer.json()), answer.json()["looked_at"]) == (["A leak"], 1)
        problem(await mia.api.post("/engagement/preview", json=rule), 403, "administrators_only")
        body = {"incident": secret["id"], "changes": {"title": "x"}}
        problem(await mia.api.post("/engagement/preview", json=body), 404, "not_found")


@pytest.mark.feature("O4")
async def test_only_who_may_make_a_change_tries_it(muster: RunningMuster, org: Organization) -> None:
    incident = await write(org, "A leak")
    body = {"incident": incident["id"], "changes": {"title": "x"}}
    hidden = {"incident": incident["id"], "changes": {"visibility": "restricted"}}
    async with member(muster, org, "Mia") as mia, member(muster, org, "Eve", in_project=False) as eve:
        assert (await eve.api.get(f"/incidents/{incident['id']}")).is_success
        problem(await eve.api.post("/engagement/preview", json=body), 403, "not_in_incident")
        assert (await mia.api.post("/engagement/preview", json=body)).is_success
        same = body | {"changes": {"visibility": "public"}}
        assert (await mia.api.post("/engagement/preview", json=same)).is_success
        problem(await mia.api.post("/engagement/preview", json=hidden), 403, "not_in_incident")
    assert (await org.api.post("/engagement/preview", json=hidden)).is_success


@pytest.mark.feature("O2")
async def test_other_organizations_are_no_part_of_it(muster: RunningMuster, org: Organization) -> None:
    other = await muster.organization()
    await write(other, "Their leak", severity="High")
    await other.individual("Theirs", "leak")
    theirs = await write(other, "x")
    assert (await preview(org, terms=["leak"]))["looked_at"] == 0
    assert (await preview(org, rule={"when": {"all": [SEVERE]}}))["looked_at"] == 0
    assert (await preview(org, title="A leak"))["people"] == []
    body = {"incident": theirs["id"], "changes": {"title": "leak"}}
    problem(await org.api.post("/engagement/preview", json=body), 404, "not_found")
    await other.api.aclose()


async def test_it_is_told_whom_an_edit_would_add(muster: RunningMuster, org: Organization) -> None:
    ana, ben = await org.individual("Ana", "disk", "slow"), await org.individual("Ben", "disk")
    team = await org.post("/teams", {"name": "Team Disks", "members": [ben["id"]], "terms": ["slow"]})
    await org.post("/engagement-rules", {"name": "Severe", "when": {"all": [SEVERE]}, "engage": [{"team": team["id"]}]})
    incident = await org.report("A disk", severity="Low")
    assert {"Ana", "Ben"} <= (await org.participants(incident["id"])).keys()
    await org.individual("Cai", "slow")
    cai = (await preview(org, incident="INC-1", changes={"title": "A SLOW disk"}))["people"]
    assert [each["individual"]["name"] for each in cai] == ["Cai"]
    assert [(piece["text"], piece["attribute"]) for piece in cai[0]["evidence"]] == [("SLOW", "title")]
    assert added(await preview(org, incident=incident["id"], changes={"tags": ["Slow"], "visibility": "restricted"})) == ["Cai"]
    assert added(await preview(org, incident=incident["id"], changes={"severity": "Critical"})) == [], "they are in"
    await org.api.delete(f"/incidents/{incident['id']}/participants/{ana['id']}")
    assert added(await preview(org, incident=incident["id"], changes={"title": "disk"})) == [], "who went stays out"
    now_is = await org.get(f"/incidents/{incident['id']}")
    assert (now_is["title"], now_is["attributes_version"]) == ("A disk", incident["attributes_version"])


async def test_it_is_told_whom_a_report_would_bring_in(org: Organization) -> None:
    ben = await org.individual("Ben")
    team = await org.post("/teams", {"name": "Team Disks", "members": [ben["id"]]})
    service = await org.post("/oncall-services", {"name": "Ledger", "terms": ["ledger"]})
    targets = [{"team": team["id"]}, {"individual": "Olive Owner"}]
    await org.post("/incident-roles", {"name": "Scribe"})
    await org.post("/engagement-rules", {"name": "Severe", "when": {"all": [SEVERE]}, "engage": targets, "role": "Scribe"})
    found = await preview(org, severity="High", description="Of the ledger")
    assert (added(found), found["count"], found["asks_first"]) == (["Ben"], 1, False)
    [piece] = found["people"][0]["evidence"]
    assert (piece["kind"], piece["text"], piece["via"]) == ("rule", "Severe", "Team Disks")
    assert found["people"][0]["roles"] == ["Scribe"]
    assert [each["id"] for each in found["unanswered"]] in ([], [service["id"]])
    assert (await preview(org))["people"] == []
    assert (await org.get("/incidents"))["data"] == []


async def test_it_is_told_whom_the_policies_would_choose(org: Organization) -> None:
    ana, ben = await org.individual("Ana", "disk"), await org.individual("Ben")
    await org.post("/incident-roles", {"name": "Scribe"})
    when = {"all": [SEVERE]}
    for role, who in (("Commander", ana), ("Scribe", ben)):
        body = {"name": role, "role": role, "when": when, "assignee": {"individual": who["id"]}}
        await org.post("/role-policies", body)
    found = await preview(org, title="A disk", severity="High")
    assert {each["individual"]["name"]: each["roles"] for each in found["people"]} == {"Ana": ["commander"], "Ben": ["Scribe"]}
    assert [piece["kind"] for piece in found["people"][0]["evidence"]] == ["role", "term"]
    assert (found["count"], added(await preview(org, title="A disk", severity="Low"))) == (2, ["Ana"])


async def test_nobody_who_writes_is_waited_for(muster: RunningMuster, org: Organization) -> None:
    await past(muster, org, "A leak", [1])
    organization = str((await org.get("/me"))["organization"]["id"])
    async with muster.muster.database.write(organization), asyncio.timeout(PATIENCE):
        assert (await preview(org, terms=["leak"]))["count"] == 1
        assert (await preview(org, title="leak"))["count"] == 0


async def test_a_token_that_only_reads_is_enough(org: Organization) -> None:
    token = await org.post("/tokens", {"name": "reads", "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {token['secret']}", "Idempotency-Key": "k"}
    for _ in range(2):
        answer = await org.api.post("/engagement/preview", json={"terms": ["x"]}, headers=headers)
        assert (answer.status_code, answer.json()["count"]) == (200, 0)


async def test_of_many_all_are_counted_and_the_newest_are_shown(muster: RunningMuster, org: Organization) -> None:
    await past(muster, org, "A leak", [age % 80 for age in range(450)])
    found = await preview(org, rule={"when": {"all": [{"attribute": "visibility", "operator": "is", "values": ["public"]}]}})
    assert (found["count"], found["looked_at"], len(found["incidents"])) == (450, 450, backtest.SHOWN)
    assert found["incidents"][-1]["title"] == f"A leak, {49 // 6} days ago"
    assert found["incidents"] == sorted(found["incidents"], key=lambda each: str(each["reported_at"]), reverse=True)


async def test_there_is_a_limit_to_what_is_looked_at(muster: RunningMuster, org: Organization) -> None:
    await past(muster, org, "A leak", range(6))
    headers = [(b"authorization", f"Bearer {org.token}".encode())]
    actor = await muster.muster.accounts.authenticate(Request({"type": "http", "headers": headers}), org.slug)
    async with muster.muster.database.read(actor.organization) as session:
        found = await backtest.of_terms(session, actor, ["leak"], 90, limit=4)
        whole = await backtest.of_terms(session, actor, ["leak"], 90, limit=6)
    assert (found.looked_at, found.count, found.truncated) == (4, 4, True)
    assert [each.title for each in found.incidents] == [f"A leak, {age} days ago" for age in range(4)]
    assert (whole.looked_at, whole.truncated) == (6, False)


async def test_what_takes_long_is_cut_short_and_once_at_a_time(muster: RunningMuster, org: Organization) -> None:
    # Each of these characters stands for eighteen.
    await past(muster, org, "A leak", [1] * 400, description="ﷺ" * 20_000)
    async with member(muster, org, role=Role.ADMIN) as mia, asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(org.api.post("/engagement/preview", json={"terms": ["leak"]})) for _ in range(2)]
        (first,), (second,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        other = await mia.api.post("/engagement/preview", json={"title": "leak"})
    refused, answered = first.result(), second.result()
    problem(refused, 429, "too_many_previews")
    assert int(refused.headers["Retry-After"]) > 0
    assert (other.status_code, other.json()["count"]) == (200, 0)
    found = answered.json()
    assert 0 < found["looked_at"] == found["count"] < 400
    assert found["truncated"]
    assert (await preview(org, title="leak"))["count"] == 0, "the next one is answered"
