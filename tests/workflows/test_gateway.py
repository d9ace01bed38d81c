"""What each way of failing means to whoever gives a command: told apart, in time, and never a hang."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.kit.temporal import Target, connect, register_search_attributes
from services.kit.temporal_server import EmbeddedTemporal
from tests.conftest import new_namespace
from tests.support.workflows import World, new_command
from workflows.contracts.notify import NoticeInput, NoticeKind
from workflows.domain.commands import AddNote, ChangeStatus
from workflows.domain.errors import Refused
from workflows.gateway import IncidentGateway, NotRunning, Unanswered, Unavailable

BRIEF = 2.0
"""The gateway's patience where a test has to wait for its end."""


class Line:
    """A way to Temporal that can be cut: what comes then is refused or, when silent, never answered."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._target = (host, int(port))
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._silent = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._target)
        self._writers += [writer, up_writer]
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            self._tasks.add(asyncio.create_task(self._pass_on(source, sink)))

    def fall_silent(self) -> None:
        """Keep connections and take what is said, but pass nothing on."""
        self._silent.set()

    async def cut(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                if not self._silent.is_set():
                    sink.write(data)
        except OSError:
            return


@asynccontextmanager
async def line_to(target: Target) -> AsyncIterator[tuple[Line, asyncio.Server, Target]]:
    """A line to a Temporal, its listening end, and where that is."""
    assert target.address is not None
    line = Line(target.address)
    server = await asyncio.start_server(line, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield line, server, Target(f"127.0.0.1:{port}", target.namespace)
    finally:
        server.close()
        await line.cut()


def note(text: str = "note") -> AddNote:
    return AddNote(command_id=new_command(), text=text)


@pytest.mark.feature("L1")
async def test_an_unknown_incident_is_not_running(world: World) -> None:
    for asked in (world.gateway.command("nobody-knows", note()), world.gateway.catch_up("nobody-knows")):
        with pytest.raises(NotRunning):
            await asked


@pytest.mark.feature("L1")
async def test_a_refusal_keeps_its_code_and_words(world: World) -> None:
    case = await world.case().opened()
    with pytest.raises(Refused, match="already Investigating") as refused:
        await case.give(ChangeStatus(command_id=new_command(), to="investigating"))
    assert refused.value.code == "already_in_status"


@pytest.mark.feature("R4")
async def test_starting_twice_is_starting_once_and_an_ended_incident_stays_ended(world: World) -> None:
    case = await world.case().opened()
    first = (await case.handle.describe()).run_id
    await world.gateway.start(case.state)
    await case.give(ChangeStatus(command_id=new_command(), to="closed"))
    await case.ended()
    await world.gateway.start(case.state)
    assert (await case.handle.describe()).run_id == first


@pytest.mark.feature("R4")
async def test_an_open_incident_whose_workflow_was_terminated_starts_again(world: World) -> None:
    case = await world.case().opened()
    await case.handle.terminate("by mistake")
    with pytest.raises(NotRunning):
        await case.give(note())
    await world.gateway.start(case.state)
    await case.give(note("here again"))
    assert case.kinds[-1] == "note_added"
    assert case.kinds.count("participants_engaged") == 1


async def test_without_a_worker_there_is_no_answer_in_time(world: World, temporal: EmbeddedTemporal) -> None:
    client = await connect(await new_namespace(temporal), lazy=False)
    await register_search_attributes(client)
    gateway, case = IncidentGateway(client, BRIEF), world.case()
    await gateway.start(case.state)
    with pytest.raises(Unanswered):
        await gateway.command(case.incident, note())
    with pytest.raises(Unanswered):
        await gateway.catch_up(case.incident)
    with pytest.raises(Unanswered):
        await gateway.wake(case.state, note())


async def test_a_server_that_is_not_there_is_unavailable(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gateway, case = IncidentGateway(await connect(Target(f"127.0.0.1:{port}", "default")), BRIEF), world.case()
    notice = NoticeInput(organization="o", incident=case.incident, kind=NoticeKind.WELCOME, cause="engaged")
    for asked in (
        gateway.start(case.state),
        gateway.command(case.incident, note()),
        gateway.catch_up(case.incident),
        gateway.wake(case.state, note()),
        gateway.send(notice, "1"),
    ):
        with pytest.raises(Unavailable):
            await asked


async def test_a_server_that_goes_away_is_unavailable(world: World, namespace: Target) -> None:
    async with line_to(namespace) as (line, server, target):
        gateway = IncidentGateway(await connect(target, lazy=False), BRIEF)
        with pytest.raises(NotRunning):
            await gateway.command("nobody-knows", note())
        server.close()
        await line.cut()
        with pytest.raises(Unavailable):
            await gateway.command("nobody-knows", note())
        with pytest.raises(Unavailable):
            await gateway.wake(world.case().state, note())


async def test_a_server_that_says_nothing_more_does_not_hang_anyone(world: World, namespace: Target) -> None:
    async with line_to(namespace) as (line, _, target):
        gateway, case = IncidentGateway(await connect(target, lazy=False), BRIEF), world.case()
        line.fall_silent()
        for asked in (gateway.command(case.incident, note()), gateway.wake(case.state, note())):
            with pytest.raises((Unanswered, Unavailable)):
                await asked
        with pytest.raises(Unavailable):
            await gateway.start(case.state)
