"""What a command leads to in a given state: events, nothing (when it is already so), or a refusal."""

from collections.abc import Collection
from functools import singledispatch

from workflows.domain import commands as ask
from workflows.domain import events as did
from workflows.domain.admission import admit
from workflows.domain.attributes import AttributeChanges
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting, merged, taken_on
from workflows.domain.errors import Refused
from workflows.domain.incident import IncidentState
from workflows.domain.lifecycle import Category, check_transition
from workflows.domain.room import MAX_PEOPLE, is_full, is_known, within


@singledispatch
def decide(command: ask.Command, state: IncidentState) -> list[did.Body]:
    """The events a command leads to; an empty list when things are already so.

    Raises:
        Refused: the state does not allow it; nothing changes.
    """
    raise NotImplementedError(type(command).__name__)


def drafts(command: ask.Command, state: IncidentState) -> list[did.Draft]:
    """``decide``, as far as there is room, with who asked and by which command, if they may.

    Raises:
        Refused: as ``admit`` and ``decide``.
    """
    admit(command, state)
    bodies = within(state, decide(command, state))
    return [did.Draft(command_id=command.command_id, actor=command.actor, body=body) for body in bodies]


def _require_open(state: IncidentState) -> None:
    if state.over:
        raise Refused("incident_over", f"The incident is {state.status.name.lower()}. Reopen it first.")


@decide.register
def _(command: ask.Open, state: IncidentState) -> list[did.Body]:
    reported = state.status.category is Category.REPORTED
    if state.over or (state.commander is not None and not reported):
        return []
    roles = command.roles or Roles()
    # Someone may have asked for something before Muster came to it. Whom the reporter names wins over the policies.
    named = state.commander or state.requested_commander
    chosen = roles.commander if named is None else None
    commander = named or (chosen.individual if chosen else state.reporter)
    settled = named is not None or chosen is not None
    known = {each.key for each in state.waiting}
    waiting = tuple(each for each in roles.waiting if each.key not in known and not (settled and each.role == COMMANDER))
    stand_in = not settled and (command.roles is None or any(each.role == COMMANDER for each in waiting))
    reporter = Match(individual=state.reporter, evidence=(_role("reporter of the incident"),), roles=("reporter",))
    leads = chosen or Match(
        individual=commander,
        evidence=() if named is None else (_role("commander named in the report"),),
        roles=(COMMANDER,),
    )
    events = _take_part(state, merged([reporter, leads, *_allowed_in(state, roles.others)]))
    if state.commander is None:
        events.append(did.CommanderChanged(before=None, after=commander, note=_reason(chosen), stand_in=stand_in))
    if reported:
        events.append(did.StatusChanged(before=state.status_id, after=state.lifecycle.first(Category.ACTIVE).id))
    if waiting:
        events.append(did.OnCallAwaited(waiting=waiting))
    if command.roles is None:
        events.append(did.RolesAwaited())
    return events


def _role(reason: str) -> Evidence:
    return Evidence(kind=EvidenceKind.ROLE, text=reason)


def _reason(chosen: Match | None) -> str | None:
    return chosen.evidence[0].text if chosen and chosen.evidence else None


def _take_part(state: IncidentState, people: tuple[Match, ...], *, again: Collection[str] = ()) -> list[did.Body]:
    """These people are in, with their roles; who is in already takes on those that are new.

    ``again``: of them it is kept why, though they have the role already.
    """
    new = tuple(person for person in people if not state.present(person.individual))
    besides = tuple(
        person
        for person in people
        if state.present(person.individual)
        and (person.individual in again or not set(taken_on(person.roles)) <= set(state.participants[person.individual].roles))
    )
    return [
        *([did.ParticipantsEngaged(people=new)] if new else []),
        *([did.RolesAssigned(people=besides)] if besides else []),
    ]


