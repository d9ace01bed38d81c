"""A command is admitted by what its sender may do to the incident as it is when the command comes to it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.workflows.domain.incidents import Log, reported
from workflows.domain import commands as ask
from workflows.domain.admission import action_of, admit, tie
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.decide import drafts
from workflows.domain.engagement import Match, Roles
from workflows.domain.errors import Refused
from workflows.domain.events import Departure, Mode, Resource, ResourceKind, Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.policy import INCIDENT_RULES, Action, Authority, Role, Tie

pytestmark = pytest.mark.feature("O4", "R7", "E8")

MEMBER = Authority(role=Role.MEMBER, project_member=True, self_join=True)
OUTSIDER = MEMBER.model_copy(update={"project_member": False})
ADMIN = OUTSIDER.model_copy(update={"role": Role.ADMIN})
ALONE = {"command_id": "c"}


def match(individual: str) -> Match:
    return Match(individual=individual, evidence=(), roles=("participant",))


# By people: the command as mia gives it, and what that is to the policy.
BY_PEOPLE: list[tuple[ask.Command, Action]] = [
    (ask.Edit(changes=AttributeChanges(title="x"), **ALONE), Action.EDIT),
    (ask.Edit(visibility=Visibility.RESTRICTED, **ALONE), Action.CHANGE_VISIBILITY),
    (ask.Edit(changes=AttributeChanges(title="x"), visibility=Visibility.PUBLIC, **ALONE), Action.CHANGE_VISIBILITY),
    (ask.ChangeStatus(to="fixing", **ALONE), Action.CHANGE_STATUS),
    (ask.AssignCommander(individual="rita", **ALONE), Action.ASSIGN_COMMANDER),
    (ask.Add(match=match("ben"), **ALONE), Action.ADD_PARTICIPANT),
    (ask.Add(match=match("ben"), joined=True, **ALONE), Action.ADD_PARTICIPANT),
    (ask.Add(match=match("mia"), joined=True, **ALONE), Action.JOIN),
    (ask.Add(match=match("mia"), **ALONE), Action.JOIN),
    (ask.Leave(individual="mia", how=Departure.LEFT, **ALONE), Action.LEAVE),
    (ask.Leave(individual="mia", how=Departure.NOT_RELEVANT, **ALONE), Action.LEAVE),
    (ask.Leave(individual="rita", how=Departure.REMOVED, **ALONE), Action.REMOVE_PARTICIPANT),
    (ask.AnswerEngagement(bring_in="all", **ALONE), Action.ANSWER_ENGAGEMENT),
    (ask.RetryResource(kind=ResourceKind.CHANNEL, **ALONE), Action.RETRY),
    (ask.AddNote(text="x", **ALONE), Action.POST),
    (ask.Absorb(incident="i", reference=2, matches=(), **ALONE), Action.ADD_PARTICIPANT),
]
BY_PEOPLE = [(command.model_copy(update={"actor": "mia"}), action) for command, action in BY_PEOPLE]
BY_MUSTER: list[ask.Command] = [
    ask.Open(**ALONE),
    ask.AssignRoles(roles=Roles(), **ALONE),
    ask.Engage(matches=(match("ben"),), **ALONE),
    ask.Hold(matches=(match("ben"),), limit=0, until=datetime(2026, 1, 1, tzinfo=UTC), **ALONE),
    ask.BringIn(matches=(match("ben"),), **ALONE),
    ask.AwaitOnCall(waiting=(), **ALONE),
    ask.ResolveOnCall(service=Choice(id="s", name="Ledger"), role="responder", by_policy=False, **ALONE),
    ask.SetResource(resource=Resource(kind=ResourceKind.CHANNEL), **ALONE),
    ask.Complete(**ALONE),
]
BEGINS = {ask.Report}
"""Not given to an incident: it makes one."""


def opened(**more: Any) -> Log:
    """An incident that rita reported and commands."""
    log = Log(reported(**more))
    log.give(ask.Open(command_id="open"))
    return log


def bring(log: Log, individual: str) -> None:
    log.give(ask.Add(command_id=f"add-{log.state.seq}", match=match(individual)))


def verdict(command: ask.Command, state: IncidentState, authority: Authority) -> str:
    """The policy's code; nothing when it is admitted."""
    try:
        admit(command.model_copy(update={"authority": authority}), state)
    except Refused as refused:
        return refused.code
    return ""


def kinds_of(commands: list[ask.Command]) -> set[type[ask.Command]]:
    return {type(command) for command in commands}


def test_every_command_is_somebodys() -> None:
    people, muster = kinds_of([command for command, _ in BY_PEOPLE]), kinds_of(BY_MUSTER)
    assert not people & muster
    assert people | muster | BEGINS == set(ask.Command.__subclasses__())


@pytest.mark.parametrize(("command", "action"), BY_PEOPLE)
def test_what_a_command_is_to_the_policy(command: ask.Command, action: Action) -> None:
    assert action_of(command) is action
    assert action in INCIDENT_RULES


