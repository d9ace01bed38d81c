"""What happens at the same moment ends with everyone in once, and welcomed once by each channel (E4, E5, E6, E8)."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from services.engagement.oncall.provider import Duty
from services.kit.temporal_server import EmbeddedTemporal
from services.store.incidents import EvaluationRow
from services.store.teams import OnCallService
from tests.accounts.members import member
from tests.conftest import new_muster
from tests.support.providers import Momentary
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.domain.policy import Role


class Gate(Momentary):
    """A provider of on-call services that stops the evaluation, when it is shut: terms and rules have been looked at by then."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.opened.set()

    def shut(self) -> None:
        """Stop the next evaluation."""
        self.reached.clear()
        self.opened.clear()

    async def on_call(self, duty: Duty, at: datetime) -> tuple[str, ...]:
        """Nobody, once the gate is open."""
        self.reached.set()
        await self.opened.wait()
        return ()


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
async def muster(
    database_kind: str,
    temporal: EmbeddedTemporal,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    gate: Gate,
) -> AsyncIterator[RunningMuster]:
    async with new_muster(database_kind, temporal, tmp_path_factory, request, gate=gate) as running:
        yield running


async def gated(muster: RunningMuster, org: Organization) -> None:
    """From here on, an evaluation of a text with the word "gate" passes the gate."""
    made = await org.post("/oncall-services", {"name": "Gate", "terms": ["gate"]})
    async with muster.muster.database.write((await org.get("/me"))["organization"]["id"]) as session:
        (await session.get_one(OnCallService, made["id"])).provider = "gate"


@asynccontextmanager
async def during_evaluation(gate: Gate, org: Organization, incident: str, changes: dict[str, Any]) -> AsyncIterator[None]:
    """What is done in the block happens while the evaluation of these changes is under way."""
    gate.shut()
    await org.patch(f"/incidents/{incident}", changes)
    try:
        async with asyncio.timeout(PATIENCE):
            await gate.reached.wait()
        yield
    finally:
        gate.opened.set()


async def settled(org: Organization, incident: str) -> dict[str, dict[str, Any]]:
    """Who is or was in once all that was under way is done, by name; everyone came in once, and no channel told anybody twice.

    Evaluations are one after the other, so whom one more change brings in is the last to come.
    """
    path = f"/incidents/{incident}"
    await org.individual("Finn", "finish")
    await org.patch(path, {"description": f"{(await org.get(path))['description']} Finish."})

    async def done() -> bool:
        found = await org.deliveries(incident)
        return {"email", "chat"} == {each["channel"] for each in found if each["recipient"]["name"] == "Finn"} and all(
            each["state"] != "pending" for each in found
        )

    await org.until(done)
    bodies = [event["payload"]["body"] for event in (await org.get(f"{path}/record.json"))["events"]]
    waves = [body["people"] for body in bodies if body["kind"] == "participants_engaged"]
    came = Counter(person["individual"] for people in waves for person in people)
    people = await org.participants(incident)
    assert came == Counter(person["individual"]["id"] for person in people.values())
    told = Counter((each["recipient"]["name"], each["channel"]) for each in await org.deliveries(incident))
    assert told == Counter((name, channel) for name in people for channel in ("email", "chat"))
    return people


async def came(org: Organization, incident: str, name: str) -> bool:
    return name in await org.participants(incident)


async def evaluations(muster: RunningMuster, org: Organization, incident: str) -> int:
    async with muster.muster.database.read((await org.get("/me"))["organization"]["id"]) as session:
        query = select(func.count()).select_from(EvaluationRow).where(EvaluationRow.incident_id == incident)
        return await session.scalar(query) or 0


