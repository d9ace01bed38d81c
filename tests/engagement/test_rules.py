"""Rules by API, and how they are found and counted (E3)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from services.engagement.rules import evaluation
from services.kit.clock import now
from services.kit.database import Database
from services.store.organizations import Setting
from services.store.rules import RuleAnchor, RuleRow
from tests.accounts.members import member
from tests.kit.problems import fields, problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.events import Visibility
from workflows.domain.rules import Facts, sentence

pytestmark = pytest.mark.feature("E3")

SEVERE = {"attribute": "severity", "operator": "at_least", "values": ["high"]}
TAGGED = {"attribute": "tag", "operator": "is", "values": ["PAY-ments!"]}


async def rule(org: Organization, *members: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rule that engages the owner when all of these hold."""
    body = {"name": "Payments", "when": {"all": list(members or [SEVERE])}, "engage": [{"individual": "Olive Owner"}]}
    return await org.post("/engagement-rules", body | more)


async def facts(database: Database, organization: str, *, severity: str = "High", tags: tuple[str, ...] = ()) -> Facts:
    """What an incident of the default project comes with."""
    async with database.read(organization) as session:
        entries = {(row.list, row.name): Choice(id=row.id, name=row.name) for row in await session.scalars(select(Setting))}
        attributes = Attributes(
            title="x",
            type=entries["type", "Other"],
            severity=entries["severity", severity],
            priority=entries["priority", "Medium"],
            tags=tags,
        )
        return await evaluation.facts(session, attributes, Choice(id="p", name="Default"), Visibility.PUBLIC)


async def identity(org: Organization) -> str:
    return str((await org.get("/me"))["organization"]["id"])


async def held(muster: RunningMuster, org: Organization, severity: str = "High", *tags: str) -> list[str]:
    """The names of the rules that hold."""
    database, organization = muster.muster.database, await identity(org)
    about = await facts(database, organization, severity=severity, tags=tags)
    async with database.read(organization) as session:
        return [each.name for each, found in await evaluation.judged(session, about) if found.holds]


async def test_a_rule_is_made_of_names_and_reads_as_a_sentence(org: Organization) -> None:
    team = await org.post("/teams", {"name": "Team Payments"})
    service = await org.post("/oncall-services", {"name": "Ledger"})
    targets = [{"team": "team payments"}, {"oncall": service["id"]}, {"team": team["id"]}]
    made = await rule(org, SEVERE, TAGGED, engage=targets)
    assert made["sentence"] == (
        "when severity is at least High and any tag is pay ments, "
        "engage Team Payments and whoever is on call for Ledger, as responders"
    )
    assert made["engage"] == [{"team": team["id"]}, {"oncall": service["id"]}]
    assert (made["enabled"], made["role"], made["version"]) == (True, "responder", 1)
    assert (made["matches"], made["not_relevant"], made["last_match_at"]) == (0, 0, None)
    here = f"/engagement-rules/{made['id']}"
    answer = await org.api.get(here)
    assert (answer.json(), answer.headers["ETag"]) == (made, '"1"')
    again = await org.patch(here, {"when": made["when"], "engage": made["engage"]})
    assert again == made


async def test_groups_stand_in_groups(org: Organization) -> None:
    hidden = {"attribute": "visibility", "operator": "is", "values": ["Restricted"]}
    project = {"attribute": "project", "operator": "is_not", "values": ["default"]}
    typed = {"attribute": "type", "operator": "is", "values": ["Security", "data loss", "SECURITY"]}
    made = await rule(org, {"any": [hidden, {"all": [project, typed]}]}, SEVERE)
    assert made["sentence"] == (
        "when (it is restricted or (project is not Default and type is Security or Data loss)) and severity is at least High, "
        "engage Olive Owner, as responder"
    )


