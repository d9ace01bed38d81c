"""Why somebody is, or is not, in an incident, now and at any past moment (E6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import Person, find_incident
from services.engagement import repository
from services.engagement.decision import last_evaluated, roles_chosen
from services.engagement.grounds import Ground, RuleGround, Situation, TermGround, find_grounds
from services.engagement.roles.why import policies_about
from services.engagement.schemas import RuleWhyView, WhyView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import NotFound
from services.kit.ids import is_id
from services.store import event_log
from services.store.contacts import Individual
from services.store.incidents import Incident, ParticipantRow
from workflows.domain.engagement import Evidence, EvidenceKind
from workflows.domain.events import (
    Departure,
    EngagementHeld,
    Event,
    ParticipantLeft,
    ParticipantsEngaged,
    RolesAssigned,
    Visibility,
)
from workflows.domain.incident import IncidentState, fold

_GONE = {
    Departure.LEFT: "left the incident",
    Departure.REMOVED: "was removed from the incident",
    Departure.NOT_RELEVANT: "said that the incident is not relevant to them",
}


class _Part(NamedTuple):
    """That somebody is or was in the incident: since when, by which evidence, and how they went, if they did."""

    at: datetime
    evidence: list[Evidence]
    departed: Departure | None


class _Hold(NamedTuple):
    """That somebody matched with many others and was held back: since when, and by which evidence."""

    at: datetime
    evidence: list[Evidence]


async def engaged_by_id(session: AsyncSession, individual: str) -> Individual | None:
    """The individual of this id, if incidents can engage them: a person, or the mailing list of a team."""
    query = select(Individual).where(Individual.id == individual, Individual.kind != "service")
    return await session.scalar(query) if is_id(individual) else None


async def explain(session: AsyncSession, actor: Actor, reference: str, individual: str, at: datetime | None = None) -> WhyView:
    """Why a person is, or is not, in an incident; with ``at``, why they were or were not at that moment.

    Raises:
        NotFound: no such incident for this actor, none yet at that moment, or no such individual.
    """
    incident = await find_incident(session, actor, reference)
    person = await engaged_by_id(session, individual)
    if person is None:
        raise NotFound("individual")
    state, part = await _as_of(session, incident, person, at)
    hold = await _hold(session, incident, person, state)
    matched = part or hold
    moment = at or now()
    evaluated = await last_evaluated(session, incident.id, moment if matched is None else matched.at)
    looked = evaluated is not None and evaluated.attributes_seq >= state.attributes_seq
    then = state
    if matched is not None and evaluated is not None:
        # They matched what the incident was when it was looked at; an edit may have come since.
        events = await event_log.events(session, incident.id, until=matched.at)
        then = fold(incident.id, actor.organization, [event for event in events if event.seq <= evaluated.attributes_seq])
        moment = evaluated.at
    asked = Situation(then.attributes, then.project, then.visibility, moment, evaluated, settled=looked or matched is not None)
    found = await find_grounds(session, person, asked)
    terms = await repository.terms_in_force(session, person.id, at or now())
    policies = await _policies(session, incident, person, state, part, at)
    if part is not None:
        reason, explanation = _why_in(part, person)
    else:
        reason, explanation = _held(person, state) or _why_not(person, found.grounds, state, looked, past=at is not None)
        if reason in {"no_terms", "no_match"} and policies:
            reason, explanation = _not_chosen(person.name, policies)
    rules = [each.view for each in found.grounds if isinstance(each, RuleGround)]
    return WhyView(
        individual=Person(id=person.id, name=person.name, email=person.email),
        engaged=part is not None and part.departed is None,
        at=None if part is None else part.at,
        held_at=None if hold is None else hold.at,
        reason=reason,
        explanation=explanation,
        evidence=[] if matched is None else matched.evidence,
        terms=[term.phrase for term in terms],
        rules=rules if part is None else _told(rules, part, EvidenceKind.RULE),
        policies=policies if part is None else _told(policies, part, EvidenceKind.ROLE),
        failures=[] if part is not None else found.failures,
    )


async def _as_of(
    session: AsyncSession, incident: Incident, person: Individual, at: datetime | None
) -> tuple[IncidentState, _Part | None]:
    """The incident, and the person's part in it, as they are or were."""
    if at is None:
        row = await session.get(ParticipantRow, (incident.id, person.id))
        state = IncidentState.model_validate(incident.state)
        if row is None:
            return state, None
        evidence = [Evidence.model_validate(piece) for piece in row.evidence]
        return state, _Part(row.engaged_at, evidence, None if row.departed is None else Departure(row.departed))
    events = await event_log.events(session, incident.id, until=at)
    if not events:
        raise NotFound("incident at that time")
    return fold(incident.id, incident.organization_id, events), _part(events, person.id)


async def _hold(session: AsyncSession, incident: Incident, person: Individual, state: IncidentState) -> _Hold | None:
    """Why somebody matched who was held back, and is held or left out in this state."""
    if person.id not in state.held:
        return None
    found = await event_log.latest(session, incident.id, before=state.held[person.id].seq + 1, limit=1)
    matches = (
        _Hold(event.at, list(each.evidence))
        for event in found
        if isinstance(event.body, EngagementHeld)
        for each in event.body.people
        if each.individual == person.id
    )
    return next(matches, None)


def _part(events: Sequence[Event], individual: str) -> _Part | None:
    part: _Part | None = None
    for event in events:
        match event.body:
            case ParticipantsEngaged(people=people):
                for person in (each for each in people if each.individual == individual):
                    part = _Part(event.at, list(person.evidence), None)
            case RolesAssigned(people=people) if part is not None:
                for person in (each for each in people if each.individual == individual):
                    part = part._replace(evidence=[*part.evidence, *person.evidence])
            case ParticipantLeft(individual=gone, how=how) if part is not None and gone == individual:
                part = part._replace(departed=how)
    return part


