"""Nothing crosses from one organization to another: two that look alike, and every table and route there is (O1, O4)."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from sqlalchemy import func, select

from services.kit.ids import new_id
from services.kit.temporal_server import EmbeddedTemporal
from tests.accounts.every_route import QUERIES, Way, as_session, as_token, described, every_way, is_stream, send, untried_fields
from tests.accounts.members import member
from tests.accounts.two_organizations import (
    MARKER,
    UUID,
    Place,
    closing,
    fill,
    new_place,
    nothing_changes,
    require_rows,
    telling,
    texts,
)
from tests.conftest import new_muster
from tests.kit.problems import problem
from tests.store.rows import ORGANIZATION_TABLES
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.contracts.search_attributes import ORGANIZATION
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("O1")

NO_IDS = frozenset({"new", "status", "kind", "name", "layer", "spare_layer", "service_version"})
"""Things of an organization that are the same in every other one."""
FILTERS: dict[str, str] = {
    "commander": "participant",
    "recipient": "participant",
    "individual": "participant",
    "who": "owner",
    "owner": "participant",
    "incident": "incident",
    "severity": "severity",
    "type": "type",
    "priority": "priority",
    "project": "project",
}
"""The thing whose id a filter takes."""
TEXT_FILTERS = frozenset({"q"})
NO_FILTERS = frozenset(
    {"after", "page_size", "sort", "status", "category", "mode", "ongoing", "role", "active", "state", "channel", "kind"}
    | {"health", "participant", "subscribed", "action", "from", "to", "until", "at", "last_event_id"}
)
"""Parameters of queries that name nothing of an organization; ``after`` is tried by itself."""
UNASKED = {"GET /incidents/{incident}/engagement-question"}
"""Lists that are there for a while only; in which incident their ``after`` counts is tried where they are."""

IN_BETWEEN = frozenset(
    {
        "DELETE /incidents/{incident}/participants/{individual}",
        "POST /{org}/incidents/{incident}/participants/{individual}/remove",
    }
)
"""Where the one thing is refused because of another: whoever is no participant, for whatever reason, cannot be removed."""


BACK = ("/try", "/preview", "/draft")
"""How addresses end from which one is sent back to the form, without a look at what it is about."""


@dataclass
class Two:
    """Two organizations of one Muster that look alike: ``a``, who asks, and ``b``, of whom nothing may be told."""

    a: Place
    b: Place
    ways: list[Way]
    document: dict[str, Any]
    """The API's own description."""
    secrets: set[str]
    """Every text that only ``b`` has."""
    foreign: dict[str, str]
    """Things of ``b`` to ask for."""
    program: httpx.AsyncClient
    browser: httpx.AsyncClient

    @property
    def clients(self) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
        """The owner of ``a``, by token and by session."""
        return self.program, self.browser

    def require_silence(self, answer: httpx.Response, what: str, asked: str = "") -> None:
        """Nothing in an answer is of ``b``, unless it was ``asked``."""
        said = f"{answer.status_code} {_said(answer)}"
        told = {each for each in self.secrets | {MARKER} if each not in asked and (each in said or each in unquote(said))}
        assert not told, f"{what} answered {said[:300]} … with what is of another organization: {told}"