NEW = {"name": "x", "when": {"all": [SEVERE]}, "engage": [{"individual": "Olive Owner"}]}
"""A rule to make."""
WRONG: list[tuple[dict[str, Any], set[str]]] = [
    ({"when": {"all": [SEVERE | {"operator": "is", "values": ["high", "gigantic"]}]}}, {"when.all.0.values.1"}),
    (
        {"when": {"any": [SEVERE, {"all": [TAGGED | {"values": ["!", "ﷺ" * 30]}]}]}},
        {"when.any.1.all.0.values.0", "when.any.1.all.0.values.1"},
    ),
    ({"when": {"all": [SEVERE | {"attribute": "type", "values": ["other"]}]}}, {"when.all.0"}),
    ({"when": {"all": [SEVERE | {"values": ["high", "low"]}]}}, {"when.all.0"}),
    ({"when": {"all": [{"attribute": "visibility", "operator": "is", "values": ["secret"]}]}}, {"when.all.0.values.0"}),
    ({"when": {"all": [{"attribute": "project", "operator": "is", "values": ["x"]}]}}, {"when.all.0.values.0"}),
    ({"when": {"all": [{"attribute": "title", "operator": "is", "values": ["x"]}]}}, {"when.all.0.attribute"}),
    ({"when": {"all": [{"all": [SEVERE], "any": [SEVERE]}]}}, {"when.all.0"}),
    ({"when": {"all": [{"any": []}]}}, {"when.all.0.any"}),
    ({"when": {"all": []}}, {"when.all"}),
    ({"when": {}}, {"when"}),
    ({"when": {"all": [{"all": [{"all": [{"all": [SEVERE]}]}]}]}}, {"when"}),
    ({"when": {"all": [{"any": [SEVERE] * 12}, {"any": [SEVERE] * 12}]}}, {"when"}),
    ({"engage": []}, {"engage"}),
    (
        {"engage": [{"individual": "Nobody"}, {"team": "None"}, {"oncall": "x"}]},
        {"engage.0.individual", "engage.1.team", "engage.2.oncall"},
    ),
    ({"engage": [{"individual": "Olive Owner", "team": "x"}]}, {"engage.0"}),
    ({"name": " ", "role": ""}, {"name", "role"}),
    ({"when": {"all": [SEVERE | {"values": ["x"]}]}, "engage": [{"team": "x"}]}, {"when.all.0.values.0", "engage.0.team"}),
]
"""Changes of a rule, and the paths at which each is wrong."""


async def test_what_is_wrong_is_told_at_its_path(org: Organization) -> None:
    made = await rule(org)
    for change, wrong in WRONG:
        for response in (
            await org.api.post("/engagement-rules", json=NEW | change),
            await org.api.patch(f"/engagement-rules/{made['id']}", json=change),
        ):
            assert wrong == fields(problem(response, 422, response.json()["code"])), change
    assert await org.get(f"/engagement-rules/{made['id']}") == made
    assert len((await org.get("/engagement-rules"))["data"]) == 1


async def test_what_is_too_large_is_told_before_it_is_looked_at(org: Organization) -> None:
    unknown = {"attribute": "type", "operator": "is", "values": [f"none {number}" for number in range(50)]}
    wide = {"all": [{"all": [{"all": [unknown] * 20}] * 20}] * 2}
    for path, body in (("/engagement-rules", NEW | {"when": wide}), ("/engagement/preview", {"rule": {"when": wide}})):
        answer = await org.api.post(path, json=body)
        assert problem(answer, 422, "too_large")["detail"] == (
            "These are 800 conditions, and at most 20 are looked at. Split them into several."
        )
        assert len(answer.content) < 1_000
    deep: dict[str, Any] = {"all": [{"all": [{"all": [{"any": [unknown]}]}]}]}
    answer = await org.api.post("/engagement-rules", json=NEW | {"when": deep})
    assert problem(answer, 422, "too_large")["detail"] == (
        "Groups stand in groups at most 3 deep. Put these conditions side by side, or split them into several."
    )


async def test_of_very_many_faults_the_first_are_told(org: Organization) -> None:
    unknown = {"attribute": "type", "operator": "is", "values": [f"none {number}" for number in range(50)]}
    found = problem(await org.api.post("/engagement-rules", json=NEW | {"when": {"all": [unknown] * 20}}), 422, "unknown")
    assert found["detail"] == "Some fields are not valid. 950 more are not listed."
    assert fields(found) == {f"when.all.0.values.{number}" for number in range(50)}


async def test_every_change_is_a_version(muster: RunningMuster, org: Organization) -> None:
    await org.post("/incident-roles", {"name": "Scribe"})
    made = await rule(org)
    here = f"/engagement-rules/{made['id']}"
    before = now()
    off = await org.patch(here, {"enabled": False})
    assert (off["version"], off["enabled"]) == (2, False)
    assert await org.patch(here, {"enabled": False}) == off
    problem(await org.api.patch(here, json={"name": "x"}, headers={"If-Match": '"1"'}), 412, "version_conflict")
    changed = await org.patch(here, {"enabled": True, "name": "Money", "when": {"any": [TAGGED]}, "role": "scribe"})
    assert changed["sentence"] == "when any tag is pay ments, engage Olive Owner, as Scribe"
    versions = await org.get(f"{here}/versions", page_size=2)
    assert [(each["version"], each["name"], each["enabled"]) for each in versions["data"]] == [
        (3, "Money", True),
        (2, "Payments", False),
    ]
    assert versions["data"][0]["by"]["name"] == "Olive Owner"
    assert versions["data"][0]["valid_until"] is None
    assert versions["data"][1]["valid_until"] == versions["data"][0]["valid_from"]
    rest = await org.get(f"{here}/versions", page_size=2, after=versions["pagination"]["after"])
    assert [each["sentence"] for each in rest["data"]] == [made["sentence"]]
    entries = (await org.get("/audit", action="rule."))["data"]
    assert [each["action"] for each in entries] == ["rule.changed", "rule.changed", "rule.created"]
    assert entries[1]["before"] == {"enabled": True}
    database, organization = muster.muster.database, await identity(org)
    async with database.read(organization) as session:
        then = await evaluation.in_force(session, before)
        assert [(each.version, sentence(each, {})) for each in then] == [
            (1, "when severity is at least something that is gone, engage something that is gone, as responder")
        ]
        assert await evaluation.in_force(session, before - timedelta(hours=1)) == []
        assert [each.version for each in await evaluation.in_force(session, now())] == [3]


