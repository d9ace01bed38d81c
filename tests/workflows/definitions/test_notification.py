"""One notice: a bounded window, deliveries that fail by themselves, and as many recipients as there are."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError

from tests.support.workflows import Case, World, new_command
from workflows.contracts import notify
from workflows.definitions.notification import BATCH, WINDOW
from workflows.domain.commands import ChangeStatus

pytestmark = pytest.mark.feature("N1")


async def send(case: Case, people: int) -> WorkflowHandle[Any, Any]:
    notice = notify.NoticeInput(
        organization=case.organization,
        incident=case.incident,
        kind=notify.NoticeKind.WELCOME,
        cause="engaged",
        recipients=tuple(f"p{number:03}" for number in range(people)),
    )
    await case.world.gateway.send(notice, "1")
    return case.world.client.get_workflow_handle(notify.workflow_id(notice, "1"))


async def test_no_more_than_a_window_at_once(world: World) -> None:
    case = world.case()
    under_way = most = 0

    async def count(_: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1

    case.on_deliver = count
    await (await send(case, 30)).result()
    assert len(case.delivered) == 60
    assert 1 < most <= WINDOW


@pytest.mark.feature("N7")
async def test_one_that_fails_for_good_does_not_stop_the_others(world: World) -> None:
    case = world.case()

    async def refuse_one(request: notify.DeliveryRequest) -> None:
        if request.delivery == "p001/email":
            raise ApplicationError("no such address", non_retryable=True)

    case.on_deliver = refuse_one
    await (await send(case, 3)).result()
    assert sorted(case.delivered) == ["p000/chat", "p000/email", "p001/chat", "p002/chat", "p002/email"]


@pytest.mark.feature("N7")
async def test_a_channel_that_is_away_does_not_hold_up_the_other(world: World) -> None:
    case = world.case()
    away = True

    async def no_mail(request: notify.DeliveryRequest) -> None:
        if away and request.delivery.endswith("/email"):
            raise ConnectionError("the mail server is away")

    case.on_deliver = no_mail
    handle = await send(case, WINDOW + 5)
    await case.until(lambda: len(case.delivered) == WINDOW + 5)
    assert all(delivery.endswith("/chat") for delivery in case.delivered)
    away = False
    await handle.result()
    assert len(case.delivered) == 2 * (WINDOW + 5)
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("N7")
async def test_those_behind_hopeless_ones_are_made(world: World) -> None:
    case = world.case()
    hopeless, away = {f"p{number:03}/email" for number in range(BATCH)}, True

    async def fail(request: notify.DeliveryRequest) -> None:
        all_by_chat = len(case.delivered) >= BATCH + 5
        if away and (request.delivery in hopeless or (request.delivery.endswith("/email") and not all_by_chat)):
            raise ApplicationError("away", next_retry_delay=timedelta(milliseconds=1))

    case.on_deliver = fail
    handle = await send(case, BATCH + 5)
    await case.until(lambda: len(case.delivered) == BATCH + 10)
    away = False
    await handle.result()
    assert set(case.delivered.values()) == {1}


async def test_a_crowd_continues_as_new_and_everyone_is_told_once(world: World) -> None:
    case = world.case()
    handle = await send(case, 205)
    first = (await handle.describe()).run_id
    await handle.result()
    assert (await handle.describe()).run_id != first
    assert len(case.notices) == 1
    assert len(case.delivered) == 410
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("L1", "N7")
async def test_a_welcome_outlives_its_incident(world: World) -> None:
    case = world.case()
    away = True

    async def wait_for_mail(_: Any) -> None:
        if away:
            raise ConnectionError("the mail server is away")

    case.on_deliver = wait_for_mail
    await case.opened()
    await case.until(lambda: bool(case.notices))
    await case.give(ChangeStatus(command_id=new_command(), to="closed"))
    await case.ended()
    wave = str(case.state.participants["rita"].engaged_seq)
    notice = world.client.get_workflow_handle(notify.workflow_id(case.notices[0], wave))
    assert (await notice.describe()).status is WorkflowExecutionStatus.RUNNING
    away = False
    await notice.result()
    assert sorted(case.delivered) == ["rita/chat", "rita/email"]


@pytest.mark.feature("N6")
async def test_a_letter_is_delivered_without_an_incident(world: World) -> None:
    case = world.case()
    letter = notify.NoticeInput(
        organization=case.organization,
        incident=None,
        kind=notify.NoticeKind.INVITATION,
        cause="an account",
        deliveries=("p001/email",),
    )
    await case.world.gateway.send(letter, "1")
    await case.world.client.get_workflow_handle(f"notice:{case.organization}:invitation:1").result()
    assert case.notices == []
    assert case.delivered == {"p001/email": 1}
