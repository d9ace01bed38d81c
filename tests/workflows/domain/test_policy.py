"""Who may do what: the whole matrix against a table in words, and what holds for every cell of it."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workflows.domain.events import Mode, Visibility
from workflows.domain.policy import (
    ACCOUNT_RULES,
    CONTACT_RULES,
    INCIDENT_RULES,
    MESSAGE_RULES,
    NOT_ALLOWED,
    ORGANIZATION_RULES,
    TOKEN_RULES,
    AccountObject,
    Action,
    ContactObject,
    Decision,
    IncidentObject,
    MessageObject,
    Object,
    OrganizationObject,
    Role,
    Scope,
    Subject,
    Tie,
    TokenObject,
    decide,
    grants,
)

pytestmark = pytest.mark.feature("O4", "R7")

# + allowed, - refused with the reason, · not to be known. "closed" is joining where self-join is off.
# Who is several of these may whatever one of them may.
INCIDENTS = """
public           see  work  restrict  answer  join  closed
administrator     +    +       +        +      +      -
commander         +    +       +        +      +      +
participant       +    +       +        -      +      +
reporter          +    +       +        -      +      -
project           +    +       -        -      +      -
anyone            +    -       -        -      +      -

practice         see  work  restrict  answer  join  closed
administrator     +    +       +        +      +      -
commander         +    +       +        +      +      +
participant       +    +       +        -      +      +
reporter          +    +       +        -      +      -
project           +    +       -        -      +      -
anyone            +    +       -        -      +      -

