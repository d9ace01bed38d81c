"""Records the replay corpus: ``python -m tests.replay.record`` lives each story on a real Temporal and keeps its histories.

What is recorded stays: a change of the workflows must still replay every history (with ``workflow.patched`` where it has to
act differently), so record anew only stories that are new, or before the first release.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from temporalio.client import WorkflowHistory
from temporalio.exceptions import ApplicationError

from services.kit.temporal_program import find_temporal
from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import DATA, new_namespace
from tests.support.workflows import Case, World, new_command, nothing, working_world
from workflows.contracts import notify
from workflows.contracts.incident import workflow_id
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.commands import (
    Absorb,
    Add,
    AddNote,
    AnswerEngagement,
    AssignCommander,
    ChangeStatus,
    Command,
    Edit,
    Leave,
    RetryResource,
)
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.errors import Refused
from workflows.domain.events import Departure, ResourceKind, ResourceState

HISTORIES: Final = Path(__file__).parent / "histories"
FIRST_RELEASE: Final = HISTORIES / "first-release"
"""What the first release recorded, by its own code: never again."""

Story = Callable[[World], Awaitable[list[str]]]
"""Lives through something; answers the ids of the workflows whose histories are kept."""


def move(to: str, **more: Any) -> ChangeStatus:
    return ChangeStatus(command_id=new_command(), to=to, **more)


def retitle(title: str) -> Edit:
    return Edit(command_id=new_command(), changes=AttributeChanges(title=title))


def note(text: str) -> AddNote:
    return AddNote(command_id=new_command(), text=text)


async def close(case: Case) -> list[str]:
    await case.give(move("closed"))
    await case.ended()
    return [workflow_id(case.incident)]


async def from_report_to_closed(world: World) -> list[str]:
    case = world.case("Credential leak", commander="carl")
    case.engages("lena", "leak")
    case.engages("sam", "system")
    await case.opened()
    await case.give(retitle("System compromise"))
    await case.until(lambda: case.state.present("sam"))
    await case.give(AssignCommander(command_id=new_command(), actor="carl", individual="lena", note="The disk is full."))
    await case.give(Leave(command_id=new_command(), individual="carl", how=Departure.LEFT))
    await case.give(Add(command_id=new_command(), match=Match(individual="mia", evidence=()), joined=True))
    twice = note("twice")
    await case.give(twice)
    await case.give(twice)
    for status in ("fixing", "stable", "documenting"):
        await case.give(move(status))
    await world.gateway.catch_up(case.incident)
    await case.until(lambda: len(case.delivered) == 10 and len(case.hand_overs) == 2)
    return await close(case)


async def refused(world: World) -> list[str]:
    case = await world.case().opened()
    commands: tuple[Command, ...] = (move("reported"), move("declined"), AssignCommander(command_id="x", individual="nobody"))
    for command in commands:
        try:
            await case.give(command)
        except Refused:
            continue
        raise AssertionError("it should have been refused")
    return await close(case)


async def rolled_over(world: World) -> list[str]:
    case = world.case("Leak")
    case.engages("lena", "leak")
    await case.opened(history_limit=90)
    while await case.runs() < 3:
        await asyncio.gather(*(case.give(note(str(number))) for number in range(6)))
    return await close(case)


async def closed_and_reopened(world: World) -> list[str]:
    case = await world.case("Leak").opened()
    await case.give(retitle("A leak again"))
    ids = await close(case)
    case.engages("lena", "leak")
    await world.gateway.wake(case.state, move("active", reason="it came back"))
    await case.until(lambda: case.state.present("lena") and len(case.delivered) == 4)
    await case.give(move("stable"))
    await close(case)
    return ids


async def engagement_came_late(world: World) -> list[str]:
    case = world.case("Leak")
    case.engages("lena", "leak")

    async def away(_: Any) -> None:
        if not case.state.opened:
            raise ConnectionError("engagement is away")

    case.on_evaluate = away
    await case.opened()
    await case.until(lambda: len(case.delivered) == 4)
    return await close(case)


async def a_storm_was_held(world: World) -> list[str]:
    case = world.case("A leak")
    case.limit, case.people_a_page = 3, 2
    for number in range(5):
        case.engages(f"p{number}", "leak")
    await case.opened(history_limit=110)
    await case.until(lambda: len(case.state.asked()) == 5)
    for number in range(8):
        await case.give(retitle(f"A leak {number}"))
    await case.give(AnswerEngagement(command_id=new_command(), actor="rita", bring_in=("p1", "p3")))
    await case.until(lambda: len(case.delivered) == 6)
    return await close(case)


async def the_commander_was_on_call(world: World) -> list[str]:
    case = world.case()
    policy = Evidence(kind=EvidenceKind.ROLE, text="role policy")
    ledger, web = (Choice(id=name.lower(), name=name) for name in ("Ledger", "Web"))
    case.roles = Roles(waiting=(Waiting(service=ledger, evidence=(policy,), role=COMMANDER),))
    case.waiting = [Waiting(service=web, evidence=())]
    case.on_call = {"ledger:commander:policy": (Match(individual="ana", evidence=(policy,)),), "web:responder:match": ()}

    async def no_policies(_: Any) -> None:
        if not case.state.opened:
            raise ConnectionError("engagement is away")

    async def no_web(request: Any) -> None:
        if request.waiting.service == web:
            raise ApplicationError("there is no such service", type="NotThere", non_retryable=True)

    case.on_roles, case.on_on_call = no_policies, no_web
    await case.opened()
    await case.until(lambda: case.state.commander == "ana" and not case.state.waiting)
    await case.until(lambda: len(case.delivered) == 4)
    return await close(case)


async def a_resource_failed(world: World) -> list[str]:
    case = world.case()

    async def no_call(request: Any) -> None:
        if request.kind is ResourceKind.CALL:
            raise ApplicationError("the provider says no", type="No", non_retryable=True)

    case.on_resource = no_call
    await case.opened()
    await case.until(lambda: case.state.resources[ResourceKind.CALL].state is ResourceState.FAILED)
    case.on_resource = nothing
    await case.give(RetryResource(command_id=new_command(), kind=ResourceKind.CALL))
    await case.until(lambda: case.state.resources[ResourceKind.CALL].state is ResourceState.READY)
    return await close(case)


async def merged(world: World) -> list[str]:
    case, other = await world.case().opened(), await world.case("Leak").opened()
    await case.give(move("merged", into=other.incident))
    await case.ended()
    people = (Match(individual="mia", evidence=()),)
    await other.give(Absorb(command_id=new_command(), incident=case.incident, reference=7, matches=people))
    await other.until(lambda: "mia/email" in other.delivered)
    return [workflow_id(case.incident), *(await close(other))]


async def a_crowd_was_told(world: World) -> list[str]:
    case = world.case()

    async def one_is_late(request: notify.DeliveryRequest) -> None:
        if request.delivery == "p000/email" and len(case.delivered) < 202:
            raise ConnectionError("the mail server is away")
        if request.delivery == "p001/email":
            raise ApplicationError("no such address", non_retryable=True)

    case.on_deliver = one_is_late
    notice = notify.NoticeInput(
        organization=case.organization,
        incident=case.incident,
        kind=notify.NoticeKind.WELCOME,
        cause="engaged",
        recipients=tuple(f"p{number:03}" for number in range(102)),
    )
    await world.gateway.send(notice, "1")
    await case.until(lambda: len(case.delivered) == 203)
    return [notify.workflow_id(notice, "1")]


STORIES: Final[tuple[Story, ...]] = (
    from_report_to_closed,
    refused,
    rolled_over,
    closed_and_reopened,
    engagement_came_late,
    a_storm_was_held,
    the_commander_was_on_call,
    a_resource_failed,
    merged,
    a_crowd_was_told,
)


async def histories(world: World, workflow: str) -> list[WorkflowHistory]:
    """Every run of a workflow, the first one first."""
    found = [run async for run in world.client.list_workflows(f"WorkflowId = '{workflow}'")]
    handles = [world.client.get_workflow_handle(workflow, run_id=run.run_id) for run in sorted(found, key=lambda r: r.start_time)]
    return [await handle.fetch_history() for handle in handles]


def without_machine(value: Any) -> Any:
    """The same JSON without the names of processes, machines and files."""
    if isinstance(value, dict):
        return {key: without_machine(inner) for key, inner in value.items() if key not in {"identity", "stackTrace"}}
    if isinstance(value, list):
        return [without_machine(inner) for inner in value]
    return value


async def record(wanted: list[str]) -> None:
    """Live the stories of these names (all, when there is none), and keep their histories."""
    program = await find_temporal(DATA, lambda _: None)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = await stack.enter_async_context(EmbeddedTemporal(program, folder, lambda _: None, port=0, ui_port=0))
        world = await stack.enter_async_context(working_world(await new_namespace(server)))
        for story in STORIES:
            if not wanted or story.__name__ in wanted:
                await keep(world, story)


async def keep(world: World, story: Story) -> None:
    """Live one story and write down its histories."""
    workflows = await story(world)
    await asyncio.sleep(2)  # lists of workflows are a moment behind
    kept = [history for workflow in workflows for history in await histories(world, workflow)]
    for number, history in enumerate(kept, start=1):
        path = HISTORIES / f"{story.__name__}-{number}.json"
        path.write_text(json.dumps(without_machine(history.to_json_dict()), separators=(",", ":")) + "\n")
        sys.stdout.write(f"{path.name}: {len(history.events)} events\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
