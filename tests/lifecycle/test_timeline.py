"""How the timeline tells what Muster decides, waits for and asks (L11)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.desk.lookup import Person
from services.lifecycle.timeline import entries, people_in
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Waiting
from workflows.domain.events import (
    Absorbed,
    Body,
    CommanderChanged,
    Edited,
    EngagementAnswered,
    EngagementHeld,
    Event,
    HeldAnswer,
    NoRoom,
    OnCallAwaited,
    OnCallResolved,
    RolesAssigned,
    RolesAwaited,
    RolesChosen,
    Visibility,
)
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE

NAMES = {name.lower(): Person(id=name.lower(), name=name, email=f"{name}@x.example") for name in ("Ana", "Ben")}
AT = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
LEDGER, WEB = Choice(id="ledger", name="Ledger"), Choice(id="web", name="Web")
POLICY = Evidence(kind=EvidenceKind.ROLE, text="role policy “Payments”")


def matches(*people: str, roles: tuple[str, ...] = ()) -> tuple[Match, ...]:
    return tuple(Match(individual=person, evidence=(POLICY,), roles=roles) for person in people)


@pytest.mark.feature("L11", "E7")
def test_who_was_left_out_is_told_by_name() -> None:
    body = EngagementAnswered(how=HeldAnswer.NONE, people=(), left_out=("ben", "ana"))
    event = Event(seq=9, at=AT, command_id="c", actor="ana", body=body)
    assert people_in([event]) == {"ana", "ben"}
    (entry,) = entries([event], NAMES, DEFAULT_LIFECYCLE)
    assert [person.name for person in entry.left_out] == ["Ana", "Ben"]


@pytest.mark.feature("L11", "E7")
def test_by_when_an_answer_is_waited_for_is_a_moment() -> None:
    body = EngagementHeld(people=matches("ana"), attributes_seq=3, limit=1, until=AT)
    (entry,) = entries([Event(seq=9, at=AT, command_id="c", actor=None, body=body)], NAMES, DEFAULT_LIFECYCLE)
    assert entry.until == AT


@pytest.mark.feature("L11", "E9")
def test_why_the_commander_was_chosen_who_was_in_already_is_no_entry() -> None:
    body = RolesAssigned(people=matches("ana", roles=(COMMANDER,)))
    assert entries([Event(seq=9, at=AT, command_id="c", actor=None, body=body)], NAMES, DEFAULT_LIFECYCLE) == []


def answered(how: HeldAnswer, *people: str) -> EngagementAnswered:
    return EngagementAnswered(how=how, people=people)


@pytest.mark.feature("L11", "E7", "E9", "E10")
@pytest.mark.parametrize(
    ("body", "actor", "text", "detail", "note"),
    [
        (CommanderChanged(before=None, after="ana", note=POLICY.text), None, "made Ana commander", POLICY.text, None),
        (
            CommanderChanged(before=None, after="ana", stand_in=True),
            None,
            "made Ana commander, until it is known whom the role policies choose",
            None,
            None,
        ),
        (
            CommanderChanged(before="ana", after="ben", note="see disk 3"),
            "ana",
            "made Ben commander",
            "Ana was the commander before",
            "see disk 3",
        ),
        (
            CommanderChanged(before="ana", after="ana", note=POLICY.text),
            None,
            "Ana stays commander",
            POLICY.text,
            None,
        ),
        (RolesAssigned(people=matches("ana", roles=("scribe",))), None, "Ana is now scribe", None, None),
        (
            NoRoom(people=12, services=1),
            None,
            "there was no room for 12 more people and 1 more on-call service",
            "An incident has room for 5,000 people, 1,000 roles of theirs, and 50 on-call services to wait for.",
            None,
        ),
        (
            Absorbed(incident="other", reference=3, unanswered=1),
            "ana",
            "merged INC-3 into this incident",
            "1 person did not come along: it had not been answered yet whether they come in.",
            None,
        ),
        (RolesAwaited(), None, "the role policies do not answer; Muster keeps asking", None, None),
        (RolesChosen(), None, "the role policies have answered", None, None),
        (
            OnCallAwaited(
                waiting=(
                    Waiting(service=LEDGER, evidence=(), role=COMMANDER, reason="It is away."),
                    Waiting(service=WEB, evidence=()),
                ),
            ),
            None,
            "nobody could say who is on call for Ledger and Web; Muster keeps asking",
            "It is away.",
            None,
        ),
        (
            OnCallResolved(service=LEDGER, role="responder", people=("ana", "ben")),
            None,
            "Ana and Ben are on call for Ledger",
            None,
            None,
        ),
        (OnCallResolved(service=LEDGER, role="responder"), None, "nobody is on call for Ledger", None, None),
        (
            OnCallResolved(service=LEDGER, role="responder", reason="It was deleted."),
            None,
            "Ledger is not asked any more who is on call",
            "It was deleted.",
            None,
        ),
        (
            EngagementHeld(people=matches("ana", "ben"), attributes_seq=3, limit=1, until=AT),
            None,
            "2 people match and are held back: more than 1 would come in at once",
            None,
            None,
        ),
        (
            EngagementHeld(people=matches("ana"), attributes_seq=4, limit=1, until=AT),
            None,
            "1 more person matches and is held back with the others",
            None,
            None,
        ),
        (
            Edited(
                before=AttributeChanges(title="Slow", description="a", tags=()),
                changes=AttributeChanges(title="Down", description="b", tags=("Payments", "eu")),
                visibility=Visibility.RESTRICTED,
                visibility_before=Visibility.PUBLIC,
            ),
            "ana",
            "changed the title, description, tags and visibility",
            "title: “Slow” → “Down”; tags: none → “Payments”, “eu”; visibility: public → restricted",
            None,
        ),
        (answered(HeldAnswer.ALL, "ana", "ben"), "ana", "brought in all who were held back: 2 people", None, None),
        (answered(HeldAnswer.CHOSEN, "ana"), "ana", "brought in 1 person of those who were held back", None, None),
        (answered(HeldAnswer.NONE), "ana", "brought in nobody of those who were held back", None, None),
        (
            answered(HeldAnswer.NO_ANSWER, "ana"),
            None,
            "nobody answered in time: all who were held back come in, 1 person",
            None,
            None,
        ),
    ],
)
def test_what_is_said(body: Body, actor: str | None, text: str, detail: Any, note: Any) -> None:
    event = Event(seq=9, at=AT, command_id="c", actor=actor, body=body)
    assert people_in([event]) <= set(NAMES)
    (entry,) = entries([event], NAMES, DEFAULT_LIFECYCLE)
    assert (entry.text, entry.detail, entry.note) == (text, detail, note)
    assert entry.actor == (NAMES[actor] if actor else None)