@pytest.mark.parametrize("command", BY_MUSTER, ids=lambda command: type(command).__name__)
def test_what_only_muster_gives_is_nothing_to_the_policy(command: ask.Command) -> None:
    with pytest.raises(KeyError):
        action_of(command)


@pytest.mark.parametrize("command", [*BY_MUSTER, *(command.model_copy(update={"actor": None}) for command, _ in BY_PEOPLE)])
def test_muster_needs_no_permission(command: ask.Command) -> None:
    admit(command, opened(visibility=Visibility.RESTRICTED).state)


@pytest.mark.parametrize(("command", "action"), BY_PEOPLE)
def test_each_command_by_who_gives_it(command: ask.Command, action: Action) -> None:
    public, restricted = opened(), opened(visibility=Visibility.RESTRICTED)
    practice = opened(mode=Mode.PRACTICE)
    free = action in {Action.JOIN, Action.LEAVE}
    commanders = "not_commander" if action is Action.ANSWER_ENGAGEMENT else ""
    shut = "" if free else commanders or "not_in_incident"
    tied_only = "not_in_incident" if action is Action.CHANGE_VISIBILITY else commanders
    assert verdict(command, public.state, OUTSIDER) == shut
    assert verdict(command, public.state, MEMBER) == tied_only
    assert verdict(command, practice.state, OUTSIDER) == tied_only
    assert verdict(command, restricted.state, OUTSIDER) == verdict(command, restricted.state, MEMBER) == "not_found"
    for log in (public, practice, restricted):
        assert verdict(command, log.state, ADMIN) == ""
        bring(log, "mia")
        assert verdict(command, log.state, OUTSIDER) == commanders
        log.give(ask.AssignCommander(command_id="commander", individual="mia"))
        assert verdict(command, log.state, OUTSIDER) == ""


@pytest.mark.parametrize(("command", "action"), BY_PEOPLE)
def test_who_was_removed_meanwhile_is_as_anyone_else(command: ask.Command, action: Action) -> None:
    commanders = "not_commander" if action is Action.ANSWER_ENGAGEMENT else ""
    for visibility, code in ((Visibility.PUBLIC, commanders or "not_in_incident"), (Visibility.RESTRICTED, "not_found")):
        log = opened(visibility=visibility)
        bring(log, "mia")
        assert verdict(command, log.state, OUTSIDER) == commanders
        log.give(ask.Leave(command_id="remove", individual="mia", how=Departure.REMOVED))
        free = visibility is Visibility.PUBLIC and action in {Action.JOIN, Action.LEAVE}
        assert verdict(command, log.state, OUTSIDER) == ("" if free else code)


@pytest.mark.parametrize(("command", "action"), BY_PEOPLE)
def test_an_incident_that_was_restricted_meanwhile_is_not_there(command: ask.Command, action: Action) -> None:
    log = opened()
    log.give(ask.Edit(command_id="restrict", visibility=Visibility.RESTRICTED))
    assert verdict(command, log.state, MEMBER) == "not_found"
    assert verdict(command, log.state, ADMIN) == ""


@pytest.mark.parametrize("authority", [MEMBER, OUTSIDER, ADMIN, ADMIN.model_copy(update={"role": Role.OWNER})])
def test_without_self_join_nobody_comes_in_by_herself_but_everyone_can_go(authority: Authority) -> None:
    log, closed = opened(), authority.model_copy(update={"self_join": False})
    joining = ask.Add(command_id="join", actor="mia", match=match("mia"), joined=True)
    by_hand = ask.Add(command_id="by-hand", actor="mia", match=match("mia"))
    assert verdict(joining, log.state, closed) == verdict(by_hand, log.state, closed) == "self_join_off"
    bring(log, "mia")
    assert verdict(joining, log.state, closed) == ""
    assert verdict(ask.Leave(command_id="leave", actor="mia", individual="mia", how=Departure.LEFT), log.state, closed) == ""


def test_what_ties_someone_to_an_incident() -> None:
    log = Log()
    assert [tie(log.state, who) for who in ("rita", "mia")] == [Tie.REPORTER, Tie.NONE]
    log.give(ask.Open(command_id="open"))
    assert tie(log.state, "rita") is Tie.COMMANDER
    bring(log, "mia")
    assert tie(log.state, "mia") is Tie.PARTICIPANT
    log.give(ask.AssignCommander(command_id="commander", individual="mia"))
    log.give(ask.Leave(command_id="leave", individual="rita", how=Departure.LEFT))
    # Who left has nothing to do with it any more, not even for having reported it.
    assert [tie(log.state, who) for who in ("rita", "mia")] == [Tie.NONE, Tie.COMMANDER]
    bring(log, "rita")
    assert tie(log.state, "rita") is Tie.PARTICIPANT


def test_nothing_is_drafted_for_who_may_not() -> None:
    log = opened()
    command = ask.AddNote(command_id="note", actor="mia", authority=OUTSIDER, text="x")
    with pytest.raises(Refused) as refused:
        drafts(command, log.state)
    assert refused.value.code == "not_in_incident"
    bring(log, "mia")
    assert [draft.actor for draft in drafts(command, log.state)] == ["mia"]
