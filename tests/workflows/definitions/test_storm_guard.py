"""A crowd is held until the commander answers; once, with all names (E7)."""

from typing import Any

import pytest

from tests.support.workflows import QUESTION, Case, World, new_command, nothing
from workflows.contracts.notify import NoticeKind
from workflows.domain.attributes import AttributeChanges
from workflows.domain.commands import Add, AddNote, AnswerEngagement, AssignCommander, ChangeStatus, Edit, Leave
from workflows.domain.engagement import Match
from workflows.domain.errors import Refused
from workflows.domain.events import Departure, Visibility
from workflows.domain.policy import Authority, Role
from workflows.domain.room import MAX_PEOPLE

pytestmark = pytest.mark.feature("E7")

CROWD = [f"p{number}" for number in range(7)]
MEMBER = Authority(role=Role.MEMBER, project_member=True, self_join=True)


def storm(world: World, title: str = "A leak") -> Case:
    """Seven people match “leak”, and three may come in without asking."""
    case = world.case(title)
    case.limit, case.people_a_page = 3, 2
    for person in CROWD:
        case.engages(person, "leak")
    return case


async def held(world: World) -> Case:
    case = storm(world)
    await case.opened()
    await case.until(lambda: len(case.state.asked()) == len(CROWD))
    await case.until(lambda: len(case.delivered) == 2)
    return case


def answer(bring_in: Any, actor: str = "rita", **more: Any) -> AnswerEngagement:
    return AnswerEngagement(command_id=new_command(), actor=actor, bring_in=bring_in, **more)


def retitle(title: str) -> Edit:
    return Edit(command_id=new_command(), changes=AttributeChanges(title=title))


def move(to: str, **more: Any) -> ChangeStatus:
    return ChangeStatus(command_id=new_command(), to=to, **more)


def inside(case: Case) -> list[str]:
    return [person for person in case.state.participants if case.state.present(person)]


async def test_a_crowd_is_held_and_everything_else_goes_on(world: World) -> None:
    case = await held(world)
    assert inside(case) == ["rita"]
    assert case.state.opened
    assert set(case.delivered) == {"rita/email", "rita/chat"}
    await case.give(answer("all"))
    await case.until(lambda: len(case.delivered) == 16)
    assert set(inside(case)) == {"rita", *CROWD}
    assert set(case.delivered.values()) == {1}
    assert case.kinds.count("engagement_answered") == 1
    evidence = {
        person.evidence for event in case.events if event.body.kind == "participants_engaged" for person in event.body.people
    }
    assert any(piece.text == "leak" for pieces in evidence for piece in pieces)


def asked(case: Case) -> list[str]:
    """Who was asked, by mail, in their order; each by one notice, once."""
    assert set(case.questions.values()) <= {1}
    return [delivery.split("/")[-2] for delivery in case.questions if delivery.endswith("/email")]


async def test_the_commander_is_asked_once_when_all_names_are_known(world: World) -> None:
    case = storm(world)
    known: list[int] = []

    async def note(request: Any) -> None:
        if request.delivery.startswith(QUESTION):
            known.append(len(case.state.asked()))

    case.on_deliver = note
    await case.opened()
    await case.until(lambda: asked(case) == ["rita"])
    assert set(known) == {len(CROWD)}
    case.engages("mia", "system")
    await case.give(retitle("A leak of the system"))
    await case.until(lambda: "mia" in case.state.held and case.evaluations[-1].attributes_seq == case.state.attributes_seq)
    await case.give(Add(command_id=new_command(), match=Match(individual="noa", evidence=())))
    await case.give(AssignCommander(command_id=new_command(), individual="noa"))
    await case.until(lambda: asked(case) == ["rita", "noa"])
    await case.give(AssignCommander(command_id=new_command(), individual="rita"))
    await case.give(answer("none"))
    await case.give(move("closed"))
    await case.ended()
    await world.gateway.wake(case.state, move("active"))
    case.engages("ana", "again")
    for person in CROWD:
        case.engages(f"{person}b", "again")
    await case.give(retitle("A leak again"))
    # Another crowd is another question.
    await case.until(lambda: asked(case) == ["rita", "noa", "rita"])


async def test_the_question_waits_for_all_names_also_when_the_run_before_was_stopped_between_two_pages(world: World) -> None:
    case = storm(world)
    known: list[int] = []

    async def one_page_only(request: Any) -> None:
        if request.after is not None:
            raise ConnectionError("engagement is away")

    async def note(request: Any) -> None:
        if request.delivery.startswith(QUESTION):
            known.append(len(case.state.asked()))

    case.on_evaluate, case.on_deliver = one_page_only, note
    await case.start()
    await case.until(lambda: len(case.state.asked()) == case.people_a_page)
    await case.handle.terminate()
    assert not case.questions
    case.on_evaluate = nothing
    await world.gateway.start(case.state)
    await case.until(lambda: asked(case) == ["rita"])
    assert set(known) == {len(CROWD)}


async def test_a_crowd_that_there_is_no_room_for_ends_nothing(world: World) -> None:
    case = world.case("A leak")
    case.people_a_page = 1_000
    for number in range(MAX_PEOPLE + 300):
        case.engages(f"{number:036}", "leak")
    await case.start(history_limit=70)
    await case.until(lambda: case.kinds.count("no_room") == 2 and "opened" in case.kinds)
    assert len(case.state.asked()) == MAX_PEOPLE - 1
    while await case.runs() < 2:
        await case.give(AddNote(command_id=new_command(), text="go on"))
    await case.give(answer("none"))
    assert inside(case) == ["rita"]
    with pytest.raises(Refused) as refused:
        await case.give(Add(command_id=new_command(), match=Match(individual="mia", evidence=())))
    assert refused.value.code == "incident_full"


