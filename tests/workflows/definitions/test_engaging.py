"""Roles chosen at the opening, on-call services that are slow, and bursts of changes."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from tests.support.workflows import Case, World, new_command, nothing
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.commands import Add, AssignCommander, ChangeStatus, Edit
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.events import CommanderChanged, ParticipantsEngaged, RolesAssigned

LEDGER, WEB = Choice(id="ledger", name="Ledger"), Choice(id="web", name="Web")
POLICY = Evidence(kind=EvidenceKind.ROLE, text="role policy “Payments”")
RULE = Evidence(kind=EvidenceKind.RULE, text="when severity is High")


def who(individual: str, role: str = "responder") -> Match:
    return Match(individual=individual, evidence=(POLICY if role == COMMANDER else RULE,), roles=(role,))


def waiting(service: Choice, role: str = "responder") -> Waiting:
    return Waiting(service=service, evidence=(POLICY if role == COMMANDER else RULE,), role=role)


def retitle(title: str) -> Edit:
    return Edit(command_id=new_command(), changes=AttributeChanges(title=title))


async def away(_: Any) -> None:
    raise ConnectionError("the provider is away")


async def forever(_: Any) -> None:
    await asyncio.Event().wait()


def commanders(case: Case) -> list[tuple[str, str | None]]:
    """Who was made commander, and what was said with it."""
    return [(event.body.after, event.body.note) for event in case.events if isinstance(event.body, CommanderChanged)]


@pytest.mark.feature("E9")
async def test_a_role_policy_chooses_the_commander_at_the_opening(world: World) -> None:
    case = world.case()
    case.roles = Roles(commander=who("ana", COMMANDER), others=(who("ben", "scribe"),))
    await case.opened()
    assert commanders(case) == [("ana", POLICY.text)]
    assert {person: each.roles for person, each in case.state.participants.items()} == {"rita": (), "ana": (), "ben": ("scribe",)}
    await case.until(lambda: len(case.delivered) == 6)
    assert len(case.notices) == 1


@pytest.mark.feature("E9")
async def test_policies_that_do_not_answer_delay_only_the_hand_over(world: World) -> None:
    case = world.case()
    case.roles = Roles(commander=who("ana", COMMANDER))

    async def later(_: Any) -> None:
        if not case.state.opened:
            raise ConnectionError("engagement is away")

    case.on_roles = later
    await case.opened()
    await case.until(lambda: case.state.commander == "ana")
    assert commanders(case) == [("rita", None), ("ana", POLICY.text)]
    assert not case.state.roles_awaited


@pytest.mark.feature("E9", "E10")
async def test_a_commander_on_call_takes_over_from_the_reporter_as_soon_as_the_service_answers(world: World) -> None:
    case = world.case()
    case.roles, case.on_on_call = Roles(waiting=(waiting(LEDGER, COMMANDER),)), away
    await case.opened()
    assert (case.state.commander, case.state.stand_in) == ("rita", True)
    case.on_call, case.on_on_call = {"ledger:commander:policy": (who("ana", COMMANDER),)}, nothing
    await case.until(lambda: case.state.commander == "ana")
    assert not case.state.waiting


@pytest.mark.feature("E9", "E10")
async def test_a_stand_in_who_handed_over_is_not_replaced(world: World) -> None:
    case = world.case()
    case.roles, case.on_on_call = Roles(waiting=(waiting(LEDGER, COMMANDER),)), away
    await case.opened()
    await case.give(Add(command_id=new_command(), match=who("mia")))
    await case.give(AssignCommander(command_id=new_command(), individual="mia", note="over to you"))
    case.on_call, case.on_on_call = {"ledger:commander:policy": (who("ana", COMMANDER),)}, nothing
    await case.until(lambda: not case.state.waiting)
    assert commanders(case) == [("rita", None), ("mia", "over to you")]
    assert "ana" not in case.state.participants


@pytest.mark.feature("E10")
async def test_each_service_on_call_delays_only_its_own_people(world: World) -> None:
    case = world.case("A leak")
    case.engages("lena", "leak")
    case.waiting = [waiting(LEDGER), waiting(WEB)]
    case.on_call = {"web:responder:match": (who("will"),), "ledger:responder:match": (who("ana"), who("lena"))}
    ledger = asyncio.Event()

    async def slow_ledger(request: Any) -> None:
        if request.waiting.service == LEDGER:
            await ledger.wait()

    case.on_on_call = slow_ledger
    await case.opened()
    await case.until(lambda: case.state.present("will"))
    assert set(case.state.participants) == {"rita", "lena", "will"}
    assert [each.service for each in case.state.waiting] == [LEDGER]
    await case.until(lambda: len(case.delivered) == 6)
    ledger.set()
    await case.until(lambda: not case.state.waiting)
    await case.until(lambda: len(case.delivered) == 8)
    assert set(case.delivered.values()) == {1}
    assert case.kinds.count("on_call_awaited") == 1


@pytest.mark.feature("E10")
async def test_a_service_that_refuses_for_good_is_not_asked_again(world: World) -> None:
    case = world.case()
    case.waiting = [waiting(LEDGER)]

    async def gone(_: Any) -> None:
        raise ApplicationError("the service was deleted", type="NotThere", non_retryable=True)

    case.on_on_call = gone
    await case.opened()
    await case.until(lambda: "on_call_resolved" in case.kinds)
    resolved = next(event.body for event in case.events if event.body.kind == "on_call_resolved")
    assert (resolved.people, resolved.reason, case.asked_on_call["ledger:responder:match"]) == ((), "the service was deleted", 1)


@pytest.mark.feature("E10", "E9", "E6")
@pytest.mark.parametrize("first", ["policy", "match"])
async def test_a_policy_and_a_rule_that_wait_for_the_same_each_get_their_answer(world: World, first: str) -> None:
    case = world.case()
    by_policy = Waiting(service=LEDGER, evidence=(POLICY,), role="scribe")
    case.roles, case.waiting = Roles(waiting=(by_policy,)), [waiting(LEDGER, "scribe")]
    ana = who("ana", "scribe")
    case.on_call = {
        "ledger:scribe:policy": (ana.model_copy(update={"evidence": (POLICY,)}),),
        "ledger:scribe:match": (ana, who("ben", "scribe")),
    }
    answers = {"policy": asyncio.Event(), "match": asyncio.Event()}

    async def in_turn(request: Any) -> None:
        await answers["policy" if request.waiting.by_policy else "match"].wait()

    case.on_on_call = in_turn
    await case.opened()
    await case.until(lambda: len(case.state.waiting) == 2)
    for source in (first, *(answers.keys() - {first})):
        left = len(case.state.waiting) - 1
        answers[source].set()
        await case.until(lambda left=left: len(case.state.waiting) == left)  # type: ignore[misc]
    assert set(case.state.participants) == {"rita", "ana", "ben"}
    bodies = [event.body for event in case.events if isinstance(event.body, ParticipantsEngaged | RolesAssigned)]
    told = [piece for body in bodies for each in body.people if each.individual == "ana" for piece in each.evidence]
    assert sorted(piece.kind for piece in told) == ["role", "rule"]
    await case.until(lambda: len(case.delivered) == 6)
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("E10", "E9", "L1")
async def test_a_commander_on_call_is_asked_for_again_when_the_incident_is_reopened(world: World) -> None:
    case = world.case()
    case.roles, case.on_on_call = Roles(waiting=(waiting(LEDGER, COMMANDER),)), forever
    await case.opened()
    await case.until(lambda: case.asked_on_call["ledger:commander:policy"] == 1)
    await case.give(ChangeStatus(command_id=new_command(), to="closed"))
    await case.ended()
    assert (bool(case.state.waiting), case.state.asking) == (True, ())
    case.on_call, case.on_on_call = {"ledger:commander:policy": (who("ana", COMMANDER),)}, nothing
    await world.gateway.wake(case.state, ChangeStatus(command_id=new_command(), to="active"))
    await case.until(lambda: case.state.commander == "ana")


@pytest.mark.feature("E10", "L1")
async def test_an_incident_that_waits_can_be_closed_reopened_and_merged(world: World) -> None:
    case = world.case()
    case.waiting, case.on_on_call = [waiting(LEDGER)], forever
    await case.opened()
    await case.until(lambda: case.asked_on_call["ledger:responder:match"] == 1)
    await case.give(ChangeStatus(command_id=new_command(), to="closed"))
    await case.ended()
    case.on_call, case.on_on_call = {"ledger:responder:match": (who("ana"),)}, nothing
    await world.gateway.wake(case.state, ChangeStatus(command_id=new_command(), to="active"))
    await case.until(lambda: case.state.present("ana"))
    case.on_on_call = forever
    await case.give(retitle("Once more"))
    await case.until(lambda: bool(case.state.waiting))
    await case.give(ChangeStatus(command_id=new_command(), to="merged", into="other"))
    await case.ended()
    assert len(case.merges) == 1


@pytest.mark.feature("E10")
async def test_what_is_waited_for_survives_a_continue_as_new_and_the_loss_of_temporal(world: World) -> None:
    case = world.case()
    case.waiting, case.on_on_call = [waiting(LEDGER)], forever
    await case.opened(history_limit=60)
    number = 0
    while await case.runs() < 2:
        number += 1
        await case.give(retitle(f"Title {number}"))
    await case.handle.terminate()
    case.waiting = []
    case.on_call, case.on_on_call = {"ledger:responder:match": (who("ana"),)}, nothing
    await world.gateway.start(case.state)
    await case.until(lambda: case.state.present("ana"))
    assert case.kinds.count("on_call_awaited") == 1


@pytest.mark.feature("E4", "E5")
async def test_fifty_edits_in_a_second_lead_to_few_evaluations_and_everyone_is_in_once(world: World) -> None:
    case = world.case()
    for number in range(0, 50, 7):
        case.engages(f"p{number}", "page")
    await case.opened()
    loop = asyncio.get_running_loop()
    began, before = loop.time(), len(case.evaluations)
    for turn in range(5):
        await asyncio.gather(*(case.give(retitle(f"Page {turn} {number}")) for number in range(10)))
    took = loop.time() - began
    await case.until(lambda: case.evaluations[-1].attributes_seq == case.state.attributes_seq)
    await case.until(lambda: len(case.delivered) == 18)
    # At most one a second, and one for what came last.
    assert len(case.evaluations) - before <= took + 2
    assert case.kinds.count("participants_engaged") == 2
    assert set(case.delivered.values()) == {1}


@pytest.mark.feature("E4", "N1")
async def test_a_change_every_moment_keeps_nobody_from_being_welcomed(world: World) -> None:
    case = await world.case().opened()
    await case.give(Add(command_id=new_command(), match=who("mia")))
    for number in range(100):
        await case.give(retitle(f"Title {number}"))
        if case.delivered["mia/email"]:
            break
    assert case.delivered["mia/email"] == 1
