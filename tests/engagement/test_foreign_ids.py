"""Ids of another organization's things, in every body that names things: they are as unknown as ids of nothing (O1, O4)."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, update

from services.kit.ids import new_id
from services.store.incidents import ParticipantRow
from services.store.rules import RuleRow
from services.store.teams import OnCallService, TeamMember
from tests.accounts.two_organizations import UUID
from tests.accounts.two_organizations import layer as layer_of
from tests.kit.problems import fields, problem
from tests.lifecycle.crowds import crowd, held
from tests.support.running import Organization, RunningMuster
from tests.web.browser import HTML

pytestmark = [pytest.mark.feature("O1"), pytest.mark.feature("O4")]

SECRET = "Zanzibar"
KINDS = {"type": "/incident-types", "severity": "/severities", "priority": "/priorities", "project": "/projects"}


@dataclass
class Things:
    """Things of one organization, by what they are: ids."""

    org: Organization
    ids: dict[str, str]

    def __getitem__(self, kind: str) -> str:
        return self.ids[kind]


async def things(org: Organization) -> Things:
    """Something of each kind, called as nothing of another organization is."""
    person = (await org.individual(SECRET, f"{SECRET} disk"))["id"]
    team = (await org.post("/teams", {"name": f"Team {SECRET}", "members": [person]}))["id"]
    rotation = {"layers": [layer_of(SECRET, person)]}
    service = (await org.post("/oncall-services", {"name": f"Pager {SECRET}", "rotation": rotation}))["id"]
    ahead = {"individual": person, "from": "2098-01-01T00:00Z", "until": "2098-01-02T00:00Z"}
    ids = {"individual": person, "team": team, "oncall": service}
    ids["override"] = (await org.post(f"/oncall-services/{service}/overrides", ahead))["id"]
    for kind, path in KINDS.items():
        ids[kind] = (await org.get(path))["data"][0]["id"]
    always = {"any": [{"attribute": "visibility", "operator": "is", "values": ["public", "restricted"]}]}
    rule = {"name": f"Rule {SECRET}", "when": always, "engage": [{"individual": person}]}
    ids["rule"] = (await org.post("/engagement-rules", rule))["id"]
    ids["incident"] = (await org.report(f"The {SECRET} disk"))["id"]
    return Things(org, ids)


@pytest.fixture
async def theirs(muster: RunningMuster) -> AsyncIterator[Things]:
    """What another organization has."""
    other = await muster.organization()
    yield await things(other)
    await other.api.aclose()


def condition(attribute: str, value: str) -> dict[str, Any]:
    return {"all": [{"any": [{"attribute": attribute, "operator": "is", "values": [value]}]}]}


async def refused(org: Organization, method: str, path: str, body: Any, field: str) -> str:
    """Send it, make sure that what is unknown is said at this field, and tell in which words."""
    response = await org.api.request(method, path, json=body)
    assert response.status_code == 422, response.text
    [fault] = response.json()["errors"]
    assert (fault["field"], fault["code"]) == (field, "unknown")
    assert SECRET not in response.text
    return UUID.sub("id", response.text.replace(response.headers["X-Request-ID"], ""))


async def same(org: Organization, method: str, path: str, body: Any, field: str, stranger: str) -> None:
    """Somebody else's id is refused in the words in which one of nothing is; ``STRANGER`` stands for it in the body."""
    said = [await refused(org, method, path, _put(body, each), field) for each in (stranger, new_id())]
    assert said[0] == said[1]


STRANGER = "STRANGER"


def _put(body: Any, identity: str) -> Any:
    if isinstance(body, dict):
        return {name: _put(value, identity) for name, value in body.items()}
    if isinstance(body, list):
        return [_put(value, identity) for value in body]
    return identity if body == STRANGER else body


@pytest.mark.feature("E1")
async def test_a_team_has_no_strangers(org: Organization, theirs: Things) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    body = {"name": "Payments", "members": [me, STRANGER]}
    await same(org, "POST", "/teams", body, "members.1", theirs["individual"])
    team = (await org.post("/teams", {"name": "Payments", "members": [me]}))["id"]
    await same(org, "PATCH", f"/teams/{team}", {"members": [STRANGER]}, "members.0", theirs["individual"])
    for method, change in (("GET", None), ("PATCH", {"name": "Mine"}), ("DELETE", None)):
        problem(await org.api.request(method, f"/teams/{theirs['team']}", json=change), 404, "not_found")
    problem(await org.api.put(f"/teams/{theirs['team']}/terms", json={"terms": ["x"]}), 404, "not_found")
    assert [each["id"] for each in (await org.get(f"/teams/{team}"))["members"]] == [me]
    # The address of another organization's list, and its names, are free here.
    assert (await org.api.post("/teams", json={"name": f"Team {SECRET}"})).status_code == 201


