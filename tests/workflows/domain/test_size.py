"""However many come in, an incident can continue as new: Temporal takes two megabytes (E7)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.kit.ids import new_id
from tests.support.workflows import reported
from workflows.contracts.incident import IncidentInput
from workflows.domain.engagement import MAX_EVIDENCE, Evidence, EvidenceKind, Match
from workflows.domain.events import Body, EngagementAnswered, EngagementHeld, Event, HeldAnswer, ParticipantsEngaged
from workflows.domain.incident import IncidentState, begin, evolve

pytestmark = pytest.mark.feature("E7")

CROWD = 10_000
MEGABYTE = 1_000_000


def after(state: IncidentState, body: Body) -> IncidentState:
    return evolve(state, Event(seq=state.seq + 1, at=datetime.now(UTC), command_id=new_id(), actor=None, body=body))


def size(state: IncidentState) -> int:
    return len(IncidentInput(state=state).model_dump_json().encode())


def test_a_crowd_of_ten_thousand_is_held_and_comes_in() -> None:
    evidence = (Evidence(kind=EvidenceKind.TERM, text="word " * 90, attribute="description", start=0, end=450),) * MAX_EVIDENCE
    people = tuple(Match(individual=new_id(), evidence=evidence) for _ in range(CROWD))
    first = Event(seq=1, at=datetime.now(UTC), command_id=new_id(), actor="rita", body=reported())
    state = begin(new_id(), new_id(), first)
    until = datetime.now(UTC) + timedelta(minutes=10)
    state = after(state, EngagementHeld(people=people, attributes_seq=1, limit=50, until=until))
    assert len(state.asked()) == CROWD
    assert size(state) < 0.7 * MEGABYTE
    everyone = EngagementAnswered(how=HeldAnswer.ALL, people=tuple(state.asked()))
    assert len(everyone.model_dump_json()) < 0.5 * MEGABYTE
    state = after(after(state, everyone), ParticipantsEngaged(people=people))
    assert len(state.participants) == CROWD
    assert size(state) < 1.6 * MEGABYTE
