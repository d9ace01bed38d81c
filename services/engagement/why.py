"""Why somebody is, or is not, in an incident, now and at any past moment (E6)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import Person, find_incident
from services.engagement import repository
from services.engagement.conditions.naming import names
from services.engagement.decision import DecisionRecord, evaluation_of, evaluations_at, roles_chosen
from services.engagement.grounds import Ground, Hearing, Reach, Situation, find_grounds
from services.engagement.history import Found, History, read_history
from services.engagement.roles.why import policies_about
from services.engagement.rules import evaluation
from services.engagement.schemas import RuleWhyView, WhyView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Invalid, NotFound
from services.kit.ids import is_id
from services.store.contacts import Individual
from workflows.domain.attributes import Attributes
from workflows.domain.engagement import Evidence, EvidenceKind
from workflows.domain.events import Departure, Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.rules import Facts, TargetKind, sentence

_GONE: Final = {
    Departure.LEFT: "left the incident",
    Departure.REMOVED: "was removed from the incident",
    Departure.NOT_RELEVANT: "said that the incident is not relevant to them",
}
_MISSED: Final = {TargetKind.INDIVIDUAL: "inactive", TargetKind.TEAM: "not_in_team", TargetKind.ONCALL: "not_on_call"}
"""The reason when something of this kind did not stand for somebody."""


class Explained(NamedTuple):
    """The answer, and for each piece of evidence the attribute's text that it quotes, None where it is not there."""

    view: WhyView
    quoted: list[str | None]


class _Told(NamedTuple):
    """What is told of somebody besides when, and by which evidence."""

    reason: str
    explanation: str
    rules: list[RuleWhyView]
    failures: Sequence[str] = ()
    quoted: Sequence[str | None] = ()


async def engaged_by_id(session: AsyncSession, individual: str) -> Individual | None:
    """The individual of this id, if incidents can engage them: a person, or the mailing list of a team."""
    query = select(Individual).where(Individual.id == individual, Individual.kind != "service")
    return await session.scalar(query) if is_id(individual) else None


async def explain(session: AsyncSession, actor: Actor, reference: str, individual: str, at: datetime | None = None) -> Explained:
    """Why a person is, or is not, in an incident; with ``at``, why they were or were not at that moment.

    Raises:
        NotFound: no such incident for this actor, none yet at that moment, or no such individual.
        Invalid: that moment is yet to come.
    """
    if at is not None and at > now():
        raise Invalid.of("at", "in_future", "This is yet to come. Give a time that has been, or none for now.")
    incident = await find_incident(session, actor, reference)
    person = await engaged_by_id(session, individual)
    if person is None:
        raise NotFound("individual")
    history = await read_history(session, incident, person.id, at)
    if history is None:
        raise NotFound("incident at that time")
    moment = at or now()
    policies = await _policies(session, person, history, moment)
    found = history.part or history.hold
    if found is None:
        told = await _absent(session, person, history, moment, policies, past=at is not None)
    else:
        told = await _by_evidence(session, person, history, found)
    terms = await repository.terms_in_force(session, [person.id], moment)
    view = WhyView(
        individual=Person(id=person.id, name=person.name, email=person.email),
        engaged=history.state.present(person.id),
        at=None if history.part is None else history.part.at,
        held_at=None if history.hold is None else history.hold.at,
        reason=told.reason,
        explanation=told.explanation,
        evidence=[] if found is None else found.evidence,
        terms=[term.phrase for term in terms],
        rules=told.rules,
        policies=policies,
        failures=list(told.failures),
    )
    return Explained(view, list(told.quoted))


async def _by_evidence(session: AsyncSession, person: Individual, history: History, found: Found) -> _Told:
    """Why somebody is in or held: by the records that the evidence names, and the incident as it was when they were made."""
    named = {piece.evaluated_at for piece in found.evidence if piece.evaluated_at is not None}
    evaluated = await evaluations_at(session, history.state.id, named)
    states: dict[datetime | None, IncidentState] = {at: history.as_of(each.attributes_seq) for at, each in evaluated.items()}
    records: dict[datetime | None, DecisionRecord | None] = {at: each.record for at, each in evaluated.items()}

    def as_found(at: datetime, piece: Evidence) -> IncidentState:
        return states.get(piece.evaluated_at) or history.at(at)

    # What was evidence more than once is told as it was first.
    told = {
        (piece.id or "", piece.version or 0): (at, piece) for at, piece in found.told[::-1] if piece.kind is EvidenceKind.RULE
    }
    rules = await evaluation.versions(session, told.keys())
    called = await names(session, [rule.when for rule in rules], {target for rule in rules for target in rule.engage})
    ranks = await evaluation.ranks(session) if rules else {}
    views = []
    for rule in rules:
        at, piece = told[rule.id, rule.version]
        then = as_found(at, piece)
        facts = Facts.of(then.attributes, then.project, then.visibility, ranks)
        hearing = Hearing(facts, records.get(piece.evaluated_at), called)
        views.append(hearing.view(rule, sentence(rule, called), Reach(piece.via, True, None)))
    reason, explanation = _why_in(person, history.state) if history.part else _held(person, history.state)
    return _Told(
        reason,
        explanation,
        rules=[view for view in views if view.holds],
        quoted=[_quoted(piece, as_found(at, piece).attributes) for at, piece in found.told],
    )