@pytest.mark.feature("E10")
async def test_nobody_else_is_on_call(org: Organization, theirs: Things) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    rotation = {"layers": [layer_of("First", me), layer_of("Second", STRANGER)]}
    at = "rotation.layers.1.members.0"
    await same(org, "POST", "/oncall-services", {"name": "Pager", "rotation": rotation}, at, theirs["individual"])
    mine = (await org.post("/oncall-services", {"name": "Pager"}))["id"]
    here = f"/oncall-services/{mine}"
    await same(org, "PATCH", here, {"rotation": rotation}, at, theirs["individual"])
    ahead = {"individual": STRANGER, "from": "2098-01-01T00:00Z", "until": "2098-01-02T00:00Z"}
    await same(org, "POST", f"{here}/overrides", ahead, "individual", theirs["individual"])
    # Neither another organization's override by one's own service, nor one's own by another's.
    own = await org.post(f"{here}/overrides", _put(ahead, me))
    for service, override in ((mine, theirs["override"]), (theirs["oncall"], own["id"]), (theirs["oncall"], theirs["override"])):
        problem(await org.api.delete(f"/oncall-services/{service}/overrides/{override}"), 404, "not_found")
    for path in ("", "/shifts", "/on-call"):
        problem(await org.api.get(f"/oncall-services/{theirs['oncall']}{path}"), 404, "not_found")
    problem(await org.api.post(f"/oncall-services/{theirs['oncall']}/overrides", json=_put(ahead, me)), 404, "not_found")
    assert [each["id"] for each in (await theirs.org.get(f"/oncall-services/{theirs['oncall']}"))["overrides"]] == [
        theirs["override"]
    ]


@pytest.mark.feature("E3")
async def test_a_rule_names_nothing_of_others(org: Organization, theirs: Things) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    body = {"name": "Mine", "when": condition("tag", "disk"), "engage": [{"individual": me}]}
    kept = await org.post("/engagement-rules", body)
    here = f"/engagement-rules/{kept['id']}"
    for kind in ("individual", "team", "oncall"):
        engage = [{"individual": me}, {kind: STRANGER}]
        await same(org, "POST", "/engagement-rules", body | {"engage": engage}, f"engage.1.{kind}", theirs[kind])
        await same(org, "PATCH", here, {"engage": engage}, f"engage.1.{kind}", theirs[kind])
    for kind in KINDS:
        when, at = condition(kind, STRANGER), "when.all.0.any.0.values.0"
        await same(org, "POST", "/engagement-rules", body | {"when": when}, at, theirs[kind])
        await same(org, "PATCH", here, {"when": when}, at, theirs[kind])
    for method, change in (("GET", None), ("PATCH", {"name": "Mine"}), ("DELETE", None)):
        problem(await org.api.request(method, f"/engagement-rules/{theirs['rule']}", json=change), 404, "not_found")
    problem(await org.api.get(f"/engagement-rules/{theirs['rule']}/versions"), 404, "not_found")
    assert await org.get(here) == kept


@pytest.mark.feature("E9")
async def test_a_role_policy_names_nothing_of_others(org: Organization, theirs: Things) -> None:
    me = (await org.get("/me"))["individual"]["id"]
    body = {"name": "Mine", "role": "commander", "when": condition("tag", "disk"), "assignee": {"individual": me}}
    kept = await org.post("/role-policies", body)
    here = f"/role-policies/{kept['id']}"
    for kind in ("individual", "oncall"):
        assignee = {"assignee": {kind: STRANGER}}
        await same(org, "POST", "/role-policies", body | assignee, f"assignee.{kind}", theirs[kind])
        await same(org, "PATCH", here, assignee, f"assignee.{kind}", theirs[kind])
    for kind in KINDS:
        when, at = {"when": condition(kind, STRANGER)}, "when.all.0.any.0.values.0"
        await same(org, "POST", "/role-policies", body | when, at, theirs[kind])
        await same(org, "PATCH", here, when, at, theirs[kind])
    other = await theirs.org.post("/role-policies", {**body, "name": SECRET, "assignee": {"individual": theirs["individual"]}})
    for method, change in (("GET", None), ("PATCH", {"rank": 1}), ("DELETE", None)):
        problem(await org.api.request(method, f"/role-policies/{other['id']}", json=change), 404, "not_found")
    problem(await org.api.get(f"/role-policies/{other['id']}/versions"), 404, "not_found")
    role = await theirs.org.post("/incident-roles", {"name": SECRET})
    for method, described in (("GET", None), ("PATCH", {"active": False}), ("DELETE", None)):
        problem(await org.api.request(method, f"/incident-roles/{role['id']}", json=described), 404, "not_found")
    # A role is named, and the names of others are no roles here.
    for name in (SECRET, role["id"]):
        answer = await org.api.post("/role-policies", json=body | {"name": "Other", "role": name})
        assert fields(problem(answer, 422, "unknown_role")) == {"role"}
    assert await org.get(here) == kept


