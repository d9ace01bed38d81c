"""Whoever is handed the command is told, unless they did it themselves or their welcome says it (E9)."""

from collections.abc import Sequence

import pytest

from tests.workflows.domain.incidents import Log, reported
from workflows.domain import commands as ask
from workflows.domain.attributes import Choice
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.events import BODY, CommanderChanged, Event

pytestmark = pytest.mark.feature("E9")

LEDGER = Choice(id="ledger", name="Ledger")
POLICY = Evidence(kind=EvidenceKind.ROLE, text="commander by the role policy “Payments”")
MIA = Match(individual="mia", evidence=(POLICY,), roles=(COMMANDER,))


def changes(events: Sequence[Event]) -> list[CommanderChanged]:
    return [event.body for event in events if isinstance(event.body, CommanderChanged)]


def opened(*present: str, roles: Roles | None = None, commander: str | None = None) -> Log:
    """An incident that these people joined before Muster opened it."""
    log = Log(reported(commander=commander))
    for person in present:
        log.give(ask.Add(command_id=f"add {person}", match=Match(individual=person, evidence=()), joined=True))
    log.give(ask.Open(command_id="open", roles=roles or Roles()))
    return log


@pytest.mark.parametrize("actor", ["rita", "carl", None])
def test_who_is_handed_the_command_by_somebody_else_is_told(actor: str | None) -> None:
    log = opened("mia", "carl")
    [event] = log.give(ask.AssignCommander(command_id="1", actor=actor, individual="mia", note="The disk is full."))
    assert [change.told for change in changes([event])] == [True]
    assert (log.state.commander, log.state.hand_over_seq) == ("mia", event.seq)


def test_nobody_is_told_of_what_they_did() -> None:
    log = opened("mia", "carl")
    log.give(ask.AssignCommander(command_id="1", actor="rita", individual="mia"))
    [event] = log.give(ask.AssignCommander(command_id="2", actor="carl", individual="carl"))
    assert [change.told for change in changes([event])] == [False]
    assert (log.state.commander, log.state.hand_over_seq) == ("carl", 0)
    [event] = log.give(ask.AssignCommander(command_id="3", actor="carl", individual="mia"))
    assert log.state.hand_over_seq == event.seq


@pytest.mark.parametrize("present", [(), ("mia",)])
@pytest.mark.parametrize(("roles", "named"), [(None, None), (Roles(commander=MIA), None), (None, "mia")])
def test_a_welcome_says_whom_the_report_made_the_commander(
    present: tuple[str, ...], roles: Roles | None, named: str | None
) -> None:
    log = opened(*present, roles=roles, commander=named)
    assert [change.told for change in changes(log.events)] == [False]
    assert log.state.hand_over_seq == 0


def test_who_is_handed_the_command_before_the_opening_is_told() -> None:
    log = Log()
    log.give(ask.Add(command_id="add", match=Match(individual="mia", evidence=())))
    log.give(ask.AssignCommander(command_id="1", actor="rita", individual="mia", note="I have to go."))
    log.give(ask.Open(command_id="open", roles=Roles(commander=Match(individual="carl", evidence=(POLICY,)))))
    assert (log.state.commander, log.state.hand_over_seq) == ("mia", 3)


@pytest.mark.feature("E10")
@pytest.mark.parametrize("was_in", [False, True])
@pytest.mark.parametrize("late", ["policies", "on call"])
def test_whom_a_policy_chooses_late_is_told_if_they_were_in(late: str, was_in: bool) -> None:
    present = ("mia",) if was_in else ()
    if late == "policies":
        log = Log()
        for person in present:
            log.give(ask.Add(command_id="add", match=Match(individual=person, evidence=())))
        log.give(ask.Open(command_id="open", roles=None))
        events = log.give(ask.AssignRoles(command_id="late", roles=Roles(commander=MIA)))
    else:
        waiting = Waiting(service=LEDGER, evidence=(POLICY,), role=COMMANDER)
        log = opened(*present, roles=Roles(waiting=(waiting,)))
        answer = ask.ResolveOnCall(command_id="late", service=LEDGER, role=COMMANDER, by_policy=True, matches=(MIA,))
        events = log.give(answer)
    [change] = changes(events)
    assert (change.before, change.after, change.note, change.told) == ("rita", "mia", POLICY.text, was_in)
    assert bool(log.state.hand_over_seq) == was_in


def test_of_a_hand_over_that_was_recorded_before_there_was_a_notice_nobody_is_told() -> None:
    body = BODY.validate_python({"kind": "commander_changed", "before": "rita", "after": "mia", "note": "Over to you."})
    assert isinstance(body, CommanderChanged)
    assert not body.told