async def test_a_deleted_rule_is_over_but_not_forgotten(muster: RunningMuster, org: Organization) -> None:
    made = await rule(org)
    here = f"/engagement-rules/{made['id']}"
    before = now()
    assert await held(muster, org) == ["Payments"]
    problem(await org.api.delete(here, headers={"If-Match": '"7"'}), 412, "version_conflict")
    assert (await org.api.delete(here)).status_code == 204
    for response in (
        await org.api.get(here),
        await org.api.delete(here),
        await org.api.patch(here, json={}),
        await org.api.get(f"{here}/versions"),
    ):
        problem(response, 404, "not_found")
    assert (await org.get("/engagement-rules"))["data"] == []
    assert await held(muster, org) == []
    async with muster.muster.database.read(await identity(org)) as session:
        assert [each.id for each in await evaluation.in_force(session, before)] == [made["id"]]
        assert await evaluation.in_force(session, now()) == []
        assert (await session.scalars(select(RuleAnchor))).all() == []


async def test_only_administrators_keep_rules(muster: RunningMuster, org: Organization) -> None:
    made = await rule(org)
    async with member(muster, org) as mia:
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", f"/{made['id']}"),
            ("PATCH", f"/{made['id']}"),
            ("DELETE", f"/{made['id']}"),
        ):
            body = {"name": "x", "when": {"all": [SEVERE]}, "engage": [{"individual": "Olive Owner"}]} if method == "POST" else {}
            json = body if method in {"POST", "PATCH"} else None
            problem(await mia.api.request(method, f"/engagement-rules{path}", json=json), 403, "administrators_only")


async def test_the_list_goes_by_name(org: Organization) -> None:
    for name in ("Beta 100%", "alpha", "Gamma"):
        await rule(org, name=name)
    first = await org.get("/engagement-rules", page_size=2)
    second = await org.get("/engagement-rules", page_size=2, after=first["pagination"]["after"])
    assert {each["name"] for each in first["data"] + second["data"]} == {"Beta 100%", "alpha", "Gamma"}
    assert [each["name"] for each in (await org.get("/engagement-rules", q="0%"))["data"]] == ["Beta 100%"]
    problem(await org.api.get("/engagement-rules", params={"after": "x"}), 400, "unknown_after")


async def test_the_rules_that_hold_are_found(muster: RunningMuster, org: Organization) -> None:
    await rule(org, name="severe")
    await rule(org, TAGGED, name="tagged")
    await rule(org, SEVERE, TAGGED, name="both")
    await rule(org, {"attribute": "type", "operator": "is_not", "values": ["Security"]}, name="not security")
    await rule(org, SEVERE, name="off", enabled=False)
    assert await held(muster, org) == ["severe", "not security"]
    assert await held(muster, org, "Critical", "pay ments") == ["severe", "tagged", "both", "not security"]
    assert await held(muster, org, "Low", "Pay.Ments", "x") == ["tagged", "not security"]


async def test_an_order_that_changes_changes_what_holds(muster: RunningMuster, org: Organization) -> None:
    await rule(org, name="severe")
    assert await held(muster, org, "Medium") == []
    async with muster.muster.database.write(await identity(org)) as session:
        await session.execute(update(Setting).where(Setting.list == "severity", Setting.name == "Medium").values(rank=99))
    assert await held(muster, org, "Medium") == ["severe"]


async def test_a_rule_without_a_match_for_long_is_dead(muster: RunningMuster, org: Organization) -> None:
    made = await rule(org)
    long_ago = now() - timedelta(days=91)
    async with muster.muster.database.write(await identity(org)) as session:
        await session.execute(update(RuleRow).values(created_at=long_ago, changed_at=long_ago))
    assert (await org.get(f"/engagement-rules/{made['id']}"))["health"] == "dead"
    assert [each["id"] for each in (await org.get("/engagement-rules", health="dead"))["data"]] == [made["id"]]
    async with muster.muster.database.write(await identity(org)) as session:
        await session.execute(update(RuleRow).values(last_match_at=now()))
    assert (await org.get("/engagement-rules", health="dead"))["data"] == []
    changed = await org.patch(f"/engagement-rules/{made['id']}", {"enabled": False})
    assert changed["health"] == "ok"