@pytest.mark.feature("E4", "E5")
async def test_two_changes_by_two_people_at_the_same_moment(muster: RunningMuster, org: Organization) -> None:
    for name, term in (("Ana", "tide"), ("Ben", "surf"), ("Cai", "surf tide")):
        await org.individual(name, *term.split())
    async with member(muster, org) as mia:
        incident = (await org.report("Odd"))["id"]
        path = f"/incidents/{incident}"
        answers = await asyncio.gather(
            org.api.patch(path, json={"title": "The tide"}), mia.api.patch(path, json={"tags": ["surf"]})
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        people = await settled(org, incident)
        assert set(people) == {"Olive Owner", "Ana", "Ben", "Cai", "Finn"}


@pytest.mark.feature("E4", "E5")
async def test_a_change_while_an_evaluation_runs(muster: RunningMuster, org: Organization, gate: Gate) -> None:
    await gated(muster, org)
    for name, term in (("Ana", "tide"), ("Ben", "surf"), ("Cai", "tide"), ("Dan", "foam")):
        await org.individual(name, term)
    incident = (await org.report("Odd"))["id"]
    async with during_evaluation(gate, org, incident, {"title": "The gate and the tide"}):
        await org.patch(f"/incidents/{incident}", {"title": "The surf at the gate"})
        await org.patch(f"/incidents/{incident}", {"tags": ["foam"]})
    people = await settled(org, incident)
    assert set(people) == {"Olive Owner", "Ana", "Ben", "Cai", "Dan", "Finn"}
    assert [piece["text"] for piece in people["Ana"]["evidence"]] == ["tide"], "what matched then is told, though it is gone now"


@pytest.mark.feature("E5")
@pytest.mark.parametrize("how", ["leave", "not-relevant", "removed"])
async def test_who_goes_while_an_evaluation_matches_them_stays_out(
    muster: RunningMuster, org: Organization, gate: Gate, how: str
) -> None:
    await gated(muster, org)
    async with member(muster, org) as mia:
        await org.api.put(f"/individuals/{mia.individual}/terms", json={"terms": ["tide", "surf"]})
        incident = (await org.report("The tide"))["id"]
        await org.until(lambda: org.all_sent(incident))
        async with during_evaluation(gate, org, incident, {"title": "The surf at the gate"}):
            if how == "removed":
                answer = await org.api.delete(f"/incidents/{incident}/participants/{mia.individual}")
            else:
                answer = await mia.api.post(f"/incidents/{incident}/{how}")
            assert answer.is_success, answer.text
        people = await settled(org, incident)
        assert people["Mia Member"]["state"] == ("removed" if how == "removed" else "left")


@pytest.mark.feature("E5", "E8")
@pytest.mark.parametrize("leaves", [False, True])
async def test_who_joins_while_an_evaluation_matches_them(
    muster: RunningMuster, org: Organization, gate: Gate, leaves: bool
) -> None:
    await gated(muster, org)
    async with member(muster, org) as mia:
        await org.api.put(f"/individuals/{mia.individual}/terms", json={"terms": ["tide"]})
        incident = (await org.report("Odd"))["id"]
        path = f"/incidents/{incident}"
        async with during_evaluation(gate, org, incident, {"title": "The tide at the gate"}):
            answers = await asyncio.gather(*(mia.api.post(f"{path}/join") for _ in range(3)))
            assert [answer.json()["state"] for answer in answers] == ["joined"] * 3
            if leaves:
                await org.until(lambda: org.all_sent(incident))
                assert (await mia.api.post(f"{path}/leave")).is_success
        person = (await settled(org, incident))["Mia Member"]
        assert person["state"] == ("left" if leaves else "joined")
        assert [piece["kind"] for piece in person["evidence"]] == ["self_join"]


@pytest.mark.feature("E5", "E8")
async def test_joining_at_the_very_moment_of_the_match(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org) as mia:
        await org.api.put(f"/individuals/{mia.individual}/terms", json={"terms": ["tide"]})
        incident = (await org.report("Odd"))["id"]
        path = f"/incidents/{incident}"
        answers = await asyncio.gather(
            mia.api.post(f"{path}/join"),
            org.api.patch(path, json={"title": "The tide"}),
            org.api.post(f"{path}/participants", json={"individual": mia.individual}),
            mia.api.post(f"{path}/join"),
        )
        assert all(answer.is_success for answer in answers)
        assert (await settled(org, incident))["Mia Member"]["state"] in {"joined", "engaged"}


@pytest.mark.feature("E4", "R7")
async def test_an_incident_that_is_restricted_while_an_evaluation_runs(
    muster: RunningMuster, org: Organization, gate: Gate
) -> None:
    await gated(muster, org)
    async with member(muster, org) as mia:
        assert (await mia.api.put(f"/individuals/{mia.individual}/terms", json={"terms": ["tide"]})).is_success
        await org.individual("Ana", "tide")
        incident = (await org.report("Odd"))["id"]
        async with during_evaluation(gate, org, incident, {"title": "The tide at the gate"}):
            await org.patch(f"/incidents/{incident}", {"visibility": "restricted"})
        assert set(await settled(org, incident)) == {"Olive Owner", "Ana", "Finn"}, "her own term opens nothing restricted"
        assert (await mia.api.get(f"/incidents/{incident}")).status_code == 404


@pytest.mark.feature("E4", "E6")
async def test_terms_and_rules_that_are_saved_while_an_evaluation_runs_count_from_the_next_change(
    muster: RunningMuster, org: Organization, gate: Gate
) -> None:
    await gated(muster, org)
    ana, ben, cai = [await org.individual(name) for name in ("Ana", "Ben", "Cai")]
    dan = await org.individual("Dan", "tide")
    tagged = {"attribute": "tag", "operator": "is", "values": ["sea"]}
    rule = await org.post("/engagement-rules", {"name": "Sea", "when": {"all": [tagged]}, "engage": [{"individual": ben["id"]}]})
    incident = (await org.report("Odd"))["id"]
    path = f"/incidents/{incident}"
    async with during_evaluation(gate, org, incident, {"title": "The tide at the gate", "tags": ["sea"]}):
        await org.api.put(f"/individuals/{ana['id']}/terms", json={"terms": ["tide"]})
        await org.api.put(f"/individuals/{dan['id']}/terms", json={"terms": ["surf"]})
        await org.patch(f"/engagement-rules/{rule['id']}", {"engage": [{"individual": cai["id"]}]})
    await org.until(lambda: came(org, incident, "Ben"))
    assert set(await org.participants(incident)) == {"Olive Owner", "Ben", "Dan"}
    newer = await org.get(f"{path}/engagements/why", individual=ana["id"])
    assert (newer["engaged"], newer["reason"]) == (False, "term_is_newer")
    why = await org.get(f"{path}/engagements/why", individual=ben["id"])
    assert [(each["id"], each["version"], each["holds"]) for each in why["rules"]] == [(rule["id"], 1, True)]
    people = await settled(org, incident)
    assert set(people) == {"Olive Owner", "Ana", "Ben", "Cai", "Dan", "Finn"}
    versions = {name: [(each["id"], each["version"]) for each in people[name]["evidence"]] for name in ("Ben", "Cai")}
    assert versions == {"Ben": [(rule["id"], 1)], "Cai": [(rule["id"], 2)]}


@pytest.mark.feature("E4", "E5")
async def test_fifty_changes_by_five_people_at_once(muster: RunningMuster, org: Organization) -> None:
    for name, *terms in (("Ana", "tide"), ("Ben", "surf"), ("Cai", "foam"), ("Dan", "high", "critical"), ("Eve", "tide", "foam")):
        await org.individual(name, *terms)
    incident = (await org.report("Odd"))["id"]

    async def edit(client: httpx.AsyncClient, changes: Iterable[dict[str, Any]]) -> None:
        for each in changes:
            assert (await client.patch(f"/incidents/{incident}", json=each)).status_code == 200

    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(member(muster, org, f"Mia {number}", Role.ADMIN)) for number in range(4)]
        clients = [org.api, *(each.api for each in others)]
        told: tuple[list[dict[str, Any]], ...] = (
            [{"title": f"Tide {n}"} for n in range(10)],
            [{"description": f"Surf {n}"} for n in range(10)],
            [{"tags": ["foam", f"n{n}"]} for n in range(10)],
            [{"severity": ("High", "Critical")[n % 2]} for n in range(10)],
            [{"title": f"The tide {n}", "tags": ["foam", f"t{n}"]} for n in range(10)],
        )
        began = time.monotonic()
        await asyncio.gather(*(edit(client, changes) for client, changes in zip(clients, told, strict=True)))
        people = await settled(org, incident)
        took = time.monotonic() - began
    assert set(people) == {"Olive Owner", "Ana", "Ben", "Cai", "Dan", "Eve", "Finn"}
    # The report's own, then not more than one a second, however fast or slow this machine is.
    assert await evaluations(muster, org, incident) <= 2 + took
