"""Role policies (E9): the first that holds, and whose assignee can be, chooses."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.workflows.domain.test_rules import condition
from workflows.domain.engagement import COMMANDER, EvidenceKind, Match
from workflows.domain.roles import RolePolicy, choose, policy_sentence
from workflows.domain.rules import Attribute, Group, Operator, Quantifier, Target, TargetKind

pytestmark = pytest.mark.feature("E9")

ROLES: Final = (COMMANDER, "Scribe", "Liaison")
PEOPLE: Final = tuple(Target(kind=TargetKind.INDIVIDUAL, id=each) for each in ("ana", "ben", "cai"))
SERVICES: Final = tuple(Target(kind=TargetKind.ONCALL, id=each) for each in ("ledger", "payments"))
NAMES: Final = {"ledger": "Ledger", "payments": "Payments", "high": "High", "security": "Security", "ana": "Ana"}
SEVERE: Final = Group(quantifier=Quantifier.ALL, members=(condition(Attribute.SEVERITY, Operator.AT_LEAST, "high"),))


def policy(number: int, role: str, assignee: Target, when: Group = SEVERE) -> RolePolicy:
    return RolePolicy(id=f"p{number}", version=number, name=f"Policy {number}", when=when, role=role, assignee=assignee)


@st.composite
def policies(draw: st.DrawFn) -> list[RolePolicy]:
    chosen = draw(st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(PEOPLE + SERVICES)), max_size=8))
    return [policy(number, role, assignee) for number, (role, assignee) in enumerate(chosen)]


STANDING = st.fixed_dictionaries(
    {each: st.sampled_from([[], [each.id]]) for each in PEOPLE}
    | {each: st.lists(st.sampled_from(["ana", "ben", "dia"]), max_size=2, unique=True) for each in SERVICES}
)
FAILED = st.dictionaries(st.sampled_from([each.id for each in SERVICES]), st.just("It is away."))


@given(policies(), STANDING, FAILED)
def test_for_each_role_the_first_that_can_chooses(
    held: list[RolePolicy], people: dict[Target, list[str]], failed: dict[str, str]
) -> None:
    found = choose(held, people, failed, NAMES)
    chosen = {each.roles[0]: each for each in (*found.others, *([found.commander] if found.commander else []))}
    waiting = {each.role: each for each in found.waiting}
    assert chosen.keys().isdisjoint(waiting)
    for role in ROLES:
        able = [each for each in held if each.role == role and (people[each.assignee] or each.assignee.id in failed)]
        if not able:
            assert role not in chosen.keys() | waiting.keys()
            continue
        first = able[0]
        told = waiting[role] if first.assignee.id in failed else chosen[role]
        [piece] = told.evidence
        assert (piece.kind, piece.id, piece.version) == (EvidenceKind.ROLE, first.id, first.version)
        assert f"{role} by the role policy “{first.name}”" == piece.text
        if first.assignee.id in failed:
            assert (waiting[role].service.id, waiting[role].reason) == (first.assignee.id, "It is away.")
        else:
            mine = [each.individual for each in (found.commander, *found.others) if each and each.roles == (role,)]
            assert mine == people[first.assignee][: 1 if role == COMMANDER else None]


@given(policies(), STANDING, FAILED)
def test_a_policy_for_one_role_changes_no_other(
    held: list[RolePolicy], people: dict[Target, list[str]], failed: dict[str, str]
) -> None:
    def others(given: list[RolePolicy]) -> tuple[Match, ...]:
        return tuple(each for each in choose(given, people, failed, NAMES).others if each.roles == ("Scribe",))

    assert others(held) == others([each for each in held if each.role == "Scribe"])


def test_a_policy_reads_as_a_sentence() -> None:
    when = Group(
        quantifier=Quantifier.ALL,
        members=(condition(Attribute.TYPE, Operator.IS, "security"), *SEVERE.members),
    )
    assert policy_sentence(policy(1, COMMANDER, SERVICES[0], when), NAMES) == (
        "when type is Security and severity is at least High, the commander is whoever is on call for Ledger"
    )
    assert policy_sentence(policy(1, "Scribe", PEOPLE[0]), NAMES) == "when severity is at least High, the Scribe is Ana"


def test_a_team_has_no_role() -> None:
    with pytest.raises(ValidationError, match="a team as a whole has no role"):
        policy(1, COMMANDER, Target(kind=TargetKind.TEAM, id="t"))
