"""The timeline: what happened, in the words people read (L11)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel

from services.desk.lookup import Person
from workflows.domain.attributes import Choice
from workflows.domain.engagement import Evidence, Match, taken_on
from workflows.domain.events import (
    Absorbed,
    Body,
    CommanderChanged,
    Departure,
    Edited,
    EngagementAnswered,
    EngagementHeld,
    Event,
    HeldAnswer,
    Involvement,
    NoRoom,
    OnCallResolved,
    ParticipantLeft,
    ParticipantsEngaged,
    ResourceChanged,
    ResourceState,
    RolesAssigned,
)
from workflows.domain.lifecycle import LifecycleSettings
from workflows.domain.room import MAX_PEOPLE, MAX_ROLES, MAX_SERVICES


class TimelinePerson(BaseModel):
    """Someone an entry brought in, and why."""

    individual: Person
    evidence: list[Evidence]


class TimelineEntry(BaseModel):
    """One entry. ``text`` follows the actor's name; without an actor Muster did it. ``seq`` is its place in the record.

    ``until`` is by when an answer is waited for; ``left_out`` are those whom an answer did not bring in, by name.
    """

    seq: int
    at: datetime
    kind: str
    actor: Person | None
    text: str
    note: str | None = None
    detail: str | None = None
    until: datetime | None = None
    people: list[TimelinePerson] = []
    left_out: list[Person] = []


def people_in(events: Iterable[Event]) -> set[str]:
    """Everyone whose name is needed to write these entries."""
    found: set[str] = set()
    for event in events:
        if event.actor is not None:
            found.add(event.actor)
        body = event.body
        if isinstance(body, (ParticipantsEngaged, RolesAssigned)):
            found |= {person.individual for person in body.people}
        elif body.kind == "on_call_resolved":
            found |= set(body.people)
        elif body.kind == "engagement_answered":
            found |= set(body.left_out)
        elif body.kind == "participant_left":
            found.add(body.individual)
        elif body.kind == "commander_changed":
            found |= {body.after, *([body.before] if body.before else [])}
        elif body.kind == "reported":
            found.add(body.reporter)
    return found


def entries(events: Sequence[Event], names: dict[str, Person], lifecycle: LifecycleSettings) -> list[TimelineEntry]:
    """The events as entries, in the order given; what nobody needs to read is left out."""
    made = (_entry(event, names, lifecycle) for event in events if not _goes_without_saying(event.body))
    return [entry for entry in made if entry is not None]


def _goes_without_saying(body: Body) -> bool:
    """A resource that was not set up; or why a policy chose as commander who was in already: another entry says that they are."""
    if isinstance(body, RolesAssigned):
        return not any(taken_on(person.roles) for person in body.people)
    return isinstance(body, ResourceChanged) and body.resource.state is ResourceState.NOT_CONFIGURED


def _entry(event: Event, names: dict[str, Person], lifecycle: LifecycleSettings) -> TimelineEntry | None:
    entry = TimelineEntry(
        seq=event.seq,
        at=event.at,
        kind=event.body.kind,
        actor=names.get(event.actor) if event.actor else None,
        text="",
    )
    body = event.body
    match body.kind:
        case "reported":
            entry.text = "reported the incident"
        case "edited":
            entry.text, entry.detail = _edited(body)
        case "status_changed":
            before, after = lifecycle.status(body.before), lifecycle.status(body.after)
            entry.text = f"moved the incident: {before.name} → {after.name}"
            entry.detail = body.reason
        case "commander_changed":
            entry.text, entry.detail = _commander(body, names, automatic=event.actor is None)
            entry.note = body.note if event.actor is not None else None
        case "resource_changed":
            entry.text, entry.detail = _resource(body), body.resource.reason
        case "note_added":
            entry.text, entry.note = "wrote", body.text
        case "absorbed":
            entry.text, entry.detail = f"merged INC-{body.reference} into this incident", _unanswered(body)
        case "opened":
            return None
        case _:
            if isinstance(body, (ParticipantsEngaged, RolesAssigned)):
                entry.people = _people(body.people, names)
            elif isinstance(body, EngagementAnswered):
                left_out = (names[each] for each in body.left_out if each in names)
                entry.left_out = sorted(left_out, key=lambda person: person.name.casefold())
            elif isinstance(body, EngagementHeld):
                entry.until = body.until
            entry.text, entry.detail = _involved(body, event.actor, names)
    return entry


def _unanswered(body: Absorbed) -> str | None:
    left_out = f"{_count(body.unanswered)} did not come along: it had not been answered yet whether they come in."
    return left_out if body.unanswered else None


def _commander(body: CommanderChanged, names: dict[str, Person], *, automatic: bool) -> tuple[str, str | None]:
    stays = body.before == body.after
    details = [f"{_name(names, body.before)} was the commander before"] if body.before and not stays else []
    if automatic and body.note:
        details.append(body.note)
    text = f"{_name(names, body.after)} stays commander" if stays else f"made {_name(names, body.after)} commander"
    if body.stand_in:
        text += ", until it is known whom the role policies choose"
    return text, "; ".join(details) or None


def _edited(body: Edited) -> tuple[str, str | None]:
    before, given = body.before.given(), body.changes.given()
    short = [f"{name}: {_word(before.get(name))} → {_word(new)}" for name, new in given.items() if name != "description"]
    if body.visibility is not None:
        short.append(f"visibility: {body.visibility_before} → {body.visibility}")
    changed = [*given, *(["visibility"] if body.visibility is not None else [])]
    return f"changed the {_listed(changed)}", "; ".join(short) or None


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"“{each}”" for each in value) or "none"
    return f"“{value.name if isinstance(value, Choice) else value}”"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _people(people: Iterable[Match], names: dict[str, Person]) -> list[TimelinePerson]:
    return [
        TimelinePerson(individual=names[person.individual], evidence=list(person.evidence))
        for person in people
        if person.individual in names
    ]


def _involved(body: Involvement | NoRoom, actor: str | None, names: dict[str, Person]) -> tuple[str, str | None]:
    """The words, and the detail, of who came, went, took on a role or may yet come in."""
    detail = None
    match body.kind:
        case "participants_engaged":
            text = _engaged(len(body.people), body.joined, automatic=actor is None)
        case "participant_left":
            text, detail = _left(body, actor, names), body.reason
        case "roles_assigned":
            text = "; ".join(_role(each, names) for each in body.people if taken_on(each.roles))
        case "roles_awaited":
            text = "the role policies do not answer; Muster keeps asking"
        case "roles_chosen":
            text = "the role policies have answered"
        case "on_call_awaited":
            services = _listed([each.service.name for each in body.waiting])
            text = f"nobody could say who is on call for {services}; Muster keeps asking"
            detail = " ".join(dict.fromkeys(each.reason for each in body.waiting if each.reason)) or None
        case "on_call_resolved":
            text, detail = _on_call(body, names), body.reason
        case "engagement_held":
            text = _held(body)
        case "engagement_answered":
            text = _answered(body)
        case "no_room":
            text, detail = _no_room(body)
    return text, detail


def _count(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def _role(person: Match, names: dict[str, Person]) -> str:
    return f"{_name(names, person.individual)} is now {_listed(list(taken_on(person.roles)))}"


def _on_call(body: OnCallResolved, names: dict[str, Person]) -> str:
    if body.reason is not None:
        return f"{body.service.name} is not asked any more who is on call"
    if not body.people:
        return f"nobody is on call for {body.service.name}"
    verb = "is" if len(body.people) == 1 else "are"
    return f"{_listed([_name(names, person) for person in body.people])} {verb} on call for {body.service.name}"


def _held(body: EngagementHeld) -> str:
    count = len(body.people)
    verb = "matches and is" if count == 1 else "match and are"
    if count <= body.limit:
        # So few are held only while it is asked about others.
        more = "1 more person" if count == 1 else f"{count} more people"
        return f"{more} {verb} held back with the others"
    return f"{_count(count)} {verb} held back: more than {body.limit} would come in at once"


def _answered(body: EngagementAnswered) -> str:
    return {
        HeldAnswer.ALL: f"brought in all who were held back: {_count(len(body.people))}",
        HeldAnswer.CHOSEN: f"brought in {_count(len(body.people))} of those who were held back",
        HeldAnswer.NONE: "brought in nobody of those who were held back",
        HeldAnswer.NO_ANSWER: f"nobody answered in time: all who were held back come in, {_count(len(body.people))}",
    }[body.how]


_PLURAL = {"person": "people", "role": "roles", "on-call service": "on-call services"}


def _no_room(body: NoRoom) -> tuple[str, str]:
    number = {"person": body.people, "role": body.roles, "on-call service": body.services}
    lacking = [f"{count} more {what if count == 1 else _PLURAL[what]}" for what, count in number.items() if count]
    most = f"{MAX_PEOPLE:,} people, {MAX_ROLES:,} roles of theirs, and {MAX_SERVICES} on-call services to wait for"
    return f"there was no room for {_listed(lacking)}", f"An incident has room for {most}."


def _engaged(count: int, joined: bool, automatic: bool) -> str:
    if joined:
        return "joined"
    return f"{_count(count)} engaged" if automatic else f"added {_count(count)}"


def _left(body: ParticipantLeft, actor: str | None, names: dict[str, Person]) -> str:
    if body.how is Departure.REMOVED:
        return f"removed {_name(names, body.individual)}"
    said = "left" if body.how is Departure.LEFT else "said that this is not relevant to them"
    return said if actor == body.individual else f"{_name(names, body.individual)} {said}"


def _resource(body: ResourceChanged) -> str:
    kind = body.resource.kind.value
    if body.resource.state is ResourceState.PENDING and body.resource.reason is not None:
        return f"The {kind} takes longer; Muster keeps trying"
    return {
        ResourceState.READY: f"The {kind} is ready",
        ResourceState.FAILED: f"The {kind} could not be made",
        ResourceState.PENDING: f"tries again to make the {kind}",
    }[body.resource.state]


def _name(names: dict[str, Person], individual: str | None) -> str:
    person = names.get(individual or "")
    return person.name if person else "someone"