async def _policies(
    session: AsyncSession,
    incident: Incident,
    person: Individual,
    state: IncidentState,
    part: _Part | None,
    asked_at: datetime | None,
) -> list[RuleWhyView]:
    """The role policies about a person, as they were when they could choose."""
    if part is not None and not any(piece.kind is EvidenceKind.ROLE and piece.id for piece in part.evidence):
        return []
    at = state.reported_at if part is None else part.at
    events = await event_log.events(session, incident.id, until=at)
    record = await roles_chosen(session, incident.id, asked_at or now())
    return await policies_about(session, person, fold(incident.id, incident.organization_id, events), at, record)


def _told(rules: Sequence[RuleWhyView], part: _Part, kind: EvidenceKind) -> list[RuleWhyView]:
    """Those of the rules, or policies, that are somebody's evidence."""
    told = {(piece.id, piece.version) for piece in part.evidence if piece.kind is kind}
    return [rule for rule in rules if rule.holds and (rule.id, rule.version) in told]


def _why_in(part: _Part, person: Individual) -> tuple[str, str]:
    if part.departed is None:
        return "engaged", f"{person.name} is in the incident."
    return part.departed.value, f"{person.name} {_GONE[part.departed]}, so no match brings them in again."


def _held(person: Individual, state: IncidentState) -> tuple[str, str] | None:
    """Why someone who matches is not in, when so many matched that the commander was asked (E7)."""
    if person.id in state.asked():
        return "held", (
            f"{person.name} matches, with so many others that the commander is asked first. "
            f"Without an answer all of them come in at {state.held_until:%H:%M} UTC."
        )
    if person.id in state.called():
        return "held", f"{person.name} matches, was held back with many others, and is about to be brought in."
    if state.kept_out(person.id):
        return "left_out", (
            f"{person.name} matched with many others, and was left out when it was asked who comes in. "
            "They can still join, or be added by hand."
        )
    return None


def _why_not(person: Individual, grounds: Sequence[Ground], state: IncidentState, looked: bool, past: bool) -> tuple[str, str]:
    name = person.name
    if not person.active and not past:
        return "inactive", f"{name} is not active, and only active people are engaged."
    if not grounds:
        return "no_terms", f"{name} has no terms and no rule is about them, so nothing in an incident can match."
    applying = [each for each in grounds if each.holds]
    if not applying:
        return "no_match", _no_match(name, grounds)
    if not person.active:
        return "inactive", f"{name} is no longer active, and only active people are engaged."
    if state.visibility is Visibility.RESTRICTED:
        applying = [each for each in applying if not (isinstance(each, TermGround) and each.self_set)]
        if not applying:
            return "self_set_term", (
                f"{name}'s own term matches, but a restricted incident is joined only by terms that an administrator set: "
                "one can remove the term and set it again."
            )
    return _not_yet(name, applying, state, looked)


def _not_chosen(name: str, policies: Sequence[RuleWhyView]) -> tuple[str, str]:
    """Why role policies did not choose somebody whom nothing else engages."""
    held = [each for each in policies if each.holds]
    if not held:
        what = "The role policy" if len(policies) == 1 else f"None of the {len(policies)} role policies"
        verb = "did not hold" if len(policies) == 1 else "held"
        return "no_match", f"{what} that would choose {name} {verb} when the incident was reported, and nothing else matches."
    reaching = next((each for each in held if each.stood_for_them is not False), None)
    if reaching is None and held[0].via is None:
        return "inactive", f"The role policy “{held[0].name}” held, but {name} was not active then."
    if reaching is None:
        return "not_on_call", f"The role policy “{held[0].name}” held and chooses who is {held[0].via}; that was not {name}."
    return "not_chosen", (
        f"The role policy “{reaching.name}” held when the incident was reported, but it did not come first: "
        "whom the report names as commander does, and policies with a lower rank."
    )


def _not_yet(name: str, applying: Sequence[Ground], state: IncidentState, looked: bool) -> tuple[str, str]:
    if state.over:
        return "over", "The incident is over; people are engaged only while it is open."
    reaching = next((each for each in applying if each.stood_for_them), None)
    if reaching is None:
        return _not_reached(applying)
    if not looked:
        return "not_evaluated_yet", f"{name} matches, and Muster is about to look for people again."
    own = isinstance(reaching, TermGround) and reaching.via is None
    what = f"{name}'s term" if own else f"The {reaching.what}"
    kind = "term" if isinstance(reaching, TermGround) else "rule"
    return f"{kind}_is_newer", f"{what} is newer than the last change of the incident; the next change will engage {name}."


def _no_match(name: str, grounds: Sequence[Ground]) -> str:
    said = []
    if any(isinstance(each, TermGround) for each in grounds):
        said.append(f"None of {name}'s terms occurs in the title, description, type, severity, priority or tags.")
    if rules := sum(isinstance(each, RuleGround) for each in grounds):
        said.append(
            f"{'The rule' if rules == 1 else f'None of the {rules} rules'} that would engage {name} "
            f"{'does not hold' if rules == 1 else 'holds'}."
        )
    return " ".join(said)


def _not_reached(applying: Sequence[Ground]) -> tuple[str, str]:
    unknown = next((each for each in applying if each.stood_for_them is None), None)
    if unknown is not None:
        return "on_call_unknown", f"The {unknown.what} matches, but {unknown.missed}. Muster keeps asking."
    first = applying[0]
    explanation = f"The {first.what} matches, but {first.missed}."
    if (first.via or "").startswith("on call"):
        return "not_on_call", explanation
    return "not_in_team", explanation