@pytest.fixture(scope="module", params=["sqlite"])
async def two(
    temporal: EmbeddedTemporal, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        muster = await stack.enter_async_context(new_muster(request.param, temporal, tmp_path_factory, request))
        a, b = await new_place(muster), await new_place(muster)
        await stack.enter_async_context(closing(a, b))
        await asyncio.gather(fill(a), fill(b))
        await fill(b, MARKER)
        ways = every_way(muster.muster)
        names = {name for way in ways for name in way.things.values()} | set(FILTERS.values()) - {"owner"}
        foreign = {name: await b.thing(name) for name in sorted(names)}
        foreign |= {"owner": b.account, "project": b.fixed["payments"]}
        await a.settled()
        program = await stack.enter_async_context(as_token(muster.base_url, a.org.token))
        browser = await stack.enter_async_context(as_session(muster.base_url, a.cookie, a.session))
        secrets = telling(await b.settled(), await a.dump()) | {b.org.token, b.session}
        yield Two(a, b, ways, described(muster.muster), secrets, foreign, program, browser)


@pytest.mark.parametrize("two", ["sqlite", "postgresql"], indirect=True)
async def test_every_table_shows_an_organization_its_own_rows(two: Two) -> None:
    require_rows(await two.a.dump(), await two.b.dump())
    for table in ORGANIZATION_TABLES:
        counts = {}
        for place in (two.a, two.b):
            async with place.database.read(place.id) as session:
                rows = (await session.scalars(select(table))).all()
                assert {row.organization_id for row in rows} == {place.id}, table
                counts[place.id] = len(rows)
                assert await session.scalar(select(func.count()).select_from(table)) == len(rows), table
        async with two.a.database.read() as session:
            both = select(table.organization_id, func.count()).group_by(table.organization_id)
            every = {"every_organization": True}
            assert dict((await session.execute(both, execution_options=every)).all()) == counts, table


async def test_what_is_looked_at_is_there(two: Two) -> None:
    """The tests below would be content with two organizations that have nothing."""
    missing = untried_fields(two.document, two.ways)
    assert not missing, f"These fields take any text, also the id of another organization's: put them into BODIES. {missing}"
    for place, known in ((two.a, False), (two.b, True)):
        rows = await place.dump()
        with_marker = {table for table, found in rows.items() if any(MARKER in text for text in texts(found))}
        assert (len(with_marker) > 15) if known else (not with_marker), with_marker
    assert len(two.secrets) > 100
    for path in ("/me", "/incidents", "/tokens", "/audit", "/deliveries", "/incidents/INC-1/timeline"):
        with pytest.raises(AssertionError, match="of another organization"):
            two.require_silence(await two.b.org.api.get(path), path)


@pytest.mark.feature("O4")
async def test_no_answer_tells_of_another_organization(two: Two) -> None:
    """Every route, with things of one's own and a key that the other organization has used for the same."""
    async with as_session(two.b.muster.base_url, two.b.cookie, two.b.session) as theirs:
        for way in two.ways:
            if way.name.endswith(("/sign-out", "/sessions/end")):
                continue
            key = {"Idempotency-Key": f"look-alike {way.name}"[:255]}
            things = {name: await two.b.thing(thing) for name, thing in way.things.items()}
            before = await send(theirs, way.call(two.b.org.slug, things), **key)
            two.secrets |= set(UUID.findall(_said(before)))
            statuses = set()
            for number, client in enumerate(two.clients if way.is_api or not way.needs_somebody else (two.browser,)):
                things = {name: await two.a.thing(thing) for name, thing in way.things.items()}
                key["Idempotency-Key"] = f"look-alike {way.name} {'again' * number}".strip()[:255]
                answer = await send(client, way.call(two.a.org.slug, things), **key)
                assert answer.status_code < 500, f"{way.name}: {_said(answer)}"
                two.require_silence(answer, way.name)
                statuses.add(answer.status_code)
            assert before.status_code in statuses, f"{way.name}: {before.status_code}, then {statuses}"


def _said(answer: httpx.Response) -> str:
    return f"{answer.headers} {'' if is_stream(answer) else answer.text}"


def strangers(way: Way, foreign: Mapping[str, str]) -> dict[str, str]:
    """By their name, the things of another organization that can be put into a request instead of one's own."""
    return {name: foreign[thing] for name, thing in way.things.items() if thing not in NO_IDS and not thing.startswith("was_")}


@pytest.mark.feature("O4")
async def test_another_organizations_things_cannot_be_named(two: Two) -> None:
    await asyncio.gather(two.a.settled(), two.b.settled())
    for way in two.ways:
        named = strangers(way, two.foreign)
        if not named:
            continue
        own = {name: await two.a.thing(thing) for name, thing in way.things.items()}
        async with nothing_changes(way.name, two.a, two.b):
            for name, stranger in named.items():
                for client in two.clients if way.is_api else (two.browser,):
                    answer = await send(client, way.call(two.a.org.slug, own | {name: stranger}))
                    what = f"{way.name} with another organization's {name}"
                    expected = {404} if f"{{{name}}}" in way.path and way.name not in IN_BETWEEN else {404, 409, 422}
                    if way.method == "GET" and way.path.endswith(BACK):
                        expected = {303}
                    assert answer.status_code in expected, f"{what}: {answer.status_code} {_said(answer)[:800]}"
                    two.require_silence(answer, what, stranger)


@pytest.mark.feature("O4")
async def test_a_credential_is_good_in_its_own_organization_only(two: Two) -> None:
    await asyncio.gather(two.a.settled(), two.b.settled())
    async with nothing_changes("Asking in another organization", two.a, two.b):
        for way in two.ways:
            if not way.needs_somebody:
                continue
            call = way.call(two.b.org.slug, two.foreign)
            by_token, by_session = await send(two.program, call), await send(two.browser, call)
            assert by_token.status_code == 404, f"{way.name}: {_said(by_token)}"
            if way.is_api:
                problem(by_session, 401, "not_signed_in")
            else:
                assert by_session.status_code == 303, way.name
                assert by_session.headers["location"].startswith(f"/{two.b.org.slug}/sign-in"), way.name
            for answer in (by_token, by_session):
                two.require_silence(answer, way.name, f"{two.b.org.slug} {call['url']} {call.get('params')}")


def parameters(two: Two, way: Way) -> list[str]:
    """What the query of an API route can have."""
    operation = two.document["paths"][way.path][way.method.lower()]
    return [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]


async def test_lists_begin_and_narrow_within_the_organization(two: Two) -> None:
    # They unsubscribe where it is tried what they may do.
    await two.b.org.post(f"/incidents/{two.foreign['incident']}/subscribe", {})
    for way in two.ways:
        if not way.is_api or way.method != "GET":
            continue
        names = set(parameters(two, way)) - NO_FILTERS - set(QUERIES.get(way.name, {}))
        own = {name: await two.a.thing(thing) for name, thing in way.things.items()}
        call = way.call(two.a.org.slug, own)
        for name in sorted(names):
            if name not in {**FILTERS, **dict.fromkeys(TEXT_FILTERS)}:
                pytest.fail(f"Say in FILTERS whose id “{name}” of {way.name} takes, or in NO_FILTERS that it names nothing.")
            values = (
                [two.foreign[FILTERS[name]]] if name in FILTERS else [MARKER, two.foreign["participant"], two.foreign["incident"]]
            )
            for value in values:
                answer = await send(two.program, call | {"params": {name: value}})
                what = f"{way.name}?{name}={value}"
                two.require_silence(answer, what, value)
                if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
                    assert answer.json()["data"] == [], f"{what}: {answer.text}"
                else:
                    assert answer.status_code in {200, 404, 422}, f"{what}: {answer.status_code} {answer.text}"
        if "after" in parameters(two, way) and way.name not in UNASKED:
            theirs = {name: two.foreign[thing] for name, thing in way.things.items()}
            theirs_call = way.call(two.b.org.slug, theirs) | {"params": {"page_size": 1}}
            async with as_token(two.b.muster.base_url, two.b.org.token) as owner:
                following = (await send(owner, theirs_call)).json()["pagination"]["after"]
            assert following, f"{way.name} has one page only: give the second organization more to list."
            for asked in ({"after": following}, {"after": following, "page_size": 1}):
                problem(await send(two.program, call | {"params": asked}), 400, "unknown_after")


async def refusals(place: Place, ways: list[Way], foreign: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """How an organization's owner is refused what is not theirs, with the ids in the texts made alike."""
    said = {}
    async with as_token(place.muster.base_url, place.org.token) as client:
        for way in ways:
            if not way.is_api:
                continue
            own = {name: await place.thing(thing) for name, thing in way.things.items()}
            for name, stranger in strangers(way, foreign).items():
                for each in (stranger, f"Ben {MARKER}"):
                    answer = await send(client, way.call(place.org.slug, own | {name: each}))
                    text = answer.text.replace(place.org.slug, "slug")
                    said[f"{way.name} {name}={'an id' if each == stranger else each}"] = (
                        answer.status_code,
                        UUID.sub("id", text),
                    )
    return said


@pytest.mark.feature("O4")
async def test_refusals_are_the_same_where_there_is_nobody_else(
    two: Two, temporal: EmbeddedTemporal, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    """So nothing in them, not even a number, depends on what another organization has."""
    async with new_muster("sqlite", temporal, tmp_path_factory, request) as muster:
        alone = await new_place(muster)
        async with closing(alone):
            await fill(alone)
            expected = await refusals(alone, two.ways, {name: new_id() for name in two.foreign})
    found = await refusals(two.a, two.ways, two.foreign)
    assert found == expected
    assert {status for status, _ in found.values()} <= {404, 409, 422}
    assert len(found) > 50


@pytest.mark.feature("R3")
async def test_a_stream_is_silent_about_another_organization(two: Two) -> None:
    a, b = two.a.org, two.b.org
    before = (await a.get("/incidents/INC-1"))["version"]
    problem(await a.api.get(f"/incidents/{two.foreign['incident']}/stream"), 404, "not_found")
    await two.a.settled()
    said = []
    async with a.api.stream("GET", "/incidents/INC-1/stream") as stream, asyncio.timeout(PATIENCE):
        for number in range(3):
            await b.post("/incidents/INC-1/timeline", {"text": f"{number} {MARKER}"})
        await b.patch("/incidents/INC-1", {"title": f"Changed {MARKER}"})
        await a.post("/incidents/INC-1/timeline", {"text": "at last"})
        async for line in stream.aiter_lines():
            said.append(line)
            if line == f"id: {before + 1}":
                break
    # One tail of the log feeds all streams, in order: what was said of the other incident would have come before. A stream
    # begins with what has no sequence to resume from.
    events = [line for line in said if line.startswith(("event:", "id:"))]
    known = [f"id: {before}", f"id: {before + 1}"]
    assert events == ["event: channel", known[0], "event: deliveries", known[0], "event: timeline", known[1]]


@pytest.mark.feature("I1")
async def test_temporal_is_told_ids_and_keeps_organizations_apart(two: Two) -> None:
    client = two.a.muster.muster.client
    incidents: dict[str, str] = {}
    for place in (two.a, two.b):
        incidents |= {row["id"]: place.id for row in (await place.dump())["incidents"]}
    found = [each async for each in client.list_workflows()]
    assert {f"incident:{each}" for each in incidents} <= {each.id for each in found}
    ours = 0
    for each in found:
        assert re.fullmatch(r"[a-z_]+(:([a-z_]+|\d+))*", UUID.sub("0", each.id)), f"A workflow is called {each.id}."
        organization = each.typed_search_attributes.get(ORGANIZATION)
        named = {owner for incident, owner in incidents.items() if incident in each.id}
        if each.id.startswith("incident:"):
            assert {organization} == named, each.id
        assert organization in {None, two.a.id, two.b.id}, each.id
        if named == {two.a.id}:
            ours += 1
            history = await client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history()
            written = b"".join(event.SerializeToString() for event in history.events).decode(errors="ignore")
            told = {secret for secret in two.secrets | {MARKER} if secret in written}
            assert not told, f"The history of {each.id} has what is of another organization: {told}"
    assert ours >= 3


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
