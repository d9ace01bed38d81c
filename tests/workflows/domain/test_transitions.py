"""Which moves the lifecycle allows, as a table, and what each leaves behind."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.workflows.domain.incidents import Log, reported
from workflows.domain.commands import ChangeStatus
from workflows.domain.decide import decide
from workflows.domain.errors import Refused
from workflows.domain.events import Reported
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE, OVER, Category, LifecycleSettings

STATUSES = "reported investigating fixing stable documenting reviewing closed declined cancelled merged"
COLUMNS = STATUSES.split()
# + allowed, · refused, = there already
MATRIX = """
reported        =            +      +      ·      ·           ·         ·      +        +         +
investigating   ·            =      +      +      +           +         +      +        +         +
fixing          ·            +      =      +      +           +         +      +        +         +
stable          ·            +      +      =      +           +         +      ·        ·         +
documenting     ·            +      +      ·      =           +         +      ·        ·         +
reviewing       ·            +      +      ·      +           =         +      ·        ·         +
closed          ·            +      +      ·      ·           ·         =      ·        ·         ·
declined        ·            ·      ·      ·      ·           ·         ·      =        ·         ·
cancelled       ·            ·      ·      ·      ·           ·         ·      ·        =         ·
merged          ·            ·      ·      ·      ·           ·         ·      ·        ·         =
"""
ROWS = [line.split() for line in MATRIX.strip().splitlines()]
PATHS = {
    "reported": [],
    "investigating": ["investigating"],
    "fixing": ["fixing"],
    "stable": ["investigating", "stable"],
    "documenting": ["investigating", "documenting"],
    "reviewing": ["investigating", "reviewing"],
    "closed": ["investigating", "closed"],
    "declined": ["declined"],
    "cancelled": ["cancelled"],
    "merged": ["merged"],
}


def at(status: str) -> Log:
    log = Log()
    for step in PATHS[status]:
        log.move(step)
    return log


@pytest.mark.feature("L1")
@pytest.mark.parametrize(
    ("source", "target", "mark"),
    [(row[0], target, mark) for row in ROWS for target, mark in zip(COLUMNS, row[1:], strict=True)],
)
def test_the_table_of_moves(source: str, target: str, mark: str) -> None:
    log = at(source)
    command = ChangeStatus(command_id="c", to=target, reason="because", into="another")
    if mark == "+":
        log.give(command)
        assert log.state.status_id == target
        assert log.state.over == (log.state.status.category in OVER)
        return
    before = log.state
    with pytest.raises(Refused) as refused:
        log.give(command)
    assert refused.value.code == {"=": "already_in_status", "·": "transition_not_allowed"}[mark]
    assert log.state == before


@pytest.mark.feature("L1")
def test_what_is_said_to_be_reachable_is_what_is_allowed() -> None:
    for row in ROWS:
        reachable = {status.id for status in at(row[0]).state.reachable()}
        assert reachable & set(COLUMNS) == {target for target, mark in zip(COLUMNS, row[1:], strict=True) if mark == "+"}


@pytest.mark.feature("L1")
@pytest.mark.parametrize("reason", [None, "", "   \n"])
@pytest.mark.parametrize("target", ["declined", "cancelled"])
def test_ending_without_a_response_needs_a_reason(target: str, reason: str | None) -> None:
    with pytest.raises(Refused) as refused:
        at("reported").give(ChangeStatus(command_id="c", to=target, reason=reason))
    assert refused.value.code == "reason_required"


@pytest.mark.feature("L1")
@pytest.mark.parametrize(("into", "code"), [(None, "merge_target_required"), ("incident-1", "merge_into_itself")])
def test_merging_needs_another_incident(into: str | None, code: str) -> None:
    with pytest.raises(Refused) as refused:
        at("stable").give(ChangeStatus(command_id="c", to="merged", into=into))
    assert refused.value.code == code


@pytest.mark.feature("L1")
def test_the_incident_merged_into_is_kept_for_merging_only() -> None:
    log = at("stable")
    log.give(ChangeStatus(command_id="c", to="closed", into="another"))
    assert log.state.merged_into is None
    log = at("stable")
    log.give(ChangeStatus(command_id="c", to="merged", into="another"))
    assert log.state.merged_into == "another"


@pytest.mark.feature("L1", "L3")
def test_a_category_names_its_first_status_and_the_learning_flow_goes_first() -> None:
    log = at("reported")
    log.give(ChangeStatus(command_id="a", to="active"))
    assert log.state.status_id == "investigating"
    log.give(ChangeStatus(command_id="b", to="closed", run_learning_flow=True))
    assert log.state.status_id == "documenting"
    log.give(ChangeStatus(command_id="c", to="closed", run_learning_flow=False))
    assert log.state.status_id == "closed"


@pytest.mark.feature("L1", "L2")
def test_a_status_of_ones_own_is_preferred_to_a_category_of_the_same_name() -> None:
    statuses = [status for status in DEFAULT_LIFECYCLE.statuses if status.category is not Category.ACTIVE]
    own = [
        DEFAULT_LIFECYCLE.status("fixing").model_copy(update={"id": "triage"}),
        DEFAULT_LIFECYCLE.status("fixing").model_copy(update={"id": "active"}),
    ]
    log = Log(reported(lifecycle=LifecycleSettings(version=2, statuses=(*statuses, *own))))
    log.give(ChangeStatus(command_id="a", to="active"))
    assert log.state.status_id == "active"


@pytest.mark.feature("L2")
def test_a_category_the_lifecycle_does_without_is_refused_not_an_error() -> None:
    without = tuple(status for status in DEFAULT_LIFECYCLE.statuses if status.category is not Category.LEARNING)
    log = Log(reported(lifecycle=LifecycleSettings(version=2, statuses=without)))
    log.move("investigating")
    for command in (
        ChangeStatus(command_id="c", to="learning"),
        ChangeStatus(command_id="c", to="closed", run_learning_flow=True),
    ):
        with pytest.raises(Refused) as refused:
            decide(command, log.state)
        assert refused.value.code == "unknown_status"


@pytest.mark.feature("L1")
def test_the_moments_of_a_life() -> None:
    log = Log()
    start = log.now
    log.move("investigating").move("stable")
    stable = log.now
    assert (log.state.stable_at, log.state.ended_at) == (stable, None)
    log.move("documenting").move("closed")
    assert (log.state.stable_at, log.state.ended_at) == (stable, log.now)
    assert list(log.state.stamps) == ["reported", "investigating", "stable", "documenting", "closed"]
    assert log.state.stamps["reported"] == start == log.state.reported_at
    log.move("fixing")
    assert (log.state.stable_at, log.state.ended_at) == (None, None)
    assert log.state.stamps["closed"] < log.state.stamps["fixing"]


@pytest.mark.feature("L1")
@pytest.mark.parametrize("target", ["documenting", "reviewing", "closed"])
def test_skipping_stable_stamps_it_too(target: str) -> None:
    log = at("investigating").move(target)
    assert log.state.stable_at == log.now


@pytest.mark.feature("L1")
@pytest.mark.parametrize("target", ["declined", "cancelled", "merged"])
def test_ending_otherwise_is_not_becoming_stable(target: str) -> None:
    log = at("investigating").move(target)
    assert (log.state.stable_at, log.state.ended_at) == (None, log.now)


@pytest.mark.feature("R7")
def test_a_back_dated_report_started_when_it_occurred() -> None:
    occurred = datetime(2024, 2, 29, 12, tzinfo=UTC)
    report: Reported = reported(occurred_at=occurred)
    log = Log(report)
    assert log.state.started_at == occurred
    assert log.state.reported_at - occurred > timedelta(0)
