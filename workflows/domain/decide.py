"""What a command leads to in a given state: events, nothing (when it is already so), or a refusal."""

from functools import singledispatch

from workflows.domain import commands as ask
from workflows.domain import events as did
from workflows.domain.admission import admit
from workflows.domain.attributes import AttributeChanges
from workflows.domain.engagement import Evidence, EvidenceKind, Match
from workflows.domain.errors import Refused
from workflows.domain.incident import IncidentState
from workflows.domain.lifecycle import Category, check_transition


@singledispatch
def decide(command: ask.Command, state: IncidentState) -> list[did.Body]:
    """The events a command leads to; an empty list when things are already so.

    Raises:
        Refused: the state does not allow it; nothing changes.
    """
    raise NotImplementedError(type(command).__name__)


def drafts(command: ask.Command, state: IncidentState) -> list[did.Draft]:
    """``decide``, with who asked and by which command, if they may.

    Raises:
        Refused: as ``admit`` and ``decide``.
    """
    admit(command, state)
    return [did.Draft(command_id=command.command_id, actor=command.actor, body=body) for body in decide(command, state)]


def _require_open(state: IncidentState) -> None:
    if state.over:
        raise Refused("incident_over", f"The incident is {state.status.name.lower()}. Reopen it first.")


@decide.register
def _(command: ask.Open, state: IncidentState) -> list[did.Body]:
    reported = state.status.category is Category.REPORTED
    if state.over or (state.commander is not None and not reported):
        return []
    # Someone may have asked for something before Muster came to it.
    commander = state.commander or state.requested_commander or state.reporter
    reporter = Evidence(kind=EvidenceKind.ROLE, text="reporter of the incident")
    if commander == state.reporter:
        people = [Match(individual=commander, evidence=(reporter,), roles=("reporter", "commander"))]
    else:
        named = Evidence(kind=EvidenceKind.ROLE, text="commander named in the report")
        people = [
            Match(individual=state.reporter, evidence=(reporter,), roles=("reporter",)),
            Match(individual=commander, evidence=(named,), roles=("commander",)),
        ]
    new = tuple(person for person in people if not state.present(person.individual))
    events: list[did.Body] = [did.ParticipantsEngaged(people=new)] if new else []
    if state.commander is None:
        events.append(did.CommanderChanged(before=None, after=commander))
    if reported:
        events.append(did.StatusChanged(before=state.status_id, after=state.lifecycle.first(Category.ACTIVE).id))
    return events


@decide.register
def _(command: ask.Edit, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    fits = command.expected_seq in {None, state.seq} and command.expected_attributes_seq in {None, state.attributes_seq}
    if not fits:
        raise Refused("version_conflict", "Someone changed this meanwhile. Read it again, then repeat your change.")
    new = {name: value for name, value in command.changes.given().items() if value != getattr(state.attributes, name)}
    visibility = command.visibility if command.visibility != state.visibility else None
    if not new and visibility is None:
        return []
    return [
        did.Edited(
            changes=AttributeChanges.model_validate(new),
            before=AttributeChanges.model_validate({name: getattr(state.attributes, name) for name in new}),
            visibility=visibility,
            visibility_before=state.visibility if visibility is not None else None,
        )
    ]


@decide.register
def _(command: ask.ChangeStatus, state: IncidentState) -> list[did.Body]:
    target = state.lifecycle.resolve(command.to)
    if target.category is Category.CLOSED and command.run_learning_flow:
        target = state.lifecycle.first(Category.LEARNING)
    check_transition(state.lifecycle, state.status, target, command.reason)
    merging = target.category is Category.MERGED
    if merging and command.into is None:
        raise Refused("merge_target_required", "Name the incident to merge into.")
    if merging and command.into == state.id:
        raise Refused("merge_into_itself", "An incident cannot be merged into itself. Name another one.")
    if merging and command.into in state.absorbed:
        raise Refused("merged_crosswise", "That incident is being merged into this one.")
    return [
        did.StatusChanged(
            before=state.status_id,
            after=target.id,
            reason=(command.reason or "").strip() or None,
            into=command.into if merging else None,
        )
    ]


@decide.register
def _(command: ask.AssignCommander, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    if not state.present(command.individual):
        raise Refused("not_a_participant", "Only a participant can become commander. Add this person first.")
    if command.individual == state.commander:
        return []
    return [did.CommanderChanged(before=state.commander, after=command.individual)]


@decide.register
def _(command: ask.Engage, state: IncidentState) -> list[did.Body]:
    if state.over:
        return []
    new = tuple(person for person in command.matches if person.individual not in state.participants)
    return [did.ParticipantsEngaged(people=new)] if new else []


@decide.register
def _(command: ask.Add, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    if state.present(command.match.individual):
        return []
    return [did.ParticipantsEngaged(people=(command.match,), joined=command.joined)]


@decide.register
def _(command: ask.Leave, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    participant = state.participants.get(command.individual)
    if participant is None:
        raise Refused("not_a_participant", "This person is not in the incident.")
    if participant.departed is not None:
        return []
    if command.individual == state.commander:
        raise Refused("commander_cannot_leave", "The commander cannot go before another participant is made commander.")
    return [did.ParticipantLeft(individual=command.individual, how=command.how, reason=command.reason)]


@decide.register
def _(command: ask.SetResource, state: IncidentState) -> list[did.Body]:
    if state.resources[command.resource.kind] == command.resource:
        return []
    return [did.ResourceChanged(resource=command.resource)]


@decide.register
def _(command: ask.RetryResource, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    resource = state.resources[command.kind]
    if resource.state is did.ResourceState.PENDING:
        return []
    if resource.state is not did.ResourceState.FAILED:
        raise Refused("resource_not_failed", f"The {command.kind} has not failed, so there is nothing to try again.")
    return [did.ResourceChanged(resource=did.Resource(kind=command.kind))]


@decide.register
def _(command: ask.Complete, state: IncidentState) -> list[did.Body]:
    return [] if state.opened else [did.Opened()]


@decide.register
def _(command: ask.AddNote, state: IncidentState) -> list[did.Body]:
    # A note may also be written about an incident that is over: the record goes on.
    return [did.NoteAdded(text=command.text)]


@decide.register
def _(command: ask.Absorb, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    new = tuple(person for person in command.matches if person.individual not in state.participants)
    absorbed = did.Absorbed(incident=command.incident, reference=command.reference)
    return [
        *([absorbed] if command.incident not in state.absorbed else []),
        *([did.ParticipantsEngaged(people=new)] if new else []),
    ]