@pytest.mark.feature("E7")
async def test_a_preview_looks_at_nothing_of_others(org: Organization, theirs: Things) -> None:
    path = "/engagement/preview"
    me = (await org.get("/me"))["individual"]["id"]
    mine = (await org.report("The disk"))["id"]
    for kind in KINDS:
        when = {"rule": {"when": condition(kind, STRANGER)}}
        await same(org, "POST", path, when, "rule.when.all.0.any.0.values.0", theirs[kind])
        await same(org, "POST", path, {"title": "The disk", kind: STRANGER}, kind, theirs[kind])
    for kind in ("type", "severity", "priority"):
        await same(org, "POST", path, {"incident": mine, "changes": {kind: STRANGER}}, f"changes.{kind}", theirs[kind])
    for kind in ("individual", "team", "oncall"):
        rule = {"when": condition("tag", "disk"), "engage": [{"individual": me}, {kind: STRANGER}]}
        await same(org, "POST", path, {"rule": rule}, f"rule.engage.1.{kind}", theirs[kind])
    edit = {"incident": theirs["incident"], "changes": {"title": f"{SECRET} disk"}}
    problem(await org.api.post(path, json=edit), 404, "not_found")
    # What only others have is matched by no term, and engages nobody.
    found = await org.api.post(path, json={"terms": [SECRET]})
    assert (found.json()["count"], found.json()["incidents"]) == (0, [])
    found = await org.api.post(path, json={"title": f"{SECRET} disk"})
    assert (found.json()["count"], found.json()["people"]) == (0, [])


@pytest.mark.feature("E6", "E8")
async def test_an_incident_takes_in_nobody_else(org: Organization, theirs: Things) -> None:
    mine = f"/incidents/{(await org.report('The disk'))['id']}"
    for individual in (theirs["individual"], new_id()):
        assert (await org.api.post(f"{mine}/participants", json={"individual": individual})).status_code in {404, 422}
        assert (await org.api.put(f"{mine}/commander", json={"individual": individual})).status_code in {404, 409, 422}
        problem(await org.api.get(f"{mine}/engagements/why?individual={individual}"), 404, "not_found")
        assert (await org.get("/engagement/terms", owner=individual))["data"] == []
    here = f"/incidents/{theirs['incident']}"
    for method, path in (("POST", "join"), ("POST", "subscribe"), ("POST", "not-relevant"), ("GET", "engagement-question")):
        problem(await org.api.request(method, f"{here}/{path}"), 404, "not_found")
    problem(await org.api.post(f"{here}/engagement-answer", json={"bring_in": "all"}), 404, "not_found")


@pytest.mark.feature("E7")
async def test_who_is_held_back_are_ones_own(muster: RunningMuster, org: Organization, theirs: Things) -> None:
    await crowd(muster, org)
    incident = await held(org)
    path = f"/incidents/{incident['id']}/engagement-answer"
    said = []
    for stranger in (theirs["individual"], new_id()):
        answer = await org.api.post(path, json={"bring_in": [stranger]})
        assert answer.status_code in {409, 422}, answer.text
        said.append(UUID.sub("id", answer.json()["detail"]))
    assert said[0] == said[1]
    assert (await org.get(f"/incidents/{incident['id']}"))["held"] is not None


