"""Who comes in by roles, by on-call services that answer late, and by the commander's answer about a crowd."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.workflows.domain.incidents import Log, reported
from workflows.domain import commands as ask
from workflows.domain.attributes import AttributeChanges, Choice
from workflows.domain.decide import decide
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.errors import Refused
from workflows.domain.events import BODY, Departure, ParticipantsEngaged, RolesAssigned, Visibility
from workflows.domain.incident import evolve

LEDGER = Choice(id="ledger", name="Ledger")
POLICY = Evidence(kind=EvidenceKind.ROLE, text="role policy “Payments”", id="policy-1", version=3)
RULE = Evidence(kind=EvidenceKind.RULE, text="when severity is High", id="rule-1", version=1)
UNTIL = datetime(2026, 2, 1, tzinfo=UTC)


def chosen(individual: str, *roles: str) -> Match:
    return Match(individual=individual, evidence=(POLICY,), roles=roles)


def matched(*individuals: str) -> tuple[Match, ...]:
    return tuple(Match(individual=person, evidence=(RULE,), roles=("responder",)) for person in individuals)


def scribe(individual: str, evidence: Evidence) -> Match:
    return Match(individual=individual, evidence=(evidence,), roles=("scribe",))


def waiting(role: str = "responder", *, by_policy: bool | None = None) -> Waiting:
    by_policy = role != "responder" if by_policy is None else by_policy
    return Waiting(service=LEDGER, evidence=(POLICY if by_policy else RULE,), role=role)


def opened(roles: Roles | None = Roles(), **report: Any) -> Log:  # noqa: B008  (immutable)
    log = Log(reported(**report))
    log.give(ask.Open(command_id="open", roles=roles))
    return log


def kinds(log: Log) -> list[str]:
    return [event.body.kind for event in log.events]


def resolve(
    log: Log, *people: Match, role: str = "responder", by_policy: bool | None = None, reason: str | None = None
) -> list[str]:
    by_policy = role != "responder" if by_policy is None else by_policy
    command = ask.ResolveOnCall(
        command_id=f"r{log.state.seq}", service=LEDGER, role=role, by_policy=by_policy, matches=people, reason=reason
    )
    return [event.body.kind for event in log.give(command)]


def hold(log: Log, *people: str, until: datetime = UNTIL) -> Log:
    log.give(ask.Hold(command_id=f"h{log.state.seq}", matches=matched(*people), limit=1, until=until))
    return log


def answer(log: Log, bring_in: Any, actor: str | None = "rita", **more: Any) -> None:
    log.give(ask.AnswerEngagement(command_id=f"a{log.state.seq}", actor=actor, bring_in=bring_in, **more))


def bring_in(log: Log, *people: str) -> None:
    log.give(ask.BringIn(command_id=f"b{log.state.seq}", matches=matched(*people)))


# ── roles (E9) ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.feature("E9")
def test_a_role_policy_chooses_the_commander_and_says_why() -> None:
    log = opened(Roles(commander=chosen("ana", COMMANDER), others=(chosen("ben", "scribe"), chosen("rita", "liaison"))))
    state = log.state
    assert (state.commander, state.stand_in) == ("ana", False)
    assert {person: each.roles for person, each in state.participants.items()} == {
        "rita": ("liaison",), "ana": (), "ben": ("scribe",)
    }  # fmt: skip
    changed = next(event.body for event in log.events if event.body.kind == "commander_changed")
    assert (changed.after, changed.note) == ("ana", POLICY.text)
    assert "roles_awaited" not in kinds(log)


@pytest.mark.feature("E9")
@pytest.mark.parametrize("named", ["carl", "rita"])
def test_a_commander_named_in_the_report_wins_over_the_policies(named: str) -> None:
    log = opened(
        Roles(commander=chosen("ana", COMMANDER), others=(chosen("ben", "scribe"),), waiting=(waiting(COMMANDER),)),
        commander=named,
    )
    assert (log.state.commander, log.state.stand_in, log.state.waiting) == (named, False, ())
    assert set(log.state.participants) == {"rita", named, "ben"}


@pytest.mark.feature("E9", "E10")
def test_the_reporter_stands_in_until_the_service_says_who_is_on_call() -> None:
    log = opened(Roles(waiting=(waiting(COMMANDER),)))
    assert (log.state.commander, log.state.stand_in) == ("rita", True)
    assert resolve(log, chosen("ana", COMMANDER), role=COMMANDER) == [
        "participants_engaged", "commander_changed", "on_call_resolved"
    ]  # fmt: skip
    assert (log.state.commander, log.state.stand_in, log.state.waiting) == ("ana", False, ())
    assert log.state.present("rita")


@pytest.mark.feature("E9", "E10")
def test_only_a_stand_in_makes_way() -> None:
    log = opened(Roles(waiting=(waiting(COMMANDER),)))
    log.give(ask.Add(command_id="add", match=chosen("mia", "participant")))
    log.give(ask.AssignCommander(command_id="hand-over", actor="rita", individual="mia", note=" the logs are in S3 "))
    assert log.state.waiting == ()
    assert resolve(log, chosen("ana", COMMANDER), role=COMMANDER) == []
    assert (log.state.commander, "ana" in log.state.participants) == ("mia", False)
    changed = [event.body for event in log.events if event.body.kind == "commander_changed"]
    assert changed[-1].note == "the logs are in S3"


@pytest.mark.feature("E9", "E5")
def test_who_went_is_not_made_commander_by_a_policy() -> None:
    log = opened(Roles(waiting=(waiting(COMMANDER),)))
    log.give(ask.Add(command_id="add", match=chosen("ana", "participant")))
    log.give(ask.Leave(command_id="leave", individual="ana", how=Departure.NOT_RELEVANT))
    assert resolve(log, chosen("ana", COMMANDER), role=COMMANDER) == ["on_call_resolved"]
    assert log.state.commander == "rita"


@pytest.mark.feature("E9")
def test_policies_that_could_not_be_asked_are_followed_late_and_once() -> None:
    log = opened(None)
    assert (log.state.commander, log.state.stand_in, log.state.roles_awaited) == ("rita", True, True)
    command = ask.AssignRoles(command_id="roles", roles=Roles(commander=chosen("ana"), others=(chosen("ana", "scribe"),)))
    log.give(command)
    assert (log.state.commander, log.state.roles_awaited) == ("ana", False)
    assert log.state.participants["ana"].roles == ("scribe",)
    assert kinds(log).count("participants_engaged") == 2
    assert decide(command, log.state) == []


@pytest.mark.feature("E9")
def test_a_role_is_taken_on_once_by_who_is_in_already() -> None:
    log = opened(None)
    log.give(ask.AssignRoles(command_id="roles", roles=Roles(others=(chosen("rita", "scribe"),))))
    assert kinds(log)[-2:] == ["roles_assigned", "roles_chosen"]
    assert log.state.participants["rita"].roles == ("scribe",)
    log.give(ask.AwaitOnCall(command_id="await", waiting=(waiting("scribe", by_policy=False),)))
    assert resolve(log, scribe("rita", RULE), role="scribe", by_policy=False) == ["on_call_resolved"]


@pytest.mark.feature("E9", "E10", "E4")
@pytest.mark.parametrize("way", ["at once", "late", "in a crowd"])
def test_a_rule_gives_its_role_to_who_is_in_already_however_they_are_found(way: str) -> None:
    log, rita = opened(), scribe("rita", RULE)
    if way == "late":
        log.give(ask.AwaitOnCall(command_id="await", waiting=(waiting("scribe", by_policy=False),)))
        resolve(log, rita, role="scribe", by_policy=False)
    elif way == "at once":
        log.give(ask.Engage(command_id="engage", matches=(rita, scribe("ana", RULE))))
        assert log.state.participants["ana"].roles == ("scribe",)
    else:
        log.give(ask.Hold(command_id="hold", matches=(rita, scribe("ana", RULE)), limit=1, until=UNTIL))
        assert list(log.state.asked()) == ["ana"]
    assert log.state.participants["rita"].roles == ("scribe",)
    assert told(log, "rita")[1:] == [RULE]
    assert decide(ask.Engage(command_id="again", matches=(rita,)), log.state) == []


@pytest.mark.feature("E9", "E5")
def test_a_rule_gives_no_role_to_who_went_was_left_out_or_is_asked_about() -> None:
    log = opened()
    log.give(ask.Add(command_id="add", match=chosen("ana", "participant")))
    log.give(ask.Leave(command_id="leave", individual="ana", how=Departure.LEFT))
    answer(hold(log, "ben"), "none")
    hold(log, "cleo")
    people = tuple(scribe(each, RULE) for each in ("ana", "ben", "cleo"))
    assert decide(ask.Engage(command_id="engage", matches=people), log.state) == []


@pytest.mark.feature("E9", "E6")
@pytest.mark.parametrize("in_charge", ["rita", "mia"])
@pytest.mark.parametrize("by", ["policies", "service"])
def test_a_late_policy_that_chooses_who_is_in_already_leaves_its_evidence_and_ends_the_stand_in(in_charge: str, by: str) -> None:
    log = opened(None if by == "policies" else Roles(waiting=(waiting(COMMANDER),)))
    log.give(ask.Engage(command_id="engage", matches=matched("mia")))
    assert log.state.stand_in
    if by == "policies":
        log.give(ask.AssignRoles(command_id="roles", roles=Roles(commander=chosen(in_charge, COMMANDER))))
    else:
        resolve(log, chosen(in_charge, COMMANDER), role=COMMANDER)
    assert (log.state.commander, log.state.stand_in, log.state.waiting) == (in_charge, False, ())
    assert told(log, in_charge)[-1] == POLICY
    # They are told if they did not command before.
    assert bool(log.state.hand_over_seq) == (in_charge == "mia")


# ── on call (E10) ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.feature("E10")
def test_a_service_is_waited_for_once_and_its_people_come_in() -> None:
    log = opened()
    for number in (1, 2):
        log.give(ask.AwaitOnCall(command_id=f"await-{number}", waiting=(waiting(), waiting())))
    assert kinds(log).count("on_call_awaited") == 1
    assert resolve(log, *matched("ana")) == ["participants_engaged", "on_call_resolved"]
    assert resolve(log, *matched("ben")) == []
    assert (log.state.present("ana"), "ben" in log.state.participants) == (True, False)


@pytest.mark.feature("E10")
def test_a_service_that_is_not_to_be_asked_again_says_why() -> None:
    log = opened()
    log.give(ask.AwaitOnCall(command_id="await", waiting=(waiting(),)))
    assert resolve(log, reason="the service was deleted") == ["on_call_resolved"]
    assert log.state.waiting == ()


@pytest.mark.feature("E10", "E5")
def test_who_went_or_was_left_out_is_not_pulled_in_by_being_on_call() -> None:
    log = opened()
    log.give(ask.AwaitOnCall(command_id="await", waiting=(waiting(),)))
    log.give(ask.Engage(command_id="engage", matches=matched("ana")))
    log.give(ask.Leave(command_id="leave", individual="ana", how=Departure.LEFT))
    answer(hold(log, "ben", "cleo", "dora"), ("ben",))
    assert resolve(log, *matched("ana", "ben", "cleo")) == ["participants_engaged", "on_call_resolved"]
    assert [person for person in ("ana", "ben", "cleo") if log.state.present(person)] == ["ben"]


def both_wait(first: str) -> Log:
    """A policy and a rule wait for the same service to say who is scribe."""
    log = opened(None)
    policy = ask.AssignRoles(command_id="roles", roles=Roles(waiting=(waiting("scribe", by_policy=True),)))
    rule = ask.AwaitOnCall(command_id="await", waiting=(waiting("scribe", by_policy=False),), found_for=Visibility.PUBLIC)
    for command in (policy, rule) if first == "policy" else (rule, policy):
        log.give(command)
    assert sorted(each.by_policy for each in log.state.waiting) == [False, True]
    return log


def told(log: Log, person: str) -> list[Evidence]:
    """The evidence that somebody came in with, and was given roles with since."""
    bodies = [event.body for event in log.events if isinstance(event.body, ParticipantsEngaged | RolesAssigned)]
    return [piece for body in bodies for each in body.people if each.individual == person for piece in each.evidence]


@pytest.mark.feature("E10", "E9")
@pytest.mark.parametrize("first", ["policy", "rule"])
def test_policies_that_choose_otherwise_end_nothing_that_a_rule_waits_for(first: str) -> None:
    log = both_wait(first)
    resolve(log, scribe("ben", POLICY), role="scribe", by_policy=True, reason="The role policies choose otherwise by now.")
    assert [each.by_policy for each in log.state.waiting] == [False]
    resolve(log, scribe("ana", RULE), role="scribe", by_policy=False)
    assert log.state.waiting == ()
    assert (told(log, "ana"), told(log, "ben")) == ([RULE], [POLICY])
    assert log.state.participants["ana"].roles == ("scribe",)


@pytest.mark.feature("E10", "E9", "R7")
@pytest.mark.parametrize("first", ["policy", "rule"])
def test_a_policy_goes_on_waiting_when_a_restriction_ends_what_a_rule_waits_for(first: str) -> None:
    log = both_wait(first)
    log.give(ask.Edit(command_id="restrict", visibility=Visibility.RESTRICTED))
    assert [each.by_policy for each in log.state.waiting] == [True]
    assert resolve(log, scribe("ana", RULE), role="scribe", by_policy=False) == []
    resolve(log, scribe("ana", POLICY), role="scribe", by_policy=True)
    assert told(log, "ana") == [POLICY]


@pytest.mark.feature("E10", "E9", "E6")
@pytest.mark.parametrize("first", ["policy", "rule"])
def test_who_is_on_call_for_a_policy_and_a_rule_comes_in_once_with_both_reasons(first: str) -> None:
    log = both_wait("policy")
    answers = {True: [scribe("ana", POLICY)], False: [scribe("ana", RULE), scribe("ben", RULE)]}
    for by_policy in (first == "policy", first != "policy"):
        resolve(log, *answers[by_policy], role="scribe", by_policy=by_policy)
    assert log.state.waiting == ()
    engaged = [event.body for event in log.events if isinstance(event.body, ParticipantsEngaged)]
    assert sorted(each.individual for body in engaged for each in body.people) == ["ana", "ben", "rita"]
    assert sorted(each.kind for each in told(log, "ana")) == ["role", "rule"]
    assert told(log, "ben") == [RULE]
    assert log.state.participants["ana"].roles == log.state.participants["ben"].roles == ("scribe",)


@pytest.mark.feature("E10")
def test_an_answer_that_was_recorded_without_who_waited_ends_what_there_was() -> None:
    log = opened()
    log.give(ask.AwaitOnCall(command_id="await", waiting=(waiting(), waiting("scribe"))))
    old = {"kind": "on_call_resolved", "service": LEDGER.model_dump(), "role": "scribe"}
    event = log.events[-1].model_copy(update={"seq": log.state.seq + 1, "body": BODY.validate_python(old)})
    assert [each.role for each in evolve(log.state, event).waiting] == ["responder"]


@pytest.mark.feature("E10", "L1")
def test_an_incident_that_is_over_asks_nobody_and_goes_on_when_it_is_reopened() -> None:
    log = opened(Roles(waiting=(waiting(COMMANDER),)))
    log.move("closed")
    assert list(log.state.asking) == []
    assert resolve(log, chosen("ana", COMMANDER), role=COMMANDER) == []
    log.move("active")
    assert [each.role for each in log.state.asking] == [COMMANDER]
    resolve(log, chosen("ana", COMMANDER), role=COMMANDER)
    assert log.state.commander == "ana"


# ── the storm guard (E7) ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.feature("E7")
def test_who_is_held_is_not_in_and_is_not_asked_about_twice() -> None:
    log = hold(opened(), "ana", "ben")
    hold(log, "ben", "cleo", until=datetime(2026, 3, 1, tzinfo=UTC))
    assert set(log.state.participants) == {"rita"}
    assert (list(log.state.asked()), log.state.held_until) == (["ana", "ben", "cleo"], UNTIL)
    assert decide(ask.Hold(command_id="h", matches=matched("ana"), limit=1, until=UNTIL), log.state) == []
    assert decide(ask.Engage(command_id="e", matches=matched("ana")), log.state) == []


@pytest.mark.feature("E7")
@pytest.mark.parametrize(
    ("given", "actor", "how", "inside"),
    [
        ("all", "rita", "all", ["ana", "ben"]),
        ("none", "rita", "none", []),
        ((), "rita", "none", []),
        (("ben",), "rita", "chosen", ["ben"]),
        (("ben", "rita"), "rita", "chosen", ["ben"]),
        ("all", None, "no_answer", ["ana", "ben"]),
    ],
)
def test_the_answer_says_who_comes_in(given: Any, actor: str | None, how: str, inside: list[str]) -> None:
    log = hold(opened(), "ana", "ben")
    answer(log, given, actor)
    answered = log.events[-1].body
    assert answered.kind == "engagement_answered"
    assert (answered.how, list(answered.people)) == (how, inside)
    bring_in(log, "ana", "ben")
    assert [person for person in ("ana", "ben") if log.state.present(person)] == inside
    assert (log.state.called(), log.state.asked(), log.state.held_until) == ({}, {}, None)
    # Who was left out stays out by every match; not by hand.
    log.give(ask.Engage(command_id="engage", matches=matched("ana", "ben")))
    hold(log, "ana", "ben")
    assert [person for person in ("ana", "ben") if log.state.present(person)] == inside
    assert log.state.held_until is None
    log.give(ask.Add(command_id="add", match=chosen("ana", "participant")))
    assert log.state.present("ana")


@pytest.mark.feature("E7")
def test_what_cannot_be_answered() -> None:
    log = opened()
    hold(log, "ana")
    seq = log.state.seq
    for bring, expected_seq, code in ((("nobody",), None, "not_held"), ("all", seq - 1, "version_conflict")):
        with pytest.raises(Refused) as refused:
            answer(log, bring, expected_seq=expected_seq)
        assert refused.value.code == code
    answer(log, "all", expected_seq=seq)
    with pytest.raises(Refused) as again:
        answer(log, "none")
    assert again.value.code == "engagement_not_held"
    # Muster itself gives way to who answered at the last moment.
    assert decide(ask.AnswerEngagement(command_id="late", bring_in="all"), log.state) == []


@pytest.mark.feature("E7")
def test_an_answer_counts_if_nobody_is_asked_about_who_was_not_shown() -> None:
    log = hold(hold(opened(), "ana"), "ben")
    shown = max(log.state.asked().values())
    log.give(ask.Add(command_id="add", match=chosen("ben", "participant")))
    answer(log, ("ana", "ben"), expected_seq=shown)
    assert list(log.state.called()) == ["ana"]


@pytest.mark.feature("E7", "E8")
def test_who_joins_meanwhile_is_not_asked_about_and_who_left_again_is_not_brought_in() -> None:
    log = hold(opened(), "ana", "ben")
    for person in ("ana", "ben"):
        log.give(ask.Add(command_id=f"join-{person}", actor=person, match=chosen(person, "participant"), joined=True))
    assert log.state.held_until is None
    hold(log, "cleo")
    log.give(ask.Leave(command_id="leave", individual="ana", how=Departure.LEFT))
    answer(log, "all")
    bring_in(log, "ana", "ben", "cleo")
    assert [person for person in ("ana", "ben", "cleo") if log.state.present(person)] == ["ben", "cleo"]
    assert kinds(log).count("participants_engaged") == 4


@pytest.mark.feature("E7", "L1")
def test_a_merge_asks_nothing_and_brings_in_nobody_whom_the_answer_left_out_or_who_is_asked_about() -> None:
    log = hold(opened(), "ana", "ben")
    answer(log, ("ana",))
    hold(log, "cleo")
    log.give(ask.Absorb(command_id="absorb", incident="other", reference=7, matches=matched("ana", "ben", "cleo", "dora", "ed")))
    assert set(log.state.participants) == {"rita", "dora", "ed"}
    bring_in(log, "ana")
    assert log.state.present("ana")
    assert list(log.state.asked()) == ["cleo"]


@pytest.mark.feature("E7", "R7")
def test_an_incident_that_is_restricted_forgets_whom_it_held_for_everyones_eyes() -> None:
    log = hold(opened(Roles(waiting=(waiting(COMMANDER),))), "ana")
    log.give(ask.AwaitOnCall(command_id="await", waiting=(waiting(),)))
    late = ask.Engage(command_id="late", matches=matched("zoe"), found_for=Visibility.PUBLIC)
    before = log.state.attributes_seq
    log.give(ask.Edit(command_id="restrict", visibility=Visibility.RESTRICTED))
    assert (log.state.held, log.state.held_until) == ({}, None)
    assert [each.role for each in log.state.waiting] == [COMMANDER]
    assert decide(late, log.state) == []
    # So that it is looked at again, with the terms that count now.
    assert log.state.attributes_seq > before


@pytest.mark.feature("E7", "L1")
def test_nobody_is_asked_about_an_incident_that_is_over() -> None:
    log = hold(opened(), "ana", "ben")
    log.move("closed")
    assert (log.state.held, log.state.held_until) == ({}, None)
    with pytest.raises(Refused) as refused:
        answer(log, "all")
    assert refused.value.code == "incident_over"
    log.move("active")
    hold(log, "ana", "ben", until=datetime(2026, 3, 1, tzinfo=UTC))
    assert log.state.held_until == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.feature("E7", "L1")
def test_an_answer_outlives_a_closing() -> None:
    log = hold(opened(), "ana", "ben")
    answer(log, ("ana",))
    log.move("closed").move("active")
    log.give(ask.Edit(command_id="edit", changes=AttributeChanges(title="Leak")))
    assert (list(log.state.called()), log.state.kept_out("ben")) == (["ana"], True)
