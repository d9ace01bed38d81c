"""Whom a word engages comes in pages; each is engaged before the next is asked for (E4)."""

from typing import Any

import pytest

from tests.support.workflows import World, new_command
from workflows.domain.commands import Edit
from workflows.domain.events import Visibility

pytestmark = pytest.mark.feature("E4")


async def test_every_page_is_engaged_before_the_opening_is_done(world: World) -> None:
    case = world.case("A leak")
    case.people_a_page = 2
    for person in ("p1", "p2", "p3", "p4", "p5"):
        case.engages(person, "leak")
    await case.opened()
    assert [(request.after, request.found) for request in case.evaluations] == [(None, 0), ("p2", 2), ("p4", 4)]
    assert {f"p{number}" for number in range(1, 6)} <= set(case.state.participants)
    assert case.kinds.index("opened") > max(number for number, kind in enumerate(case.kinds) if kind == "participants_engaged")


@pytest.mark.feature("R7")
async def test_who_was_found_before_it_was_restricted_is_looked_for_again(world: World) -> None:
    case = world.case("A leak")

    async def restrict(_: Any) -> None:
        if len(case.evaluations) == 1:
            await case.give(Edit(command_id=new_command(), visibility=Visibility.RESTRICTED))

    case.on_evaluate = restrict
    await case.opened()
    assert [request.visibility for request in case.evaluations] == [Visibility.PUBLIC, Visibility.RESTRICTED]
