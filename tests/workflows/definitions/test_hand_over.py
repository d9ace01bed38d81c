"""Whoever is handed the command is told, once for each hand-over (E9, N6)."""

from typing import Any

import pytest

from tests.support.workflows import Case, World, new_command, nothing
from workflows.contracts.notify import NoticeKind
from workflows.domain.commands import Add, AddNote, AssignCommander, ChangeStatus
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles

pytestmark = pytest.mark.feature("E9", "N6")


async def with_mia(world: World, history_limit: int = 2_000) -> Case:
    """An open incident that Rita commands, and that Mia is in."""
    case = await world.case().opened(history_limit)
    await case.give(Add(command_id=new_command(), match=Match(individual="mia", evidence=())))
    await case.until(lambda: len(case.delivered) == 4)
    return case


def hand_over(actor: str, individual: str) -> AssignCommander:
    return AssignCommander(command_id=new_command(), actor=actor, individual=individual, note="The disk is full.")


def move(to: str) -> ChangeStatus:
    return ChangeStatus(command_id=new_command(), to=to)


def told(case: Case) -> list[str]:
    """Who was told, by mail, in their order; each hand-over once."""
    assert set(case.hand_overs.values()) <= {1}
    return [delivery.split("/")[-2] for delivery in case.hand_overs if delivery.endswith("/email")]


async def test_each_hand_over_is_told_once_to_whoever_commands_now(world: World) -> None:
    case = await with_mia(world)
    assert told(case) == []
    over_to_mia = hand_over("rita", "mia")
    await case.give(over_to_mia)
    await case.give(over_to_mia)
    await case.until(lambda: len(case.hand_overs) == 2)
    await case.give(hand_over("rita", "mia"))
    # Who takes it by themselves is not told.
    await case.give(hand_over("rita", "rita"))
    await case.give(hand_over("rita", "mia"))
    await case.until(lambda: told(case) == ["mia", "mia"])
    await case.until(lambda: len(case.hand_overs) == 4)
    assert len(case.delivered) == 4


async def test_once_also_over_a_continue_as_new_and_the_loss_of_temporal(world: World) -> None:
    case = await with_mia(world, history_limit=90)
    await case.give(hand_over("rita", "mia"))
    await case.until(lambda: len(case.hand_overs) == 2)
    number = 0
    while await case.runs() < 2:
        number += 1
        await case.give(AddNote(command_id=new_command(), text=str(number)))
    assert len([notice for notice in case.notices if notice.kind is NoticeKind.HAND_OVER]) == 1
    await case.handle.terminate()
    await world.gateway.start(case.state)
    await case.until(lambda: len([notice for notice in case.notices if notice.kind is NoticeKind.HAND_OVER]) == 2)
    await case.give(hand_over("mia", "rita"))
    await case.until(lambda: len(case.hand_overs) == 4)
    assert told(case) == ["mia", "rita"]


async def test_it_is_told_after_all_when_the_incident_is_reopened(world: World) -> None:
    case = await with_mia(world)
    await case.give(hand_over("rita", "mia"))
    await case.until(lambda: len(case.hand_overs) == 2)
    await case.give(move("closed"))
    await case.ended()
    await world.gateway.wake(case.state, move("active"))
    # It is asked of the ledger again, which knows who had to be left out, and who was told.
    await case.until(lambda: len([notice for notice in case.notices if notice.kind is NoticeKind.HAND_OVER]) == 2)
    await case.give(hand_over("mia", "rita"))
    await case.until(lambda: len(case.hand_overs) == 4)
    assert told(case) == ["mia", "rita"]


@pytest.mark.parametrize("was_in", [False, True])
async def test_whom_the_policies_choose_late_is_told_or_welcomed(world: World, was_in: bool) -> None:
    case = world.case("A leak")
    evidence = (Evidence(kind=EvidenceKind.ROLE, text="commander by the role policy “Payments”"),)
    case.roles = Roles(commander=Match(individual="ana", evidence=evidence, roles=(COMMANDER,)))
    if was_in:
        case.engages("ana", "leak")

    async def away(_: Any) -> None:
        raise ConnectionError("engagement is away")

    case.on_roles = away
    await case.opened()
    await case.until(lambda: len(case.delivered) == (4 if was_in else 2))
    case.on_roles = nothing
    await case.until(lambda: case.state.commander == "ana" and len(case.delivered) == 4)
    await case.until(lambda: told(case) == (["ana"] if was_in else []))
