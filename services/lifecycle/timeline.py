"""The timeline: what happened, in the words people read (L11)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel

from services.desk.lookup import Person
from workflows.domain.attributes import Choice
from workflows.domain.engagement import Evidence
from workflows.domain.events import Departure, Edited, Event, ParticipantLeft, ResourceChanged, ResourceState
from workflows.domain.lifecycle import LifecycleSettings


class TimelinePerson(BaseModel):
    """Someone an entry brought in, and why."""

    individual: Person
    evidence: list[Evidence]


class TimelineEntry(BaseModel):
    """One entry. ``text`` follows the actor's name; without an actor Muster did it. ``seq`` is its place in the record."""

    seq: int
    at: datetime
    kind: str
    actor: Person | None
    text: str
    note: str | None = None
    detail: str | None = None
    people: list[TimelinePerson] = []


def people_in(events: Iterable[Event]) -> set[str]:
    """Everyone whose name is needed to write these entries."""
    found: set[str] = set()
    for event in events:
        if event.actor is not None:
            found.add(event.actor)
        body = event.body
        if body.kind == "participants_engaged":
            found |= {person.individual for person in body.people}
        elif body.kind == "participant_left":
            found.add(body.individual)
        elif body.kind == "commander_changed":
            found |= {body.after, *([body.before] if body.before else [])}
        elif body.kind == "reported":
            found.add(body.reporter)
    return found


def entries(events: Sequence[Event], names: dict[str, Person], lifecycle: LifecycleSettings) -> list[TimelineEntry]:
    """The events as entries, in the order given; what nobody needs to read is left out."""
    made = (_entry(event, names, lifecycle) for event in events)
    return [entry for entry in made if entry is not None]


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
            entry.text = f"made {_name(names, body.after)} commander"
            entry.detail = f"before: {_name(names, body.before)}" if body.before else None
        case "participants_engaged":
            entry.people = [
                TimelinePerson(individual=names[person.individual], evidence=list(person.evidence))
                for person in body.people
                if person.individual in names
            ]
            entry.text = _engaged(len(body.people), body.joined, automatic=event.actor is None)
        case "participant_left":
            entry.text, entry.detail = _left(body, event.actor, names), body.reason
        case "resource_changed":
            if body.resource.state is ResourceState.NOT_CONFIGURED:
                return None
            entry.text, entry.detail = _resource(body), body.resource.reason
        case "note_added":
            entry.text, entry.note = "wrote", body.text
        case "absorbed":
            entry.text = f"merged INC-{body.reference} into this incident"
        case "opened":
            return None
    return entry


def _edited(body: Edited) -> tuple[str, str | None]:
    before, given = body.before.given(), body.changes.given()
    long = [name for name in given if name in {"description", "tags"}]
    short = [f"{name}: “{_word(before.get(name))}” → “{_word(new)}”" for name, new in given.items() if name not in long]
    if body.visibility is not None:
        short.append(f"visibility: {body.visibility_before} → {body.visibility}")
    changed = [*given, *(["visibility"] if body.visibility is not None else [])]
    return f"changed the {_listed(changed)}", "; ".join(short) or None


def _word(value: object) -> str:
    return value.name if isinstance(value, Choice) else str(value)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _engaged(count: int, joined: bool, automatic: bool) -> str:
    if joined:
        return "joined"
    people = "1 person" if count == 1 else f"{count} people"
    return f"{people} engaged" if automatic else f"added {people}"


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
