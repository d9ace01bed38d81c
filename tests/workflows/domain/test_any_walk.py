"""Any sequence of any commands: the state stays valid, refusals change nothing, and the log says it all."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.workflows.domain.incidents import Log, reported
from workflows.domain import commands as ask
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.decide import decide
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.errors import Refused
from workflows.domain.events import (
    BODY,
    CommanderChanged,
    Departure,
    EngagementHeld,
    Event,
    Resource,
    ResourceKind,
    ResourceState,
    Visibility,
)
from workflows.domain.incident import SEEN_LIMIT, IncidentState
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE, OVER, Category

CODES = {
    "already_in_status", "commander_cannot_leave", "engagement_not_held", "incident_over", "merge_into_itself",
    "merge_target_required", "not_a_participant", "not_held", "reason_required", "resource_not_failed",
    "transition_not_allowed", "unknown_status",
}  # fmt: skip
PEOPLE = ["rita", "carl", "mia", "sam"]
DEADLINES = [datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)]

people = st.sampled_from(PEOPLE)
command_ids = st.sampled_from([f"c{number}" for number in range(60)])
targets = st.sampled_from([*(status.id for status in DEFAULT_LIFECYCLE.statuses), *Category, "nowhere"])
evidence = st.just((Evidence(kind=EvidenceKind.MANUAL, text="asked to"),))
matches = st.builds(
    Match, individual=people, evidence=evidence, roles=st.sampled_from([(), ("participant",), ("responder",), ("scribe",)])
)
several = st.lists(matches, max_size=3, unique_by=lambda person: person.individual).map(tuple)
texts = st.sampled_from(["Leak", "Outage", "", "credential leak"])
changes = st.builds(
    AttributeChanges,
    title=st.none() | st.sampled_from(["Leak", "Outage"]),
    description=st.none() | texts,
    severity=st.none() | st.builds(Choice, id=st.sampled_from(["s1", "s2"]), name=st.just("High")),
    tags=st.none() | st.lists(st.sampled_from(["db", "web"]), max_size=2).map(tuple),
)
resources = st.builds(
    Resource,
    kind=st.sampled_from(ResourceKind),
    state=st.sampled_from(ResourceState),
    url=st.none() | st.just("https://example.org"),
    reason=st.none() | st.just("no"),
)
services = st.builds(Choice, id=st.sampled_from(["ledger", "web"]), name=st.just("On call"))
roles_waited_for = st.sampled_from(["responder", COMMANDER, "scribe"])
pieces = st.builds(Evidence, kind=st.sampled_from([EvidenceKind.ROLE, EvidenceKind.RULE]), text=st.just("a rule"))
waiting = st.builds(Waiting, service=services, evidence=st.tuples(pieces), role=roles_waited_for)
waits = st.lists(waiting, max_size=2, unique_by=lambda each: each.key).map(tuple)
roles = st.builds(Roles, commander=st.none() | matches, others=several, waiting=waits)
found_for = st.none() | st.sampled_from(Visibility)
crowd = st.just("all") | st.just("none") | st.lists(people, max_size=2).map(tuple)
asked = {"command_id": command_ids, "actor": st.none() | people}
commands = st.one_of(
    st.builds(ask.Open, roles=st.none() | roles, **asked),
    st.builds(ask.Edit, changes=changes, visibility=st.none() | st.sampled_from(Visibility), **asked),
    st.builds(
        ask.ChangeStatus,
        to=targets,
        reason=st.sampled_from([None, " ", "because"]),
        into=st.sampled_from([None, "incident-1", "another"]),
        run_learning_flow=st.none() | st.booleans(),
        **asked,
    ),
    st.builds(ask.AssignCommander, individual=people, **asked),
    st.builds(ask.AssignRoles, roles=roles, **asked),
    st.builds(ask.Engage, matches=several, found_for=found_for, **asked),
    st.builds(ask.Hold, matches=several, found_for=found_for, limit=st.just(1), until=st.sampled_from(DEADLINES), **asked),
    st.builds(ask.AnswerEngagement, bring_in=crowd, **asked),
    st.builds(ask.BringIn, matches=several, **asked),
    st.builds(ask.AwaitOnCall, waiting=waits, found_for=found_for, **asked),
    st.builds(ask.ResolveOnCall, service=services, role=roles_waited_for, by_policy=st.booleans(), matches=several, **asked),
    st.builds(ask.Add, match=matches, joined=st.booleans(), **asked),
    st.builds(ask.Leave, individual=people, how=st.sampled_from(Departure), **asked),
    st.builds(ask.SetResource, resource=resources, **asked),
    st.builds(ask.RetryResource, kind=st.sampled_from(ResourceKind), **asked),
    st.builds(ask.Complete, **asked),
    st.builds(ask.AddNote, text=st.just("a note"), **asked),
    st.builds(ask.Absorb, incident=st.just("other"), reference=st.just(3), matches=several, **asked),
)


class AnyWalk(RuleBasedStateMachine):
    @initialize(commander=st.none() | people)
    def report(self, commander: str | None) -> None:
        self.log = Log(reported(commander=commander))
        self.ever: set[str] = set()

    @rule(command=commands)
    def give(self, command: ask.Command) -> None:
        before = self.log.state
        try:
            events = self.log.give(command)
        except Refused as refusal:
            self.refused(refusal, before)
            return
        if command.command_id in before.seen:
            assert events == []
            assert self.log.state == before
            return
        assert all((event.command_id, event.actor) == (command.command_id, command.actor) for event in events)
        self.once_more(command)

    def refused(self, refusal: Refused, before: IncidentState) -> None:
        assert refusal.code in CODES
        assert refusal.message
        assert self.log.state == before

    def once_more(self, command: ask.Command) -> None:
        """By its id it is known; and even if that was forgotten, what sets a thing finds it set already."""
        assert self.log.give(command) == []
        if not isinstance(command, ask.AddNote | ask.Absorb | ask.ChangeStatus | ask.AnswerEngagement):
            assert decide(command, self.log.state) == []

    @precondition(lambda self: self.log.state.status.category is Category.REPORTED)
    @rule()
    def open(self) -> None:
        self.log.give(ask.Open(command_id="open"))
        assert self.log.state.status_id == "investigating"
        assert self.log.state.commander is not None

    @invariant()
    def the_state_is_valid(self) -> None:
        state = self.log.state
        assert state.over == (state.status.category in OVER)
        assert (state.ended_at is not None) == state.over
        assert state.stamps[state.status_id] <= self.log.now
        assert state.commander is None or state.present(state.commander)
        if state.status.category is Category.ACTIVE:
            assert state.stable_at is None
        if state.status.category in {Category.STABLE, Category.LEARNING, Category.CLOSED}:
            assert state.stable_at is not None
        assert (state.merged_into is not None) == (state.status.category is Category.MERGED)
        assert set(state.resources) == set(ResourceKind)
        assert state.attributes_seq <= state.seq == len(self.log.events)

    @invariant()
    def a_question_is_open_exactly_while_someone_is_asked_about(self) -> None:
        state = self.log.state
        assert bool(state.asked()) == (state.held_until is not None)
        assert not (state.over and state.asked())
        assert not state.held.keys() & state.participants.keys()
        for person, held in state.held.items():
            body = self.log.events[held.seq - 1].body
            assert isinstance(body, EngagementHeld)
            assert person in {match.individual for match in body.people}

    @invariant()
    def who_is_told_of_a_hand_over_commands_since_then(self) -> None:
        changes = [(event.seq, event.body.told) for event in self.log.events if isinstance(event.body, CommanderChanged)]
        seq, told = changes[-1] if changes else (0, False)
        assert self.log.state.hand_over_seq == (seq if told else 0)

    @invariant()
    def nothing_is_waited_for_twice(self) -> None:
        """Nor is a commander looked for, once someone commands who does not stand in."""
        keys = [each.key for each in self.log.state.waiting]
        assert len(keys) == len(set(keys))
        assert self.log.state.stand_in or COMMANDER not in {each.role for each in self.log.state.waiting}

    @invariant()
    def nobody_is_forgotten(self) -> None:
        self.ever |= set(self.log.state.participants)
        assert set(self.log.state.participants) == self.ever

    def teardown(self) -> None:
        state = self.log.state
        assert self.log.folded() == state
        assert IncidentState.model_validate_json(state.model_dump_json()) == state
        for event in self.log.events:
            assert Event.model_validate_json(event.model_dump_json()) == event
            assert BODY.validate_json(BODY.dump_json(event.body)) == event.body


AnyWalk.TestCase.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestAnyWalk = pytest.mark.feature("L1", "L11", "E5")(AnyWalk.TestCase)


@pytest.mark.feature("E5")
def test_who_went_is_not_pulled_in_by_a_match_but_can_be_brought_back() -> None:
    log = opened()
    who = Match(individual="mia", evidence=(Evidence(kind=EvidenceKind.TERM, text="leak"),))
    log.give(ask.Engage(command_id="1", matches=(who,)))
    log.give(ask.Leave(command_id="2", individual="mia", how=Departure.NOT_RELEVANT))
    assert log.give(ask.Engage(command_id="3", matches=(who,))) == []
    assert [event.body.kind for event in log.give(ask.Absorb(command_id="4", incident="x", reference=2, matches=(who,)))] == [
        "absorbed"
    ]
    assert not log.state.present("mia")
    log.give(ask.Add(command_id="5", match=who))
    assert log.state.present("mia")


@pytest.mark.feature("E9")
def test_the_commander_is_handed_on_before_going() -> None:
    log = opened()
    log.give(ask.Add(command_id="1", match=Match(individual="mia", evidence=())))
    for command, code in (
        (ask.Leave(command_id="2", individual="rita", how=Departure.LEFT), "commander_cannot_leave"),
        (ask.AssignCommander(command_id="3", individual="sam"), "not_a_participant"),
    ):
        with pytest.raises(Refused) as refused:
            log.give(command)
        assert refused.value.code == code
    log.give(ask.AssignCommander(command_id="4", individual="mia"))
    assert log.give(ask.AssignCommander(command_id="5", individual="mia")) == []
    log.give(ask.Leave(command_id="6", individual="rita", how=Departure.LEFT))
    assert (log.state.commander, log.state.present("rita")) == ("mia", False)


@pytest.mark.feature("E9")
@pytest.mark.parametrize(("named", "expected"), [(None, ["rita"]), ("rita", ["rita"]), ("carl", ["rita", "carl"])])
def test_the_opening_brings_in_the_reporter_and_the_commander(named: str | None, expected: list[str]) -> None:
    log = Log(reported(commander=named))
    log.give(ask.Open(command_id="open"))
    assert list(log.state.participants) == expected
    assert log.state.commander == expected[-1]


@pytest.mark.feature("E9")
def test_what_was_asked_before_the_opening_is_kept() -> None:
    log = Log(reported(commander="carl"))
    log.give(ask.Add(command_id="1", match=Match(individual="mia", evidence=())))
    log.give(ask.AssignCommander(command_id="2", individual="mia"))
    log.move("fixing")
    log.give(ask.Open(command_id="open"))
    assert (log.state.commander, log.state.status_id) == ("mia", "fixing")


def test_only_the_latest_command_ids_are_kept_whatever_the_order_a_database_gave_them() -> None:
    log = Log()
    for number in range(SEEN_LIMIT + 20):
        log.give(ask.AddNote(command_id=f"n{number:04}", text="note"))
        shuffled: dict[str, Any] = dict(sorted(log.state.seen.items(), reverse=True))
        log.state = log.state.model_copy(update={"seen": shuffled})
    assert set(log.state.seen) == {f"n{number:04}" for number in range(20, SEEN_LIMIT + 20)}
    assert log.folded() == log.state


@pytest.mark.feature("L11")
def test_an_older_process_reads_a_newer_record() -> None:
    state = opened().state
    newer = state.model_dump(mode="json") | {"invented_later": [1, 2]}
    assert IncidentState.model_validate(newer) == state


def opened() -> Log:
    log = Log()
    log.give(ask.Open(command_id="open"))
    return log