async def test_pages_do_not_tell_what_others_are_called(org: Organization, theirs: Things) -> None:
    """A form may hold any id; what is shown of it is that there is no such thing."""
    service = (await org.post("/oncall-services", {"name": "Pager"}))["id"]
    team = (await org.post("/teams", {"name": "Payments"}))["id"]
    contacts, rules = f"/{org.slug}/contacts", f"/{org.slug}/settings/engagement/rules/new"
    targets = [f"{kind}:{theirs[kind]}" for kind in ("individual", "team", "oncall")]
    conditions = {"name": "Mine", "role": "responder", "n0_quantifier": "all", "n1_in": "0"}
    conditions |= {"n1_attribute": "type", "n1_operator": "is", "n1_values": theirs["type"]}
    layer = {"name": "Primary", "time_zone": "UTC", "starts_at": "2026-01-05T09:00", "number": "1", "unit": "weeks"}
    override = {"time_zone": "UTC", "from": "2098-01-01T00:00", "until": "2098-01-02T00:00"}
    sent: list[tuple[str, dict[str, Any], set[int]]] = [
        (f"{rules}/draft", conditions | {"target": targets}, {200}),
        (f"{rules}/draft", conditions | {"do": "try"}, {422}),
        (f"{rules}/draft", conditions | {"do": "engage:team", "team": theirs["team"]}, {200, 422}),
        (f"{rules}/draft", conditions | {"do": "engage:individual", "person_1": theirs["individual"]}, {422}),
        (rules, conditions | {"target": targets}, {422}),
        (f"{contacts}/teams", {"name": "Other", "members": theirs["individual"]}, {422}),
        (f"{contacts}/teams/{team}/members", {"individual": theirs["individual"]}, {422}),
        (f"{contacts}/teams/{team}/members/remove", {"member": theirs["individual"]}, {404}),
        (f"{contacts}/teams/{theirs['team']}/members/remove", {"member": theirs["individual"]}, {404}),
        (f"{contacts}/on-call/{service}/layers/new", layer | {"members": theirs["individual"]}, {422}),
        (f"{contacts}/on-call/{service}/overrides", override | {"individual": theirs["individual"]}, {422}),
        (f"{contacts}/on-call/{service}/overrides/remove", {"override": theirs["override"]}, {404}),
    ]
    for path, body, expected in sent:
        url = f"{org.base_url}{path}"
        answer = await org.api.post(url, data=body, headers=HTML)
        assert answer.status_code in expected, f"{path} {body}: {answer.status_code}"
        assert SECRET not in re.sub(r"\s+", " ", answer.text), path
    assert (await org.get("/engagement-rules"))["data"] == []
    assert (await org.get(f"/teams/{team}"))["members"] == []


@pytest.mark.feature("E3", "E10")
async def test_what_somehow_names_others_engages_nobody(muster: RunningMuster, org: Organization, theirs: Things) -> None:
    """Also if an id of another organization came to stand in a rule, a team or a rotation: nobody looks beyond their own."""
    ana = await org.individual("Ana")
    service = (await org.post("/oncall-services", {"name": "Pager"}))["id"]
    team = (await org.post("/teams", {"name": "Payments"}))["id"]
    always = {"all": [{"attribute": "visibility", "operator": "is", "values": ["public"]}]}
    engage = [{"individual": ana["id"]}, {"team": team}, {"oncall": service}]
    rule = await org.post("/engagement-rules", {"name": "All", "when": always, "engage": engage})
    database, organization = muster.muster.database, (await org.get("/me"))["organization"]["id"]
    foreign = [{"kind": kind, "id": theirs[kind]} for kind in ("individual", "team", "oncall")]
    async with database.write(organization) as session:
        row = await session.get_one(RuleRow, rule["id"])
        row.definition = row.definition | {"engage": [*row.definition["engage"], *foreign]}
        rotation = {"layers": [layer_of("Primary", theirs["individual"])]}
        await session.execute(update(OnCallService).where(OnCallService.id == service).values(definition=rotation))
        session.add(TeamMember(organization_id=organization, team_id=team, individual_id=theirs["individual"]))
    incident = (await org.report("The disk"))["id"]

    async def engaged() -> bool:
        return "Ana" in await org.participants(incident)

    await org.until(engaged)
    async with database.read() as session:
        query = select(ParticipantRow.individual_id).where(ParticipantRow.incident_id == incident)
        inside = set(await session.scalars(query, execution_options={"every_organization": True}))
    assert theirs["individual"] not in inside
    assert SECRET not in str(await org.get(f"/incidents/{incident}/engagements"))
    assert SECRET not in str(await org.get(f"/oncall-services/{service}/shifts"))
