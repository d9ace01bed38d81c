"""Nothing crosses organizations by the API: whatever is another's looks as if it did not exist (O1, O4)."""

import re
from typing import Any

import httpx
import pytest

from tests.accounts.members import member
from tests.kit.problems import problem
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.domain.policy import Role

BODIES: dict[str, dict[str, Any]] = {
    "/incidents": {"title": "Mine"},
    "/individuals": {"name": "Eve", "email": "eve@example.org"},
    "/transitions": {"to": "fixing"},
    "/timeline": {"text": "x"},
    "/messages": {"text": "x"},
    "/terms": {"terms": ["x"]},
}


async def routes(muster: RunningMuster, org: Organization) -> list[tuple[str, str]]:
    document = (await org.api.get(f"{muster.base_url}/api/v1/openapi.json")).json()
    return [
        (method.upper(), path.removeprefix("/api/v1/{org}"))
        for path, item in document["paths"].items()
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}
    ]


def body_of(path: str, person: str) -> dict[str, Any]:
    end = "/" + path.rsplit("/", 1)[-1]
    if end in {"/commander", "/participants"}:
        return {"individual": person}
    return BODIES.get(end, {})


@pytest.mark.feature("O1", "O4")
async def test_no_route_serves_another_organization(muster: RunningMuster, org: Organization) -> None:
    other = await muster.organization()
    incident = await other.report("Theirs")
    person = await other.individual("Tess", "theirs")
    await other.until(lambda: other.all_sent(incident["id"]))
    delivery = (await other.deliveries(incident["id"]))[0]["id"]
    ids = {"incident": incident["id"], "individual": person["id"], "delivery": delivery, "kind": "channel"}
    all_routes = await routes(muster, org)
    headers = {"Authorization": f"Bearer {org.token}"}
    async with httpx.AsyncClient(base_url=str(other.api.base_url), headers=headers, timeout=PATIENCE) as intruder:
        for method, path in all_routes:
            url = re.sub(r"{(\w+)}", lambda found: ids[found[1]], path)
            body = body_of(path, person["id"]) if method in {"POST", "PUT", "PATCH"} else None
            problem(await intruder.request(method, url, json=body), 404, "not_found")
            if "{incident}" in path or "{delivery}" in path or "/individuals/{" in path:
                query = {"individual": person["id"]} if path.endswith("/why") else None
                problem(await org.api.request(method, url, json=body, params=query), 404, "not_found")
    assert (await other.get(f"/incidents/{incident['id']}"))["version"] == incident["version"]
    assert await other.get(f"/individuals/{person['id']}") == person
    assert (await org.get("/incidents"))["data"] == []
    assert [each["name"] for each in (await org.get("/individuals"))["data"]] == ["Olive Owner"]
    assert (await org.get("/deliveries"))["data"] == (await org.get("/inbox"))["data"] == []
    await other.api.aclose()


@pytest.mark.feature("O1")
async def test_another_organizations_people_cannot_be_named(muster: RunningMuster, org: Organization) -> None:
    other = await muster.organization()
    stranger = await other.individual("Tess", "theirs")
    theirs = await other.report("Theirs")
    mine = await org.report("Theirs is a word here too")
    assert set(await org.participants(mine["id"])) == {"Olive Owner"}
    problem(await org.api.post("/incidents", json={"title": "x", "commander": stranger["id"]}), 422, "invalid")
    problem(await org.api.post("/incidents", json={"title": "x", "severity": theirs["severity"]["id"]}), 422, "invalid")
    problem(await org.api.post("/incidents", json={"title": "x", "project": theirs["project"]["id"]}), 422, "invalid")
    problem(await org.api.patch("/incidents/INC-1", json={"type": theirs["type"]["id"]}), 422, "invalid")
    problem(await org.api.post("/incidents/INC-1/participants", json={"individual": stranger["id"]}), 404, "not_found")
    problem(await org.api.put("/incidents/INC-1/commander", json={"individual": stranger["id"]}), 409, "not_a_participant")
    merge = {"to": "merged", "into": theirs["id"]}
    problem(await org.api.post("/incidents/INC-1/transitions", json=merge), 404, "not_found")
    assert (await org.get("/incidents", commander=stranger["id"]))["data"] == []
    assert (await org.get("/inbox", recipient=stranger["id"]))["data"] == []
    await other.api.aclose()


@pytest.mark.feature("O3")
async def test_without_a_credential_that_holds_nothing_is_served(muster: RunningMuster, org: Organization) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {org.token}"}, {"Authorization": "Bearer"}):
        async with httpx.AsyncClient(base_url=str(org.api.base_url), headers=headers, timeout=PATIENCE) as nobody:
            for method, path in await routes(muster, org):
                response = await nobody.request(method, path.replace("{", "").replace("}", ""))
                problem(response, 401, "not_signed_in")
                assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.feature("R7", "O4")
async def test_a_restricted_incident_is_seen_by_its_people_and_administrators(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as outsider, member(muster, org, "Ada Admin", Role.ADMIN) as admin:
        incident = (await org.report("Hush", visibility="restricted"))["id"]
        await org.until(lambda: org.all_sent(incident))
        assert (await admin.api.get(f"/incidents/{incident}")).status_code == 200
        delivery = (await org.deliveries(incident))[0]["id"]
        for path in ("", "/receipt", "/timeline", "/messages", "/record.json", "/participants", "/engagements", "/stream"):
            problem(await outsider.api.get(f"/incidents/{incident}{path}"), 404, "not_found")
        problem(
            await outsider.api.get(f"/incidents/{incident}/engagements/why?individual={outsider.individual}"), 404, "not_found"
        )
        for path, body in (("/join", None), ("/messages", {"text": "x"}), ("/transitions", {"to": "closed"})):
            problem(await outsider.api.post(f"/incidents/{incident}{path}", json=body), 404, "not_found")
        problem(await outsider.api.patch(f"/incidents/{incident}", json={"visibility": "public"}), 404, "not_found")
        problem(await outsider.api.post(f"/deliveries/{delivery}/retry"), 404, "not_found")
        problem(await outsider.api.get(f"/deliveries?incident={incident}"), 404, "not_found")
        for path in ("/incidents", "/incidents?q=Hush", "/deliveries", "/inbox"):
            assert (await outsider.api.get(path)).json()["data"] == []
        await org.post(f"/incidents/{incident}/participants", {"individual": outsider.individual})
        assert (await outsider.api.get(f"/incidents/{incident}")).status_code == 200
        assert len((await outsider.api.get("/incidents")).json()["data"]) == 1
        await org.api.delete(f"/incidents/{incident}/participants/{outsider.individual}")
        problem(await outsider.api.get(f"/incidents/{incident}"), 404, "not_found")


@pytest.mark.feature("O4", "E1")
async def test_members_keep_their_own_contact_only(muster: RunningMuster, org: Organization) -> None:
    other = await org.individual("Ana", "disk")
    async with member(muster, org) as mia:
        problem(await mia.api.post("/individuals", json={"name": "x", "email": "x@y.example"}), 403, "contacts_not_yours")
        problem(await mia.api.patch(f"/individuals/{other['id']}", json={"name": "x"}), 403, "contacts_not_yours")
        problem(await mia.api.put(f"/individuals/{other['id']}/terms", json={"terms": []}), 403, "contacts_not_yours")
        problem(await mia.api.delete(f"/individuals/{other['id']}"), 403, "contacts_not_yours")
        assert (await mia.api.put(f"/individuals/{mia.individual}/terms", json={"terms": ["disk"]})).status_code == 200
    assert await org.get(f"/individuals/{other['id']}") == other
