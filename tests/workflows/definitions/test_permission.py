"""What changed between the desk and the workflow counts: the workflow refuses whom the policy no longer admits (O4)."""

import pytest

from tests.support.workflows import Case, World, new_command
from workflows.domain.admission import admit
from workflows.domain.commands import Add, AddNote, Command, Edit, Leave
from workflows.domain.engagement import Match
from workflows.domain.errors import Refused
from workflows.domain.events import Departure, Visibility
from workflows.domain.policy import Authority, Role

pytestmark = pytest.mark.feature("O4", "R7")

OUTSIDER = Authority(role=Role.MEMBER, project_member=False, self_join=True)


async def with_mia(world: World) -> Case:
    case = await world.case().opened()
    await case.give(Add(command_id=new_command(), match=Match(individual="mia", evidence=(), roles=("participant",))))
    # Whatever her coming brings about is over before anyone looks at the history.
    await case.until(lambda: sum(case.delivered[delivery] for delivery in case.ledger if delivery.startswith("mia")) == 2)
    return case


async def refused_without_a_trace(case: Case, command: Command) -> str:
    """The code of the refusal."""
    history, log = await case.history_types(), list(case.events)
    with pytest.raises(Refused) as refused:
        await case.give(command)
    assert refused.value.message.endswith(".")
    assert not [kind for kind in (await case.history_types())[len(history) :] if "UPDATE" in kind]
    assert case.events == log
    return refused.value.code


async def test_who_was_removed_after_the_desk_admitted_them_is_refused(world: World) -> None:
    case = await with_mia(world)
    note = AddNote(command_id=new_command(), actor="mia", authority=OUTSIDER, text="on my way")
    admit(note, case.state)
    await case.give(Leave(command_id=new_command(), individual="mia", how=Departure.REMOVED))
    assert await refused_without_a_trace(case, note) == "not_in_incident"
    await case.give(Edit(command_id=new_command(), visibility=Visibility.RESTRICTED))
    assert await refused_without_a_trace(case, note) == "not_found"
    join = Add(
        command_id=new_command(),
        actor="mia",
        authority=OUTSIDER,
        match=Match(individual="mia", evidence=(), roles=("participant",)),
        joined=True,
    )
    assert await refused_without_a_trace(case, join) == "not_found"


async def test_what_was_done_before_is_answered_even_to_who_was_removed_since(world: World) -> None:
    case = await with_mia(world)
    note = AddNote(command_id=new_command(), actor="mia", authority=OUTSIDER, text="said in time")
    first = await case.give(note)
    await case.give(Leave(command_id=new_command(), individual="mia", how=Departure.REMOVED))
    assert await case.give(note) == first
    assert case.kinds.count("note_added") == 1
