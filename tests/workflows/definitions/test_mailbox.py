"""The ordered mailbox: each command once, however often and by how many it is asked, and over continue-as-new."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.support.workflows import Case, World, new_command
from workflows.domain.commands import AddNote, AssignCommander, ChangeStatus, Leave
from workflows.domain.decide import drafts
from workflows.domain.errors import Refused
from workflows.domain.events import Departure, Event, ParticipantLeft
from workflows.gateway import Broken

LIMIT = 90
"""History events at which these tests' workflows continue as new."""


def note(text: str, command_id: str | None = None) -> AddNote:
    return AddNote(command_id=command_id or new_command(), text=text)


def texts(case: Case) -> list[str]:
    return [event.body.text for event in case.events if event.body.kind == "note_added"]


async def rolled(case: Case, times: int) -> None:
    """Write notes until the workflow has continued as new that often."""
    while await case.runs() <= times:
        await case.give(note("on and on"))


@pytest.mark.feature("L1")
async def test_what_the_validator_refuses_leaves_no_history(world: World) -> None:
    case = await world.case().opened()
    await case.until(lambda: len(case.delivered) == 2)
    before, log = (await case.history_types()), list(case.events)
    for command, code in (
        (ChangeStatus(command_id=new_command(), to="reported"), "transition_not_allowed"),
        (ChangeStatus(command_id=new_command(), to="nowhere"), "unknown_status"),
        (ChangeStatus(command_id=new_command(), to="declined"), "reason_required"),
        (ChangeStatus(command_id=new_command(), to="merged"), "merge_target_required"),
        (AssignCommander(command_id=new_command(), individual="stranger"), "not_a_participant"),
        (Leave(command_id=new_command(), individual="rita", how=Departure.LEFT), "commander_cannot_leave"),
    ):
        with pytest.raises(Refused) as refused:
            await case.give(command)
        assert refused.value.code == code
        assert refused.value.message
    after = await case.history_types()
    # What was still on its way when the opening ended may have come in; no update did.
    assert not [kind for kind in after[len(before) :] if "UPDATE" in kind]
    assert case.events == log


async def test_the_same_command_twice_is_done_once_and_answered_twice(world: World) -> None:
    case = await world.case().opened()
    command = note("once")
    first = await case.give(command)
    await case.give(note("between"))
    assert await case.give(command) == first
    assert texts(case) == ["once", "between"]


async def test_the_same_command_after_continue_as_new_is_known(world: World) -> None:
    case = await world.case().opened(LIMIT)
    command = note("once")
    first = await case.give(command)
    await rolled(case, await case.runs() + 1)
    assert await case.give(command) == first
    assert texts(case).count("once") == 1


async def test_six_callers_with_duplicates_over_several_roll_overs(world: World) -> None:
    case = await world.case().opened(LIMIT)
    commands = [note(str(number)) for number in range(60)]

    async def caller(first: int) -> list[int]:
        return [(await case.give(commands[number])).seq for number in (*range(first, 60), *range(first))]

    answers = await asyncio.gather(*(caller(10 * number) for number in range(6)))
    assert Counter(texts(case)) == Counter(str(number) for number in range(60))
    assert len({frozenset(each) for each in answers}) == 1
    assert await case.runs() >= 4
    assert [event.seq for event in case.events] == list(range(1, len(case.events) + 1))


async def test_more_callers_than_temporal_takes_at_once(world: World) -> None:
    case = await world.case().opened()
    await asyncio.gather(*(case.give(note(str(number))) for number in range(25)))
    assert sorted(texts(case), key=int) == [str(number) for number in range(25)]


async def test_a_bug_in_a_handler_answers_and_the_incident_goes_on(world: World) -> None:
    case = await world.case().opened()
    state = case.state
    # An event that contradicts all before it: taking it in cannot work.
    absurd = ParticipantLeft(individual="nobody", how=Departure.LEFT)
    case.events.append(Event(seq=state.seq + 1, at=state.reported_at, command_id="absurd", actor=None, body=absurd))
    with pytest.raises(Broken, match="KeyError"):
        await case.give(note("meets the bug"))
    case.events.pop()
    await case.give(note("goes on"))
    assert texts(case) == ["goes on"]


async def test_a_log_that_refuses_for_good_answers_and_the_incident_goes_on(world: World) -> None:
    case = await world.case().opened()

    async def refuse(request: Any) -> None:
        if any(draft.body.kind == "note_added" and draft.body.text == "bad" for draft in request.drafts):
            raise ApplicationError("the log refused the events", type="AppendFailed", non_retryable=True)

    case.on_append = refuse
    with pytest.raises(Broken, match="the log refused"):
        await case.give(note("bad"))
    await case.give(note("good"))
    assert texts(case) == ["good"]


async def test_an_append_whose_answer_was_lost_is_not_made_again(world: World) -> None:
    case = await world.case().opened()
    lost = Counter[str]()

    async def lose_the_first_answer(request: Any) -> None:
        for draft in request.drafts:
            lost[draft.command_id] += 1
            if lost[draft.command_id] == 1:
                raise ConnectionError("died between writing and answering")

    case.after_append = lose_the_first_answer
    answer = await case.give(note("once"))
    assert texts(case) == ["once"]
    assert answer.seq == case.state.seq


@pytest.mark.feature("L11")
async def test_a_workflow_that_was_not_told_takes_in_the_log_before_it_decides(world: World) -> None:
    case = await world.case().opened()
    ahead = ParticipantLeft(individual="rita", how=Departure.REMOVED)
    case.events.append(Event(seq=case.state.seq + 1, at=case.state.reported_at, command_id="ahead", actor=None, body=ahead))
    with pytest.raises(Refused) as refused:
        # The workflow's own state still allows it, so the refusal comes from the handler, after it was behind.
        await case.give(Leave(command_id=new_command(), individual="nobody-yet", how=Departure.LEFT))
    assert refused.value.code == "not_a_participant"
    answer = await world.gateway.catch_up(case.incident)
    assert answer.seq == case.state.seq
    await case.give(note("after"))
    assert case.kinds[-2:] == ["participant_left", "note_added"]


async def test_a_command_the_log_has_already_is_answered_by_catching_up(world: World) -> None:
    case = await world.case().opened()
    command = note("written")
    case.append(case.state.seq, drafts(command, case.state))
    seq = case.state.seq
    answer = await case.give(command)
    assert answer.seq == seq
    assert texts(case) == ["written"]
