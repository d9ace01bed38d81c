"""An incident that was open when Muster was upgraded goes on: its log folds, its run replays, and a new run is as of today."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from services.kit.temporal import Target
from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import new_namespace
from tests.replay.record import FIRST_RELEASE
from tests.replay.released import ReleasedWorkflow
from tests.support.workflows import Case, World, new_command, nothing, working_world
from workflows.contracts.incident import WORKFLOW, IncidentInput
from workflows.contracts.lifecycle import Appended
from workflows.domain.attributes import AttributeChanges
from workflows.domain.commands import AddNote, AnswerEngagement, Edit
from workflows.domain.events import Visibility
from workflows.domain.incident import IncidentState, evolve
from workflows.domain.lifecycle import Category


def logs() -> list[tuple[str, WorkflowHistory]]:
    """Every history of an incident."""
    found = [(path.stem, WorkflowHistory.from_json(path.stem, path.read_text())) for path in sorted(FIRST_RELEASE.glob("*.json"))]
    return [(name, history) for name, history in found if started(history).workflow_type.name == WORKFLOW]


def started(history: WorkflowHistory) -> Any:
    return history.events[0].workflow_execution_started_event_attributes


def told(history: WorkflowHistory) -> IncidentInput:
    return IncidentInput.model_validate_json(started(history).input.payloads[0].data)


def folded(history: WorkflowHistory) -> IncidentState:
    """The state that a run ended with: what it began with, and every event that it appended."""
    state = told(history).state
    for event in history.events:
        marker = event.marker_recorded_event_attributes
        if marker.marker_name == "core_local_activity" and "result" in marker.details:
            for appended in Appended.model_validate_json(marker.details["result"].payloads[0].data).events:
                state = evolve(state, appended)
    return state


@pytest.mark.parametrize(("name", "history"), logs(), ids=[name for name, _ in logs()])
def test_its_log_folds(name: str, history: WorkflowHistory) -> None:
    state, following = folded(history), FIRST_RELEASE / f"{name[:-1]}{int(name[-1]) + 1}.json"
    if history.events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
        assert state == told(WorkflowHistory.from_json("next", following.read_text())).state
    else:
        assert state.status.category in {Category.CLOSED, Category.MERGED}
    assert (state.held, state.held_until, state.waiting, state.roles_awaited, state.stand_in) == ({}, None, (), False, False)


@asynccontextmanager
async def upgraded(target: Target, released: World) -> AsyncIterator[World]:
    """The present workers, for the incidents of the first release."""
    async with working_world(target) as world:
        for organization, case in released.cases.items():
            case.world = world
            world.cases[organization] = case
        yield world


def storm(case: Case, people: int) -> list[str]:
    crowd = [f"p{number}" for number in range(people)]
    for person in crowd:
        case.engages(person, "leak")
    case.limit = 3
    return crowd


async def test_it_goes_on_and_is_as_of_today_from_the_next_change_on(temporal: EmbeddedTemporal) -> None:
    target = await new_namespace(temporal)
    async with working_world(target, ReleasedWorkflow) as released:
        case = released.case("Leak")
        case.engages("lena", "leak")
        await case.opened()
        await case.give(Edit(command_id=new_command(), visibility=Visibility.RESTRICTED))
        await case.until(lambda: len(case.delivered) == 4)
    evaluations = len(case.evaluations)
    async with upgraded(target, released):
        crowd = storm(case, 5)
        await case.give(AddNote(command_id=new_command(), text="after the upgrade"))
        # What the first release evaluated is evaluated again, and a crowd is asked about.
        await case.until(lambda: set(case.state.asked()) == set(crowd))
        assert await case.runs() == 2
        await case.give(AnswerEngagement(command_id=new_command(), actor="rita", bring_in=("p1",)))
        await case.until(lambda: len(case.delivered) == 6)
        await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title="Leak again")))
        await case.until(lambda: case.evaluations[-1].attributes_seq == case.state.attributes_seq)
    assert evaluations == 1
    assert set(case.delivered.values()) == {1}
    assert set(case.state.participants) == {"rita", "lena", "p1"}


async def test_an_evaluation_under_way_ends_in_the_present(temporal: EmbeddedTemporal) -> None:
    target = await new_namespace(temporal)

    async def away(_: Any) -> None:
        raise ConnectionError("engagement is away")

    async with working_world(target, ReleasedWorkflow) as released:
        case = released.case("Leak")
        case.on_evaluate = away
        await case.start()
        await case.until(lambda: bool(case.evaluations))
    crowd = storm(case, 5)
    case.on_evaluate = nothing
    async with upgraded(target, released):
        await case.until(lambda: set(case.state.asked()) == set(crowd))
        await case.until(lambda: case.state.opened)
        assert await case.runs() == 2
    assert set(case.state.participants) == {"rita"}
