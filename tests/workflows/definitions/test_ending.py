"""Closing, reopening and merging, and what is under way meanwhile."""

import asyncio
from typing import Any

import pytest

from tests.support.workflows import Case, World, new_command
from workflows.contracts.engagement import EvaluationRequest
from workflows.domain.attributes import AttributeChanges
from workflows.domain.commands import Absorb, AddNote, ChangeStatus, Edit
from workflows.domain.decide import drafts
from workflows.domain.engagement import Evidence, EvidenceKind, Match
from workflows.domain.errors import Refused
from workflows.gateway import NotRunning


def move(to: str, **more: Any) -> ChangeStatus:
    return ChangeStatus(command_id=new_command(), to=to, **more)


async def closed(world: World, title: str = "Checkout is down") -> Case:
    case = await world.case(title).opened()
    await case.give(move("closed"))
    await case.ended()
    return case


@pytest.mark.feature("L1")
async def test_closing_ends_the_workflow_and_the_log_stays(world: World) -> None:
    case = await closed(world)
    assert case.state.over
    with pytest.raises(NotRunning):
        await case.give(AddNote(command_id=new_command(), text="too late"))


@pytest.mark.feature("L1", "E4")
async def test_what_closing_cut_off_is_made_up_for_on_reopening(world: World) -> None:
    case = await world.case().opened()
    case.engages("lena", "leak")
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang(_: EvaluationRequest) -> None:
        begun.set()
        await never.wait()

    case.on_evaluate = hang
    await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title="A leak")))
    await begun.wait()
    await case.give(move("closed"))
    await case.ended()
    never.set()
    assert "lena" not in case.state.participants

    command = move("active", reason="it came back")
    await world.gateway.wake(case.state, command)
    await case.until(lambda: case.state.present("lena"))
    await case.until(lambda: {"lena/email", "lena/chat"} <= set(case.delivered))
    assert case.state.status_id == "investigating"
    assert (case.state.ended_at, case.state.stable_at) == (None, None)
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("L1", "N6")
async def test_everyone_is_handed_over_again_on_reopening_though_the_last_wave_is_under_way(world: World) -> None:
    case = world.case("A leak")

    async def away(request: Any) -> None:
        if request.delivery == "lena/email":
            raise ConnectionError("the mail server is away")

    case.on_deliver = away
    await case.opened()
    case.engages("lena", "system")
    await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title="A leak of the system")))
    await case.until(lambda: "lena/chat" in case.delivered)
    await case.give(move("closed"))
    await case.ended()
    waves = len(case.notices)
    await world.gateway.wake(case.state, move("active"))
    # Planning is what makes up for a welcome that was folded while the incident was over.
    await case.until(lambda: len(case.notices) > waves)
    assert [set(notice.recipients) for notice in case.notices[waves:]] == [{"rita", "lena"}]


@pytest.mark.feature("L1")
async def test_reopening_twice_by_one_command_is_one(world: World) -> None:
    case = await closed(world)
    before, command = case.state, move("active")
    first, second = await asyncio.gather(world.gateway.wake(before, command), world.gateway.wake(before, command))
    assert first == second
    assert await case.give(command) == first
    assert case.kinds.count("status_changed") == 3


@pytest.mark.feature("L1")
async def test_reopened_while_it_closes_it_goes_on(world: World) -> None:
    case = await world.case().opened()
    holding, held = asyncio.Event(), asyncio.Event()

    async def hold_the_note(request: Any) -> None:
        if any(draft.body.kind == "note_added" for draft in request.drafts) and not holding.is_set():
            held.set()
            await holding.wait()

    case.on_append = hold_the_note
    note = asyncio.create_task(case.give(AddNote(command_id=new_command(), text="first in the queue")))
    await held.wait()
    close = asyncio.create_task(case.give(move("closed")))
    await asyncio.sleep(0.5)
    back = asyncio.create_task(case.give(move("fixing")))
    await asyncio.sleep(0.5)
    holding.set()
    await asyncio.gather(note, close, back)
    assert case.state.status_id == "fixing"
    await case.give(AddNote(command_id=new_command(), text="still in charge"))
    case.engages("lena", "leak")
    await case.give(Edit(command_id=new_command(), changes=AttributeChanges(title="A leak")))
    await case.until(lambda: case.state.present("lena"))


@pytest.mark.feature("L1")
async def test_closing_and_reopening_in_quick_succession_never_loses_the_incident(world: World) -> None:
    case = await world.case().opened()
    for turn in range(8):
        await case.give(move("closed"))
        await world.gateway.wake(case.state, move("active"))
        await case.give(AddNote(command_id=new_command(), text=f"turn {turn}"))
    assert case.kinds.count("note_added") == 8


@pytest.mark.feature("L11")
async def test_a_note_on_a_closed_incident_changes_nothing_else(world: World) -> None:
    case = await closed(world)
    await world.gateway.wake(case.state, AddNote(command_id=new_command(), text="afterthought"))
    assert case.kinds[-1] == "note_added"
    assert case.state.status_id == "closed"
    # A run that was woken waits a little; what comes meanwhile goes to it.
    await case.give(move("active"))
    await case.give(AddNote(command_id=new_command(), text="open again"))
    assert case.state.status_id == "investigating"


@pytest.mark.feature("L1")
async def test_waking_for_what_is_refused_changes_nothing(world: World) -> None:
    case = await closed(world)
    log = list(case.events)
    with pytest.raises(Refused) as refused:
        await world.gateway.wake(case.state, move("stable"))
    assert refused.value.code == "transition_not_allowed"
    assert case.events == log


async def test_a_close_the_workflow_was_not_told_of_is_found_by_catching_up(world: World) -> None:
    case = await world.case().opened()
    case.append(case.state.seq, drafts(move("closed"), case.state))
    await world.gateway.catch_up(case.incident)
    await case.ended()
    assert case.state.over


@pytest.mark.feature("L1")
async def test_a_merged_incident_hands_its_people_over_once(world: World) -> None:
    case = await world.case().opened()
    await case.give(move("merged", into="other"))
    await case.ended()
    assert [(merge.incident, merge.into) for merge in case.merges] == [(case.incident, "other")]
    await world.gateway.wake(case.state, AddNote(command_id=new_command(), text="see the other one"))
    with pytest.raises(Refused):
        await world.gateway.wake(case.state, move("active"))
    assert len(case.merges) == 1


@pytest.mark.feature("L1", "E5")
async def test_an_incident_takes_in_the_people_of_a_merged_one_and_welcomes_them(world: World) -> None:
    case = await world.case().opened()
    evidence = (Evidence(kind=EvidenceKind.MANUAL, text="in INC-3"),)
    people = tuple(Match(individual=name, evidence=evidence) for name in ("mia", "rita"))
    command = Absorb(command_id="absorb:other:9", incident="other", reference=3, matches=people)
    assert await case.give(command) == await case.give(command)
    assert case.kinds.count("absorbed") == 1
    assert case.state.present("mia")
    await case.until(lambda: case.delivered["mia/email"] == 1 and case.delivered["rita/email"] == 1)


@pytest.mark.feature("E4", "L1")
async def test_merging_into_an_incident_that_was_only_just_reported_does_not_skip_its_opening(world: World) -> None:
    case = world.case("A leak")
    case.engages("lena", "leak")
    command = Absorb(command_id="absorb:other:9", incident="other", reference=3, matches=())
    await world.gateway.wake(case.state, command)
    await case.until(lambda: case.state.opened)
    assert case.state.present("lena")
    await case.until(lambda: case.delivered["lena/email"] == 1 and case.delivered["rita/email"] == 1)
