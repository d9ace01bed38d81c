"""A worker that stops, or has no room, forgets a workflow wherever it is: nothing of it runs on, and nothing complains."""

import gc
from typing import Any

import pytest

from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import new_namespace
from tests.support.workflows import Case, forgetful_world, nothing, working_world
from workflows.domain.attributes import Choice
from workflows.domain.engagement import Match, Waiting

pytestmark = pytest.mark.feature("E10")


async def away(_: Any) -> None:
    raise ConnectionError("nobody answers")


def waits(case: Case) -> None:
    """The incident waits for an on-call service, for an evaluation, for an answer about a crowd, and for a resource."""
    case.waiting = [Waiting(service=Choice(id="web", name="Web"), evidence=())]
    case.on_call = {"web:responder:match": (Match(individual="ana", evidence=()),)}
    case.on_on_call = case.on_resource = away
    case.limit = 1
    for person in ("lena", "sam"):
        case.engages(person, "leak")


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    gc.collect()
    return [
        record.getMessage()
        for record in caplog.records
        if any(word in record.getMessage() for word in ("never", "Eviction", "evict", "ignored", "deadlock"))
    ]


async def test_a_worker_stops_while_an_on_call_service_is_asked(
    temporal: EmbeddedTemporal, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    target = await new_namespace(temporal)
    async with working_world(target) as world:
        case = world.case("Leak")
        waits(case)
        await case.start()
        await case.until(lambda: case.asked_on_call["web:responder:match"] > 0 and len(case.state.asked()) == 2)
    assert (complaints(caplog), [str(each.message) for each in recwarn]) == ([], [])
    case.on_on_call = case.on_resource = nothing
    async with working_world(target) as again:
        again.cases[case.organization] = case
        await case.until(lambda: case.state.present("ana") and not case.state.waiting)
    assert (complaints(caplog), [str(each.message) for each in recwarn]) == ([], [])


async def test_a_worker_forgets_while_an_on_call_service_is_asked(
    temporal: EmbeddedTemporal, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    async with forgetful_world(await new_namespace(temporal)) as world:
        case = world.case("Leak")
        waits(case)
        await case.start()
        await case.until(lambda: case.asked_on_call["web:responder:match"] > 1 and len(case.state.asked()) == 2)
        case.on_on_call = case.on_resource = nothing
        await case.until(lambda: case.state.present("ana") and not case.state.waiting)
    assert (complaints(caplog), [str(each.message) for each in recwarn]) == ([], [])
