"""From the report to an incident that is open: resources, engagement, welcome, and services that are away."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.support.workflows import World, new_command, nothing
from workflows.domain.attributes import AttributeChanges
from workflows.domain.commands import ChangeStatus, Edit, RetryResource
from workflows.domain.errors import Refused
from workflows.domain.events import ResourceKind, ResourceState


async def fails_for_good(_: Any) -> None:
    raise ApplicationError("the provider says no", type="No", non_retryable=True)


@pytest.mark.feature("R3", "E9", "N1", "L1")
async def test_a_report_opens_by_itself(world: World) -> None:
    case = world.case("Credential leak!", commander="carl")
    case.engages("lena", "leak")
    await case.opened()
    state = case.state
    assert (state.status_id, state.commander) == ("investigating", "carl")
    assert set(state.participants) == {"rita", "carl", "lena"}
    assert {resource.state for resource in state.resources.values()} == {ResourceState.READY}
    assert case.kinds[-1] == "opened"
    await case.until(lambda: len(case.delivered) == 6)
    assert set(case.delivered.values()) == {1}
    assert [set(notice.recipients) for notice in case.notices] == [{"rita", "carl", "lena"}]


@pytest.mark.feature("E9", "L1")
async def test_a_command_that_comes_before_the_opening_does_not_cost_the_commander(world: World) -> None:
    case = world.case()
    await case.start()
    answer = await case.give(ChangeStatus(command_id=new_command(), to="fixing"))
    await case.until(lambda: case.state.opened)
    assert case.state.commander == "rita"
    assert answer.seq <= case.state.seq
    assert case.state.status_id == "fixing"


@pytest.mark.feature("E4", "R3")
async def test_engagement_that_is_away_delays_only_itself(world: World) -> None:
    case = world.case("Leak")
    case.engages("lena", "leak")
    away = True

    async def down(_: Any) -> None:
        if away:
            raise ConnectionError("engagement is away")

    case.on_evaluate = down
    await case.opened()
    assert set(case.state.participants) == {"rita"}
    away = False
    await case.until(lambda: case.state.present("lena"))
    await case.until(lambda: len(case.delivered) == 4)
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("R3")
async def test_a_resource_that_fails_for_good_says_why_and_can_be_retried(world: World) -> None:
    case = world.case()

    async def only_the_call(request: Any) -> None:
        if request.kind is ResourceKind.CALL:
            await fails_for_good(request)

    case.on_resource = only_the_call
    await case.opened()
    await case.until(lambda: case.state.resources[ResourceKind.CALL].state is ResourceState.FAILED)
    assert case.state.resources[ResourceKind.CALL].reason == "the provider says no"
    assert case.state.resources[ResourceKind.CHANNEL].state is ResourceState.READY
    with pytest.raises(Refused) as refused:
        await case.give(RetryResource(command_id=new_command(), kind=ResourceKind.CHANNEL))
    assert refused.value.code == "resource_not_failed"

    case.on_resource = nothing
    await case.give(RetryResource(command_id=new_command(), kind=ResourceKind.CALL))
    await case.until(lambda: case.state.resources[ResourceKind.CALL].state is ResourceState.READY)
    assert case.state.resources[ResourceKind.CALL].reason is None


@pytest.mark.feature("E4", "E5")
async def test_edits_in_a_burst_lead_to_few_evaluations_and_the_last_counts(world: World) -> None:
    case = world.case()
    case.engages("sam", "edit 11")
    await case.opened()
    before, open_again = len(case.evaluations), asyncio.Event()

    async def slow(_: Any) -> None:
        await open_again.wait()

    case.on_evaluate = slow
    for number in range(12):
        await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title=f"Edit {number}")))
    open_again.set()
    await case.until(lambda: case.state.present("sam"))
    assert len(case.evaluations) <= before + 2
    assert case.evaluations[-1].attributes.title == "Edit 11"


@pytest.mark.feature("E5", "N1")
async def test_everyone_is_welcomed_once_over_several_waves(world: World) -> None:
    case = world.case()
    for number in range(4):
        case.engages(f"p{number}", f"word{number}")
    await case.opened()
    for number in range(4):
        await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title=f"word{number}")))
        await case.until(lambda: case.state.present(f"p{number}"))  # noqa: B023  (awaited within the turn)
    await case.until(lambda: len(case.delivered) == 10)
    assert set(case.delivered.values()) == {1}
    assert sum(len(notice.recipients) for notice in case.notices) == 5
