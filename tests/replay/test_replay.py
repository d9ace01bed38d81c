"""Every recorded history is replayed by the present workflows: a change that would strand a running incident fails here."""

from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from services.kit.temporal import RUNNER
from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import new_namespace
from tests.replay.record import FIRST_RELEASE, HISTORIES, STORIES, a_resource_failed
from tests.replay.reordered import ReorderedWorkflow
from tests.support.workflows import forgetful_world
from workflows.definitions.guard import GuardInterceptor
from workflows.definitions.incident import IncidentWorkflow
from workflows.definitions.notification import NotificationWorkflow
from workflows.gateway import UPDATES

CORPUS = sorted(HISTORIES.glob("*.json"))
RELEASED = sorted(FIRST_RELEASE.glob("*.json"))


def replayer(*workflows: type) -> Replayer:
    return Replayer(
        workflows=workflows,
        data_converter=pydantic_data_converter,
        interceptors=[TracingInterceptor(), GuardInterceptor()],
        workflow_runner=RUNNER,
    )


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


@pytest.mark.parametrize("path", [*CORPUS, *RELEASED], ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_what_was_recorded_replays(path: Path) -> None:
    await replayer(IncidentWorkflow, NotificationWorkflow).replay_workflow(history(path))


async def test_a_reordered_command_is_caught() -> None:
    with pytest.raises(NondeterminismError):
        await replayer(ReorderedWorkflow).replay_workflow(history(HISTORIES / "from_report_to_closed-1.json"))


def test_the_corpus_has_every_story_every_update_and_a_continue_as_new_of_each_workflow() -> None:
    assert {path.stem.rpartition("-")[0] for path in CORPUS} == {story.__name__ for story in STORIES}
    events = [event for path in CORPUS for event in history(path).events]
    accepted = [event.workflow_execution_update_accepted_event_attributes for event in events]
    assert {update.accepted_request.input.name for update in accepted} - {""} == {*UPDATES.values(), "catch_up"}
    rolled = [
        event.workflow_execution_continued_as_new_event_attributes.workflow_type.name
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
    ]
    assert set(rolled) == {"Incident", "Notification"}


async def test_a_story_with_no_workflow_kept_in_memory(temporal: EmbeddedTemporal) -> None:
    async with forgetful_world(await new_namespace(temporal)) as world:
        await a_resource_failed(world)