def _allowed_in(state: IncidentState, matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """Those of the matches who may be in: not who went, and not who was left out of a crowd (E5)."""
    return tuple(
        person
        for person in matches
        if state.present(person.individual)
        or (person.individual not in state.participants and not state.kept_out(person.individual))
    )


def _hand_over(state: IncidentState, chosen: Match | None, others: tuple[Match, ...]) -> list[did.Body]:
    """Roles found late: whom the policies choose takes over from a stand-in, and from nobody else; the others have theirs.

    That may be the stand-in: they stay the commander, and nobody else is looked for.
    """
    takes_over = chosen is not None and state.stand_in and bool(_allowed_in(state, (chosen,)))
    if chosen is None or not takes_over:
        return _take_part(state, _allowed_in(state, merged(others)))
    told = state.present(chosen.individual) and chosen.individual != state.commander
    return [
        *_take_part(state, _allowed_in(state, merged([chosen, *others])), again=[chosen.individual]),
        did.CommanderChanged(before=state.commander, after=chosen.individual, note=_reason(chosen), told=told),
    ]


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
    note = (command.note or "").strip() or None
    told = command.actor != command.individual
    return [did.CommanderChanged(before=state.commander, after=command.individual, note=note, told=told)]


@decide.register
def _(command: ask.AssignRoles, state: IncidentState) -> list[did.Body]:
    if state.over or not state.roles_awaited:
        return []
    roles = command.roles
    waiting = tuple(each for each in roles.waiting if roles.commander is None or each.role != COMMANDER)
    return [*_hand_over(state, roles.commander, roles.others), *_awaited(state, waiting), did.RolesChosen()]


def _is_outdated(command: ask.Engage | ask.Hold | ask.AwaitOnCall, state: IncidentState) -> bool:
    """Whether what was found no longer counts: the incident is over, or no longer has the visibility it was found for."""
    return state.over or command.found_for not in {None, state.visibility}


def _inside(state: IncidentState, matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """Those of the matches who are in already: a rule gives them its role as well, whoever or whatever came first."""
    return tuple(person for person in matches if state.present(person.individual))


def _never_in(state: IncidentState, matches: tuple[Match, ...]) -> tuple[Match, ...]:
    """Those of the matches who never were in, and of whom it is not asked, nor was answered, whether they come in (E7)."""
    known = state.participants.keys() | state.held.keys()
    return tuple(person for person in matches if person.individual not in known)


@decide.register
def _(command: ask.Engage, state: IncidentState) -> list[did.Body]:
    if _is_outdated(command, state):
        return []
    return _take_part(state, _never_in(state, command.matches) + _inside(state, command.matches))


@decide.register
def _(command: ask.Hold, state: IncidentState) -> list[did.Body]:
    if _is_outdated(command, state):
        return []
    new, until = _never_in(state, command.matches), state.held_until or command.until
    held = did.EngagementHeld(people=new, attributes_seq=state.attributes_seq, limit=command.limit, until=until)
    return [*_take_part(state, _inside(state, command.matches)), *([held] if new else [])]


@decide.register
def _(command: ask.AnswerEngagement, state: IncidentState) -> list[did.Body]:
    asked = state.asked()
    if command.actor is None and not asked:
        # Someone answered at the last moment.
        return []
    _require_open(state)
    if not asked:
        raise Refused("engagement_not_held", "Nobody waits for this answer: it was given already, or its time has passed.")
    # Who came in by hand meanwhile is no longer asked about, so the latest event can be an earlier one than was seen.
    if command.expected_seq is not None and max(asked.values()) > command.expected_seq:
        raise Refused("version_conflict", "More people match by now. Look at all of them, then answer again.")
    if command.bring_in == "all":
        people, how = tuple(asked), did.HeldAnswer.ALL
    else:
        chosen = frozenset(() if command.bring_in == "none" else command.bring_in)
        if any(person not in asked and not state.present(person) for person in chosen):
            raise Refused("not_held", "Only people who are held can be brought in by this. Add others by hand.")
        people = tuple(person for person in asked if person in chosen)
        how = did.HeldAnswer.CHOSEN if people else did.HeldAnswer.NONE
    how = did.HeldAnswer.NO_ANSWER if command.actor is None else how
    come_in = set(people)
    left_out = tuple(person for person in asked if person not in come_in)
    return [did.EngagementAnswered(how=how, people=people, left_out=left_out)]


@decide.register
def _(command: ask.BringIn, state: IncidentState) -> list[did.Body]:
    called = () if state.over else state.called()
    people = tuple(person for person in command.matches if person.individual in called)
    return [did.ParticipantsEngaged(people=people)] if people else []


def _awaited(state: IncidentState, waiting: tuple[Waiting, ...]) -> list[did.Body]:
    known = {each.key for each in state.waiting}
    wanted = (each for each in waiting if state.stand_in or each.role != COMMANDER)
    new = {each.key: each for each in wanted if each.key not in known}
    return [did.OnCallAwaited(waiting=tuple(new.values()))] if new else []


@decide.register
def _(command: ask.AwaitOnCall, state: IncidentState) -> list[did.Body]:
    return [] if _is_outdated(command, state) else _awaited(state, command.waiting)


@decide.register
def _(command: ask.ResolveOnCall, state: IncidentState) -> list[did.Body]:
    ends = any(each.ends_by(command.service, command.role, by_policy=command.by_policy) for each in state.waiting)
    if state.over or not ends:
        return []
    if command.role == COMMANDER:
        events = _hand_over(state, next(iter(_allowed_in(state, command.matches)), None), ())
    else:
        # Policies choose once: what they say is kept of those as well to whom a match gave the role before.
        people = _allowed_in(state, merged([*command.matches, *_matching_as_well(command, state)]))
        events = _take_part(state, people, again=[person.individual for person in people] if command.by_policy else ())
    resolved = did.OnCallResolved(
        service=command.service,
        role=command.role,
        by_policy=command.by_policy,
        people=tuple(person.individual for person in command.matches),
        reason=command.reason,
    )
    return [*events, resolved]


def _matching_as_well(command: ask.ResolveOnCall, state: IncidentState) -> list[Match]:
    """Whom the policies choose, being on call, for what matches and still waits for the same: they come in once, with all of it.

    That goes on waiting for its own answer, since it may want more people than the policies choose.
    """
    if not command.by_policy or command.reason is not None:
        return []
    return [
        Match(individual=person.individual, evidence=each.evidence, roles=(each.role,))
        for each in state.waiting
        if each.ends_by(command.service, command.role, by_policy=False)
        for person in command.matches
    ]


@decide.register
def _(command: ask.Add, state: IncidentState) -> list[did.Body]:
    _require_open(state)
    if state.present(command.match.individual):
        return []
    if is_full(state) and not is_known(state, command.match.individual):
        raise Refused(
            "incident_full",
            f"An incident has room for {MAX_PEOPLE:,} people, and this one is full. Report another one for the rest.",
        )
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
        raise Refused("commander_cannot_leave", "The commander hands over before leaving: make another participant commander.")
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
    # A person decided to merge, knowing who comes with it, so the storm guard asks nothing; but its answers hold, and of whom
    # it asks already, that answer is waited for.
    new = _never_in(state, command.matches)
    absorbed = did.Absorbed(incident=command.incident, reference=command.reference, unanswered=command.unanswered)
    return [
        *([absorbed] if command.incident not in state.absorbed else []),
        *([did.ParticipantsEngaged(people=new)] if new else []),
        *_awaited(state, command.waiting),
    ]
