"""The yardsticks: workflows with as many activities as Muster's, in the same order, that do nothing."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows.domain.model import Value

INCIDENTS: Final = "bare-incidents"
EFFECTS: Final = "bare-effects"
NOTICES: Final = "bare-notices"
"""Three task queues, as Muster has: one for each of its workers."""
PATIENCE: Final = timedelta(seconds=20)


class Shape(Value):
    """What one incident takes, counted in its history: activities of its workflow, and of each of its children."""

    local: int
    remote: int
    children: tuple[int, ...]


class Notice(Value):
    """How many activities a child has."""

    remote: int


class Nothing(Value):
    """What a bare activity is given."""

    number: int


@activity.defn(name="bare.do_nothing")
async def do_nothing(given: Nothing) -> Nothing:
    return given


async def _locally(number: int) -> None:
    await workflow.execute_local_activity(do_nothing, Nothing(number=number), start_to_close_timeout=PATIENCE)


async def _remotely(number: int, queue: str) -> None:
    await workflow.execute_activity(do_nothing, Nothing(number=number), task_queue=queue, start_to_close_timeout=PATIENCE)


@workflow.defn(name="BareIncident")
class BareIncident:
    """As Muster's: one local activity to open, all remote ones at once with a local one after each, the children, the rest."""

    @workflow.run
    async def run(self, shape: Shape) -> None:
        paired = min(shape.remote, max(shape.local - 1, 0))
        if shape.local:
            await _locally(0)
        await asyncio.gather(*(self._effect(number, number < paired) for number in range(shape.remote)))
        children = [
            await workflow.start_child_workflow(
                BareNotice.run, Notice(remote=remote), id=f"{workflow.info().workflow_id}:{number}", task_queue=NOTICES
            )
            for number, remote in enumerate(shape.children)
        ]
        for number in range(shape.local - 1 - paired):
            await _locally(number)
        await asyncio.gather(*children)

    async def _effect(self, number: int, recorded: bool) -> None:
        await _remotely(number, EFFECTS)
        if recorded:
            await _locally(number)


@workflow.defn(name="BareNotice")
class BareNotice:
    """As Muster's: one activity to plan, then all others at once."""

    @workflow.run
    async def run(self, notice: Notice) -> None:
        await _remotely(0, NOTICES)
        await asyncio.gather(*(_remotely(number, NOTICES) for number in range(1, notice.remote)))


@workflow.defn(name="BareMailbox")
class BareMailbox:
    """Takes updates for ever, one local activity each."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update(name="do_nothing")
    async def update(self, given: Nothing) -> Nothing:
        await _locally(given.number)
        return given


WORKERS: Final[tuple[tuple[str, list[type], list[Callable[..., Any]]], ...]] = (
    (INCIDENTS, [BareIncident, BareMailbox], [do_nothing]),
    (EFFECTS, [], [do_nothing]),
    (NOTICES, [BareNotice], [do_nothing]),
)
"""Task queue, workflows and activities of each worker."""
