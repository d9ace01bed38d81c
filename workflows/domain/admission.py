"""Whether who gives a command may: the policy, asked with the incident as it is when the command comes to it (O4).

The desk asks before it passes a command on; the workflow asks again, since a person can be removed, or the incident
restricted, in between.
"""

from typing import Final

from workflows.domain import commands as ask
from workflows.domain.errors import Refused
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Action, Authority, IncidentObject, Subject, Tie, decide


def tie(state: IncidentState, individual: str) -> Tie:
    """What someone has to do with an incident. A reporter who left or was removed has nothing to do with it any more."""
    if state.present(individual):
        return Tie.COMMANDER if individual == state.commander else Tie.PARTICIPANT
    return Tie.REPORTER if individual == state.reporter and individual not in state.participants else Tie.NONE


def incident_object(state: IncidentState, individual: str, authority: Authority) -> IncidentObject:
    """The incident to the policy, for someone who comes with this authority."""
    return IncidentObject(
        visibility=state.visibility,
        mode=state.mode,
        tie=tie(state, individual),
        project_member=authority.project_member,
        self_join=authority.self_join,
    )


def admit(command: ask.Command, state: IncidentState) -> None:
    """Go on only if who asks may do this; what Muster itself does needs no permission.

    Raises:
        Refused: with the policy's code and reason.
    """
    if command.authority is None or command.actor is None:
        return
    target = incident_object(state, command.actor, command.authority)
    decision = decide(Subject(role=command.authority.role), action_of(command), target)
    if not decision.allowed:
        raise Refused(decision.code, decision.reason)


_ALWAYS: Final[dict[type[ask.Command], Action]] = {
    ask.ChangeStatus: Action.CHANGE_STATUS,
    ask.AssignCommander: Action.ASSIGN_COMMANDER,
    ask.Absorb: Action.ADD_PARTICIPANT,
    ask.AnswerEngagement: Action.ANSWER_ENGAGEMENT,
    ask.RetryResource: Action.RETRY,
    ask.AddNote: Action.POST,
}
"""Commands that are the same to the policy, whatever they hold."""


def action_of(command: ask.Command) -> Action:
    """What a command is to the policy.

    Raises:
        KeyError: only Muster itself gives such a command.
    """
    match command:
        case ask.Edit():
            return Action.EDIT if command.visibility is None else Action.CHANGE_VISIBILITY
        case ask.Add():
            # Who adds herself by hand joins: self-join switched off is off by every way.
            return Action.JOIN if command.match.individual == command.actor else Action.ADD_PARTICIPANT
        case ask.Leave():
            return Action.LEAVE if command.individual == command.actor else Action.REMOVE_PARTICIPANT
        case _:
            return _ALWAYS[type(command)]