async def test_as_many_as_the_limit_come_in_unasked(world: World) -> None:
    case = storm(world)
    case.limit = len(CROWD)
    await case.opened()
    assert set(inside(case)) == {"rita", *CROWD}
    assert "engagement_held" not in case.kinds


async def test_only_the_chosen_come_in_and_the_others_are_not_asked_about_again(world: World) -> None:
    case = await held(world)
    await case.give(answer(("p1", "p4"), expected_seq=max(case.state.asked().values())))
    await case.until(lambda: set(inside(case)) == {"rita", "p1", "p4"})
    log = case.kinds.count("engagement_held")
    case.engages("mia", "leak")
    await case.give(retitle("A leak again"))
    await case.until(lambda: case.state.present("mia"))
    assert set(inside(case)) == {"rita", "p1", "p4", "mia"}
    assert case.kinds.count("engagement_held") == log


async def test_what_is_found_meanwhile_joins_the_question(world: World) -> None:
    case = await held(world)
    until = case.state.held_until
    case.engages("mia", "system")
    await case.give(retitle("A leak of the system"))
    await case.until(lambda: "mia" in case.state.held)
    assert (list(case.state.asked()), case.state.held_until) == ([*CROWD, "mia"], until)
    await case.give(answer("none"))
    await case.give(retitle("A leak of the whole system"))
    await case.until(lambda: case.evaluations[-1].attributes_seq == case.state.attributes_seq)
    assert inside(case) == ["rita"]


async def test_who_joined_and_left_meanwhile_is_not_brought_in(world: World) -> None:
    case = await held(world)
    joining = Match(individual="p2", evidence=())
    await case.give(Add(command_id=new_command(), actor="p2", match=joining, joined=True))
    await case.give(Leave(command_id=new_command(), actor="p2", individual="p2", how=Departure.LEFT))
    await case.give(answer("all"))
    await case.until(lambda: len(inside(case)) == len(CROWD))
    assert "p2" not in inside(case)


async def test_only_the_commander_and_administrators_answer_and_only_once(world: World) -> None:
    case = await held(world)
    await case.give(Add(command_id=new_command(), match=Match(individual="mia", evidence=())))
    with pytest.raises(Refused) as refused:
        await case.give(answer("all", actor="mia", authority=MEMBER))
    assert refused.value.code == "not_commander"
    command = answer("none", actor="mia", authority=MEMBER.model_copy(update={"role": Role.ADMIN}))
    assert await case.give(command) == await case.give(command)
    with pytest.raises(Refused) as again:
        await case.give(answer("all", actor="rita", authority=MEMBER))
    assert again.value.code == "engagement_not_held"


@pytest.mark.feature("R7")
async def test_restricting_the_incident_looks_for_those_who_may_know_of_it(world: World) -> None:
    case = await held(world)
    case.terms = case.terms[:2]
    await case.give(Edit(command_id=new_command(), visibility=Visibility.RESTRICTED))
    await case.until(lambda: set(inside(case)) == {"rita", "p0", "p1"})
    assert (case.state.held, case.state.held_until) == ({}, None)


@pytest.mark.feature("L1")
async def test_a_question_ends_with_the_incident_and_is_asked_anew_on_reopening(world: World) -> None:
    case = await held(world)
    await case.give(move("closed"))
    await case.ended()
    assert case.state.held_until is None
    await world.gateway.wake(case.state, move("active"))
    await case.until(lambda: len(case.state.asked()) == len(CROWD))
    await case.give(answer("all"))
    await case.until(lambda: len(inside(case)) == len(CROWD) + 1)
    await case.give(move("merged", into="other"))
    await case.ended()


async def test_the_answer_is_carried_out_after_a_closing(world: World) -> None:
    case = await held(world)
    away = True

    async def no_log(_: Any) -> None:
        if away:
            raise ConnectionError("engagement is away")

    case.on_recall = no_log
    await case.give(answer(("p3",)))
    await case.give(move("closed"))
    await case.ended()
    assert inside(case) == ["rita"]
    case.on_recall = nothing
    await world.gateway.wake(case.state, move("active"))
    await case.until(lambda: set(inside(case)) == {"rita", "p3"})
    assert not case.state.asked()


async def test_a_question_survives_a_continue_as_new_and_the_loss_of_temporal(world: World) -> None:
    case = storm(world)
    await case.opened(history_limit=60)
    await case.until(lambda: len(case.state.asked()) == len(CROWD))
    until, number = case.state.held_until, 0
    while await case.runs() < 2:
        number += 1
        await case.give(retitle(f"A leak {number}"))
    notices = [notice for notice in case.notices if notice.kind is NoticeKind.QUESTION]
    assert len(notices) == 1
    await case.handle.terminate()
    await world.gateway.start(case.state)
    await case.give(retitle("A leak at last"))
    await case.until(lambda: case.evaluations[-1].attributes_seq == case.state.attributes_seq)
    assert (len(case.state.asked()), case.state.held_until) == (len(CROWD), until)
    await case.until(lambda: asked(case) == ["rita"])
    await case.give(answer("all"))
    await case.until(lambda: len(inside(case)) == len(CROWD) + 1)
