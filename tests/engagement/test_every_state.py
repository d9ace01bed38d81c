"""Coming, going and following, whatever one is in the incident: always answered, and twice as once (E5, E8)."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.accounts.members import Member, member
from tests.kit.problems import problem
from tests.support.running import Organization, RunningMuster
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E5", "E8")

# One after another in the same incident, since following changes nothing about who takes part.
ACTIONS = (("subscribe", "unsubscribe", "join"), ("leave",), ("not-relevant",))
FOLLOWS = ("200 True", "200 False")
# What each of the actions above is answered, by what somebody was.
TABLE: dict[str, tuple[str, ...]] = {
    "nothing": (*FOLLOWS, "200 joined", "409 not_a_participant", "409 not_a_participant"),
    "subscriber": (*FOLLOWS, "200 joined", "409 not_a_participant", "409 not_a_participant"),
    "engaged": (*FOLLOWS, "200 engaged", "200 left", "200 left"),
    "joined": (*FOLLOWS, "200 joined", "200 left", "200 left"),
    "left": (*FOLLOWS, "200 joined", "200 left", "200 left"),
    "not relevant": (*FOLLOWS, "200 joined", "200 left", "200 left"),
    "removed": (*FOLLOWS, "200 joined", "200 removed", "200 removed"),
    "commander": (*FOLLOWS, "200 engaged", "409 commander_cannot_leave", "409 commander_cannot_leave"),
    "nothing, with self-join off": (*FOLLOWS, "403 self_join_off", "409 not_a_participant", "409 not_a_participant"),
    "left, with self-join off": (*FOLLOWS, "403 self_join_off", "200 left", "200 left"),
    "joined, with self-join off": (*FOLLOWS, "200 joined", "200 left", "200 left"),
    "nothing, when over": (*FOLLOWS, "409 incident_over", "409 incident_over", "409 incident_over"),
    "joined, when over": (*FOLLOWS, "409 incident_over", "409 incident_over", "409 incident_over"),
    "nothing, when restricted": ("404 not_found",) * 5,
    "left, when restricted": ("404 not_found",) * 5,
    "an admin, when restricted": (*FOLLOWS, "200 joined", "409 not_a_participant", "409 not_a_participant"),
}


@pytest.mark.parametrize("what", TABLE)
async def test_every_action_is_answered_and_twice_is_once(muster: RunningMuster, org: Organization, what: str) -> None:
    role = Role.ADMIN if what.startswith("an admin") else Role.MEMBER
    async with member(muster, org, "Jo", role) as jo:

        async def prepared() -> str:
            incident = str((await org.report("Disk"))["id"])
            await _become(org, jo, incident, what)
            return incident

        incidents = await asyncio.gather(*(prepared() for _ in ACTIONS))
        if what.endswith("with self-join off"):
            (project,) = (await org.get("/projects"))["data"]
            await org.patch(f"/projects/{project['id']}", {"self_join": False})
        tried = zip(incidents, ACTIONS, strict=True)
        told = [await _tell_twice(org, jo, incident, action) for incident, actions in tried for action in actions]
        assert tuple(told) == TABLE[what]


async def _tell_twice(org: Organization, jo: Member, incident: str, action: str) -> str:
    """What is answered, which must be the same again, and change nothing more."""
    first = _told(await jo.api.post(f"/incidents/{incident}/{action}"))
    version = (await org.get(f"/incidents/{incident}"))["version"]
    assert _told(await jo.api.post(f"/incidents/{incident}/{action}")) == first
    assert (await org.get(f"/incidents/{incident}"))["version"] == version
    return first


async def _become(org: Organization, jo: Member, incident: str, what: str) -> None:
    """Let someone be this in the incident."""

    async def post(action: str) -> None:
        assert (await jo.api.post(f"/incidents/{incident}/{action}")).is_success

    async def engage() -> None:
        await org.post(f"/incidents/{incident}/participants", {"individual": jo.individual})

    async def remove() -> None:
        await engage()
        assert (await org.api.delete(f"/incidents/{incident}/participants/{jo.individual}")).is_success

    async def command() -> None:
        await engage()
        assert (await org.api.put(f"/incidents/{incident}/commander", json={"individual": jo.individual})).is_success

    async def leave(how: str = "leave") -> None:
        await post("join")
        await post(how)

    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "subscriber": lambda: post("subscribe"),
        "engaged": engage,
        "joined": lambda: post("join"),
        "left": leave,
        "not relevant": lambda: leave("not-relevant"),
        "removed": remove,
        "commander": command,
    }
    is_, _, when = what.partition(", ")
    if is_ in ways:
        await ways[is_]()
    match when:
        case "when over":
            await org.post(f"/incidents/{incident}/transitions", {"to": "closed", "run_learning_flow": False})
        case "when restricted":
            await org.patch(f"/incidents/{incident}", {"visibility": "restricted"})


def _told(answer: httpx.Response) -> str:
    """The status, and what one is now, or why it was refused."""
    if answer.is_success:
        body = answer.json()
        return f"{answer.status_code} {body['state'] if 'state' in body else body['subscribed']}"
    code = answer.json()["code"]
    problem(answer, answer.status_code, code)
    return f"{answer.status_code} {code}"
