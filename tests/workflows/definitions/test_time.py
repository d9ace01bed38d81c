"""What takes minutes or days, on a server whose clock can be moved."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError

from services.kit.temporal import Target
from tests.conftest import DATA
from tests.support.time_skipping_server import NoTimeSkippingServer, TimeSkippingServer, time_skipping_server
from tests.support.workflows import PATIENCE, World, new_command, working_world
from workflows.contracts.notify import workflow_id
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.commands import AddNote, ChangeStatus, Edit
from workflows.domain.engagement import Evidence, EvidenceKind, Match, Waiting
from workflows.domain.events import EngagementAnswered, HeldAnswer, ResourceKind, ResourceState


class Clock:
    """Moves the server's clock, until something has come about."""

    def __init__(self, server: TimeSkippingServer) -> None:
        self._environment = server.environment

    async def pass_until(self, condition: Callable[[], bool], step: timedelta, limit: timedelta) -> None:
        """Let time pass by steps."""
        passed = timedelta(0)
        while not condition():
            assert passed < limit, "it never came about"
            await self.let_pass(step)
            passed += step

    async def let_pass(self, time: timedelta) -> None:
        """Move the clock, once what is under way is done: a task would seem to have taken all that time."""
        await asyncio.sleep(0.5)
        await self._environment.sleep(time)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[TimeSkippingServer]:
    async with time_skipping_server(DATA, data_converter=pydantic_data_converter) as made:
        if isinstance(made, NoTimeSkippingServer):
            pytest.skip(made.reason)
        yield made


@pytest.fixture(scope="module")
async def slow_world(server: TimeSkippingServer) -> AsyncIterator[World]:
    async with working_world(Target(server.address, "default")) as world:
        yield world


@pytest.fixture
def clock(server: TimeSkippingServer) -> Clock:
    return Clock(server)


@pytest.mark.feature("R3")
async def test_a_resource_is_tried_for_two_minutes_and_nobody_waits_for_it_that_long(slow_world: World, clock: Clock) -> None:
    case = slow_world.case()

    async def away(request: Any) -> None:
        if request.kind is ResourceKind.CALL:
            raise ConnectionError("the provider is away")

    case.on_resource = away
    await case.start()
    await clock.pass_until(lambda: len(case.delivered) == 2, timedelta(seconds=2), timedelta(minutes=1))
    call = case.state.resources[ResourceKind.CALL]
    assert (call.state, call.reason, case.state.opened) == (ResourceState.PENDING, "the provider is away", False)
    # A busy machine may have let nearly a minute pass for the welcomes already.
    await clock.let_pass(timedelta(seconds=45))
    assert not case.state.opened
    await clock.pass_until(lambda: case.state.opened, timedelta(seconds=5), timedelta(minutes=5))
    call = case.state.resources[ResourceKind.CALL]
    assert (call.state, call.reason) == (ResourceState.FAILED, "the provider is away")


@pytest.mark.feature("N7")
async def test_mail_that_was_away_for_a_day_is_delivered_when_it_is_back(slow_world: World, clock: Clock) -> None:
    case = slow_world.case()
    away = True

    async def no_mail(request: Any) -> None:
        if away and request.delivery.endswith("/email"):
            raise ConnectionError("the mail server is away")

    case.on_deliver = no_mail
    await case.start()
    await clock.pass_until(lambda: case.state.opened, timedelta(seconds=2), timedelta(minutes=1))
    await clock.pass_until(lambda: "rita/chat" in case.delivered, timedelta(seconds=2), timedelta(minutes=1))
    await clock.let_pass(timedelta(days=1))
    assert set(case.delivered) == {"rita/chat"}
    away = False
    await clock.pass_until(lambda: "rita/email" in case.delivered, timedelta(minutes=1), timedelta(minutes=10))
    handle = slow_world.client.get_workflow_handle(workflow_id(case.notices[0], str(case.state.participants["rita"].engaged_seq)))
    async with asyncio.timeout(PATIENCE):
        await handle.result()
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("L1")
async def test_a_run_that_nobody_reopens_ends_by_itself(slow_world: World, clock: Clock) -> None:
    case = slow_world.case()
    await case.start()
    await clock.pass_until(lambda: case.state.opened, timedelta(seconds=2), timedelta(minutes=1))
    await case.give(ChangeStatus(command_id=new_command(), to="closed"))
    await case.ended()
    await slow_world.gateway.wake(case.state, AddNote(command_id=new_command(), text="afterthought"))
    assert (await case.handle.describe()).status is WorkflowExecutionStatus.RUNNING
    await clock.let_pass(timedelta(seconds=90))
    await case.ended()
    assert case.kinds[-1] == "note_added"


@pytest.mark.feature("E4")
async def test_an_effect_that_failed_for_good_is_tried_again_after_a_minute(slow_world: World, clock: Clock) -> None:
    case = slow_world.case("Leak")
    case.engages("lena", "leak")
    broken = True

    async def refuse(_: Any) -> None:
        if broken:
            raise ApplicationError("no such table", non_retryable=True)

    case.on_evaluate = refuse
    await case.start()
    await clock.pass_until(lambda: case.state.opened, timedelta(seconds=2), timedelta(minutes=1))
    tries = len(case.evaluations)
    broken = False
    await clock.pass_until(lambda: case.state.present("lena"), timedelta(seconds=20), timedelta(minutes=5))
    assert len(case.evaluations) == tries + 1


@pytest.mark.feature("E7")
async def test_after_ten_minutes_without_an_answer_everyone_comes_in(slow_world: World, clock: Clock) -> None:
    case = slow_world.case("Leak")
    case.limit = 2
    for number in range(5):
        case.engages(f"p{number}", "leak")
    await case.start()
    await clock.pass_until(lambda: case.state.opened and bool(case.state.held), timedelta(seconds=2), timedelta(minutes=1))
    await clock.let_pass(timedelta(minutes=5))
    # A change in between neither asks again nor moves the deadline.
    case.engages("late", "outage")
    await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title="Leak and outage")))
    await clock.pass_until(lambda: "late" in case.state.held, timedelta(seconds=2), timedelta(minutes=1))
    assert case.kinds.count("participants_engaged") == 1
    await clock.pass_until(lambda: case.state.present("late"), timedelta(seconds=30), timedelta(minutes=6))
    answered = next(event for event in case.events if event.body.kind == "engagement_answered")
    assert isinstance(answered.body, EngagementAnswered)
    assert (answered.actor, answered.body.how, len(answered.body.people)) == (None, HeldAnswer.NO_ANSWER, 6)


@pytest.mark.feature("E10")
async def test_a_service_that_is_away_for_a_day_is_asked_until_it_is_back(slow_world: World, clock: Clock) -> None:
    case = slow_world.case()
    service = Choice(id="ledger", name="Ledger")
    case.waiting = [Waiting(service=service, evidence=(Evidence(kind=EvidenceKind.RULE, text="when severity is High"),))]
    away = True

    async def no_provider(_: Any) -> None:
        if away:
            raise ConnectionError("the provider is away")

    case.on_on_call = no_provider
    await case.start()
    await clock.pass_until(lambda: case.state.opened, timedelta(seconds=2), timedelta(minutes=1))
    await clock.let_pass(timedelta(days=1))
    away = False
    case.on_call = {"ledger:responder:match": (Match(individual="ana", evidence=()),)}
    await clock.pass_until(lambda: case.state.present("ana"), timedelta(minutes=1), timedelta(minutes=10))
    assert not case.state.waiting