restricted       see  work  restrict  answer  join  closed
administrator     +    +       +        +      +      -
commander         +    +       +        +      +      +
participant       +    +       +        -      +      +
reporter          +    +       +        -      +      -
project           ·    ·       ·        ·      ·      ·
anyone            ·    ·       ·        ·      ·      ·
"""
KIND_OF = {
    "see": "see export leave subscribe",
    "work": "edit change_status assign_commander add_participant remove_participant post retry",
    "restrict": "change_visibility",
    "answer": "answer_engagement",
    "join": "join",
}
OTHERS: list[tuple[str, Object, str]] = [
    # action, object, what it is for an owner, an admin, a member
    ("edit_contact", ContactObject(own=True), "+++"),
    ("edit_contact", ContactObject(own=False), "++-"),
    ("edit_contact", ContactObject(role=Role.MEMBER), "++-"),
    ("edit_contact", ContactObject(role=Role.ADMIN), "++-"),
    ("edit_contact", ContactObject(role=Role.OWNER), "+--"),
    ("edit_contact", ContactObject(own=True, role=Role.OWNER), "+++"),
    ("edit_address", ContactObject(own=True, role=Role.MEMBER), "++-"),
    ("edit_address", ContactObject(own=False), "++-"),
    ("edit_address", ContactObject(role=Role.ADMIN), "++-"),
    ("edit_address", ContactObject(role=Role.OWNER), "+--"),
    ("edit_terms", ContactObject(own=True, role=Role.OWNER), "+++"),
    ("edit_terms", ContactObject(role=Role.OWNER), "++-"),
    ("read_message", MessageObject(own=True), "+++"),
    ("read_message", MessageObject(own=True, opens=Role.OWNER), "+++"),
    ("read_message", MessageObject(), "++·"),
    ("read_message", MessageObject(opens=Role.MEMBER), "++·"),
    ("read_message", MessageObject(opens=Role.ADMIN), "++·"),
    ("read_message", MessageObject(opens=Role.OWNER), "+··"),
    ("manage_account", AccountObject(role=Role.MEMBER), "++-"),
    ("manage_account", AccountObject(role=Role.ADMIN), "++-"),
    ("manage_account", AccountObject(role=Role.OWNER), "+--"),
    ("manage_token", TokenObject(own=True), "+++"),
    ("manage_token", TokenObject(own=True, role=Role.OWNER), "+++"),
    ("manage_token", TokenObject(role=Role.MEMBER), "++·"),
    ("manage_token", TokenObject(role=Role.ADMIN), "++·"),
    ("manage_token", TokenObject(role=Role.OWNER), "+··"),
    ("report", OrganizationObject(), "+++"),
    ("see_members", OrganizationObject(), "+++"),
    ("manage_projects", OrganizationObject(), "++-"),
    ("manage_settings", OrganizationObject(), "++-"),
    ("see_audit", OrganizationObject(), "++-"),
    ("create_organization", OrganizationObject(), "+--"),
]
RULES: list[dict[Action, Any]] = [
    INCIDENT_RULES,
    CONTACT_RULES,
    MESSAGE_RULES,
    ACCOUNT_RULES,
    TOKEN_RULES,
    ORGANIZATION_RULES,
]

incidents = some.builds(
    IncidentObject,
    visibility=some.sampled_from(Visibility),
    mode=some.sampled_from(Mode),
    tie=some.sampled_from(Tie),
    project_member=some.booleans(),
    self_join=some.booleans(),
)
roles = some.sampled_from(Role)
asked = some.one_of(
    some.tuples(some.sampled_from([*INCIDENT_RULES]), incidents),
    some.sampled_from([(Action(action), target) for action, target, _ in OTHERS]),
)


def table() -> dict[tuple[str, str, str], str]:
    """The expected mark by the kind of incident, who asks, and the column."""
    found: dict[tuple[str, str, str], str] = {}
    for block in INCIDENTS.strip().split("\n\n"):
        (kind, *columns), *rows = (line.split() for line in block.splitlines())
        found |= {(kind, who, column): mark for who, *marks in rows for column, mark in zip(columns, marks, strict=True)}
    return found


TABLE = table()


def parts_of(role: Role, tie: Tie, project_member: bool) -> list[str]:
    """What someone is, in the words of the table."""
    return [
        "anyone",
        *(["administrator"] if role is not Role.MEMBER else []),
        *([tie.value] if tie is not Tie.NONE else []),
        *(["project"] if project_member else []),
    ]


def mark(decision: Decision) -> str:
    return "+" if decision.allowed else "-" if decision.visible else "·"


@pytest.mark.parametrize("action", INCIDENT_RULES)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("visibility", Visibility)
def test_the_whole_matrix_of_an_incident(visibility: Visibility, mode: Mode, action: Action) -> None:
    kind = "restricted" if visibility is Visibility.RESTRICTED else "practice" if mode is Mode.PRACTICE else "public"
    column = next(name for name, actions in KIND_OF.items() if action.value in actions.split())
    for role, tie, project_member, self_join in product(Role, Tie, (True, False), (True, False)):
        asked_for = "closed" if column == "join" and not self_join else column
        expected = max((TABLE[kind, part, asked_for] for part in parts_of(role, tie, project_member)), key="·-+".index)
        target = IncidentObject(visibility=visibility, mode=mode, tie=tie, project_member=project_member, self_join=self_join)
        decision = decide(Subject(role=role), action, target)
        assert mark(decision) == expected, (role, target)
        if expected == "-":
            assert decision.code == {"join": "self_join_off", "answer": "not_commander"}.get(column, "not_in_incident")


@pytest.mark.parametrize(("action", "target", "expected"), OTHERS)
def test_everything_that_is_no_incident(action: str, target: Object, expected: str) -> None:
    found = [mark(decide(Subject(role=role), Action(action), target)) for role in (Role.OWNER, Role.ADMIN, Role.MEMBER)]
    assert "".join(found) == expected


def test_every_action_is_done_to_one_kind_of_thing() -> None:
    ruled = [action for rules in RULES for action in rules]
    assert sorted(ruled) == sorted(Action)
    assert {action for action, _, _ in OTHERS} == set(Action) - set(INCIDENT_RULES)


@given(roles, incidents, some.sampled_from(sorted(set(Action) - set(INCIDENT_RULES))))
def test_what_is_not_done_to_such_a_thing_is_a_mistake_of_the_caller(role: Role, target: IncidentObject, action: Action) -> None:
    with pytest.raises(KeyError):
        decide(Subject(role=role), action, target)


@given(asked)
def test_an_owner_may_what_an_admin_may_and_an_admin_what_a_member_may(question: tuple[Action, Object]) -> None:
    owner, admin, member = (mark(decide(Subject(role=role), *question)) for role in (Role.OWNER, Role.ADMIN, Role.MEMBER))
    assert "·-+".index(owner) >= "·-+".index(admin) >= "·-+".index(member)


@given(roles, asked)
def test_a_refusal_has_a_code_and_a_sentence_and_a_permission_needs_none(role: Role, question: tuple[Action, Object]) -> None:
    decision = decide(Subject(role=role), *question)
    if decision.allowed:
        assert (decision.visible, decision.code, decision.reason) == (True, "", "")
    else:
        assert decision.code.replace("_", "").isalpha()
        assert decision.reason.endswith(".")
        assert decision.visible == (decision.code != "not_found")


@given(roles, incidents, some.sampled_from([*INCIDENT_RULES]))
def test_who_may_do_anything_to_an_incident_may_see_it(role: Role, target: IncidentObject, action: Action) -> None:
    decision, see = decide(Subject(role=role), action, target), decide(Subject(role=role), Action.SEE, target)
    assert decision.visible == see.allowed
    assert see.allowed or not decision.allowed
    # The desk tells a refusal of the policy from one of the incident's state by its code.
    assert decision.allowed or decision.code in {"not_found", *NOT_ALLOWED}


@given(incidents, some.sampled_from([*INCIDENT_RULES]))
def test_a_restricted_incident_does_not_exist_for_who_has_nothing_to_do_with_it(target: IncidentObject, action: Action) -> None:
    strange = target.model_copy(update={"visibility": Visibility.RESTRICTED, "tie": Tie.NONE})
    assert mark(decide(Subject(role=Role.MEMBER), action, strange)) == "·"


@given(roles, incidents)
def test_who_may_change_who_sees_an_incident_may_change_the_rest_of_it(role: Role, target: IncidentObject) -> None:
    # An edit of both is asked of the policy as a change of visibility.
    subject = Subject(role=role)
    assert decide(subject, Action.EDIT, target).allowed or not decide(subject, Action.CHANGE_VISIBILITY, target).allowed


@given(roles, incidents)
def test_who_restricts_an_incident_still_sees_it_then(role: Role, target: IncidentObject) -> None:
    subject, after = Subject(role=role), target.model_copy(update={"visibility": Visibility.RESTRICTED})
    assert decide(subject, Action.SEE, after).allowed or not decide(subject, Action.CHANGE_VISIBILITY, target).allowed


@pytest.mark.feature("O3")
@pytest.mark.parametrize(
    ("given_scopes", "reached"),
    [
        ("", ""),
        ("read", "read"),
        ("report", "report"),
        ("write", "write report"),
        ("admin", "admin"),
        ("read write", "read write report"),
        ("read admin", "read admin"),
        ("read report write admin", "read report write admin"),
    ],
)
def test_what_a_token_reaches_by_its_scopes(given_scopes: str, reached: str) -> None:
    scopes = frozenset(Scope(scope) for scope in given_scopes.split())
    for needed in Scope:
        decision = grants(scopes, needed)
        assert decision.allowed == (needed.value in reached.split())
        assert decision.allowed or (decision.visible and decision.code == "scope_missing" and f"“{needed}”" in decision.reason)


@given(some.sampled_from(Scope), some.frozensets(some.sampled_from(Scope)), some.sampled_from(Scope))
def test_one_more_scope_never_takes_anything_away(needed: Scope, scopes: frozenset[Scope], more: Scope) -> None:
    assert grants(None, needed).allowed
    assert grants(scopes | {more}, needed).allowed or not grants(scopes, needed).allowed