def _quoted(piece: Evidence, attributes: Attributes) -> str | None:
    texts = (text for name, text in attributes.texts() if name == piece.attribute)
    return next((text for text in texts if text[piece.start : piece.end] == piece.text), None)


async def _absent(
    session: AsyncSession, person: Individual, history: History, moment: datetime, policies: Sequence[RuleWhyView], *, past: bool
) -> _Told:
    """Why somebody never was in, nor is held: by the evaluation of what the incident was at that moment."""
    state = history.state
    evaluated = await evaluation_of(session, state.id, state.attributes_seq, moment)
    answers = {} if evaluated is None else history.answers(evaluated.at)
    situation = Situation(state, moment, evaluated, answers)
    found = await find_grounds(session, person, situation)
    looked = evaluated is not None and evaluated.at <= moment
    reason, explanation = _why_not(person, found.grounds, state, looked, past)
    if reason in {"no_terms", "no_match"} and policies:
        reason, explanation = _not_chosen(person.name, policies)
    return _Told(reason, explanation, [each.view for each in found.grounds if each.view is not None], found.failures)


async def _policies(session: AsyncSession, person: Individual, history: History, moment: datetime) -> list[RuleWhyView]:
    """The role policies about a person, as they were when they could choose; those that chose them, if they are in."""
    record = await roles_chosen(session, history.state.id, moment)
    if history.part is None:
        return await policies_about(session, person, history.versions[0][1], history.state.reported_at, record)
    chose: dict[datetime, set[tuple[str | None, int | None]]] = {}
    for at, piece in history.part.told:
        if piece.kind is EvidenceKind.ROLE and piece.id:
            chose.setdefault(at, set()).add((piece.id, piece.version))
    found = []
    for at, versions in chose.items():
        policies = await policies_about(session, person, history.at(at), at, record)
        found += [policy for policy in policies if policy.holds and (policy.id, policy.version) in versions]
    return found


def _why_in(person: Individual, state: IncidentState) -> tuple[str, str]:
    departed = state.participants[person.id].departed
    if departed is None:
        return "engaged", f"{person.name} is in the incident."
    return departed.value, f"{person.name} {_GONE[departed]}, so no match brings them in again."


def _held(person: Individual, state: IncidentState) -> tuple[str, str]:
    """Why someone who matches is not in, when so many matched that the commander was asked (E7)."""
    if person.id in state.asked():
        return "held", (
            f"{person.name} matches, with so many others that the commander is asked first. "
            f"Without an answer all of them come in at {state.held_until:%H:%M} UTC."
        )
    if person.id in state.called():
        return "held", f"{person.name} matches, was held back with many others, and is about to be brought in."
    may = "be added by hand" if state.visibility is Visibility.RESTRICTED else "still join, or be added by hand"
    return "left_out", f"{person.name} matched with many others, and was left out when it was asked who comes in. They can {may}."


def _why_not(person: Individual, grounds: Sequence[Ground], state: IncidentState, looked: bool, past: bool) -> tuple[str, str]:
    name = person.name
    if not person.active and not past:
        return "inactive", f"{name} is not active, and only active people are engaged."
    if not grounds:
        return "no_terms", f"{name} has no terms and no rule is about them, so nothing in an incident can match."
    applying = [each for each in grounds if each.holds]
    if not applying:
        return "no_match", _no_match(name, grounds)
    if state.visibility is Visibility.RESTRICTED:
        applying = [each for each in applying if not each.self_set]
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
    reaching = next((each for each in applying if each.reach.stood_for_them), None)
    if reaching is None:
        return _not_reached(applying)
    if not looked:
        return "not_evaluated_yet", f"{name} matches, and Muster is about to look for people again."
    if reaching.counted:
        return "not_evaluated_yet", f"{name} matches, and is about to be brought in."
    is_term = reaching.view is None
    what = f"{name}'s term" if is_term and reaching.by is TargetKind.INDIVIDUAL else f"The {reaching.what}"
    kind = "term" if is_term else "rule"
    return f"{kind}_is_newer", f"{what} is newer than the last change of the incident; the next change will engage {name}."


def _no_match(name: str, grounds: Sequence[Ground]) -> str:
    said = []
    if any(each.view is None for each in grounds):
        said.append(f"None of {name}'s terms occurs in the title, description, type, severity, priority or tags.")
    if rules := sum(each.view is not None for each in grounds):
        said.append(
            f"{'The rule' if rules == 1 else f'None of the {rules} rules'} that would engage {name} "
            f"{'does not hold' if rules == 1 else 'holds'}."
        )
    return " ".join(said)


def _not_reached(applying: Sequence[Ground]) -> tuple[str, str]:
    unknown = next((each for each in applying if each.reach.stood_for_them is None), None)
    if unknown is not None:
        return "on_call_unknown", f"The {unknown.what} matches, but {unknown.reach.missed}."
    first = applying[0]
    return _MISSED[first.by], f"The {first.what} matches, but {first.reach.missed}."
