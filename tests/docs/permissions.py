"""Who may do what, as tables, from the policy.

`python -m tests.docs.permissions` writes them into docs/permissions.md.
"""

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Final, TypeVar

from services.kit.routing import AdminRoute, ReportRoute, Route
from workflows.domain.events import Mode, Visibility
from workflows.domain.policy import (
    INCIDENT_RULES,
    ORGANIZATION_RULES,
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

PERMISSIONS: Final = Path(__file__).parents[2] / "docs" / "permissions.md"
BEGIN, END = "<!-- tables -->\n", "<!-- /tables -->"

KINDS: Final[dict[str, tuple[Visibility, Mode]]] = {
    "public": (Visibility.PUBLIC, Mode.STANDARD),
    "practice": (Visibility.PUBLIC, Mode.PRACTICE),
    "restricted": (Visibility.RESTRICTED, Mode.STANDARD),
    "restricted practice": (Visibility.RESTRICTED, Mode.PRACTICE),
}
"""Retrospective incidents are like standard ones; the tests hold the policy to that."""
PEOPLE: Final[dict[str, tuple[Role, Tie, bool]]] = {
    "an owner": (Role.OWNER, Tie.NONE, False),
    "an admin": (Role.ADMIN, Tie.NONE, False),
    "the commander": (Role.MEMBER, Tie.COMMANDER, False),
    "a participant": (Role.MEMBER, Tie.PARTICIPANT, False),
    "the reporter, before it is opened": (Role.MEMBER, Tie.REPORTER, False),
    "a member of the project": (Role.MEMBER, Tie.NONE, True),
    "anybody else": (Role.MEMBER, Tie.NONE, False),
}
"""Who is several of these may whatever one of them may; the tests hold the policy to that."""
OTHERS: Final[dict[str, list[tuple[str, Action, Object]]]] = {
    "change the name of": [
        ("oneself", Action.EDIT_CONTACT, ContactObject(own=True)),
        ("another owner", Action.EDIT_CONTACT, ContactObject(role=Role.OWNER)),
        ("others", Action.EDIT_CONTACT, ContactObject()),
    ],
    "change the address of, or make inactive": [
        ("oneself", Action.EDIT_ADDRESS, ContactObject(own=True)),
        ("another owner", Action.EDIT_ADDRESS, ContactObject(role=Role.OWNER)),
        ("others", Action.EDIT_ADDRESS, ContactObject()),
    ],
    "change the terms of": [
        ("oneself", Action.EDIT_TERMS, ContactObject(own=True)),
        ("others", Action.EDIT_TERMS, ContactObject()),
    ],
    "read a message to": [
        ("oneself", Action.READ_MESSAGE, MessageObject(own=True)),
        ("others", Action.READ_MESSAGE, MessageObject()),
    ],
    "read a letter to others that signs in as": [(role, Action.READ_MESSAGE, MessageObject(opens=role)) for role in Role],
    "manage an account that is, or shall be": [(role, Action.MANAGE_ACCOUNT, AccountObject(role=role)) for role in Role],
    "manage an API token of": [
        ("oneself", Action.MANAGE_TOKEN, TokenObject(own=True)),
        *((f"a service as {role}", Action.MANAGE_TOKEN, TokenObject(role=role)) for role in Role),
    ],
    "in the organization": [(action.replace("_", " "), action, OrganizationObject()) for action in ORGANIZATION_RULES],
}
"""What there is besides incidents; of one kind, things that are alike share a row."""
ROUTES: Final[dict[str, Scope]] = {
    "read": Route.to_read,
    "report an incident": ReportRoute.to_change,
    "change anything else": Route.to_change,
    "administer: members, projects, tokens, sign-in, the audit log": AdminRoute.to_change,
}
"""What routes are for, and the scope that a token needs for them."""
T = TypeVar("T")


def tables() -> str:
    """All tables, in Markdown."""
    return "\n\n".join([_incidents(), _others(), _scopes(), _reasons()]) + "\n"


def with_tables(document: str) -> str:
    """The document with the tables as they should be."""
    head, _, rest = document.partition(BEGIN)
    return head + BEGIN + tables() + END + rest.partition(END)[2]


def _incident(kind: str, person: str, action: Action, *, self_join: bool) -> Decision:
    (visibility, mode), (role, tie, member) = KINDS[kind], PEOPLE[person]
    target = IncidentObject(visibility=visibility, mode=mode, tie=tie, project_member=member, self_join=self_join)
    return decide(Subject(role=role), action, target)


def _incidents() -> str:
    every = list(product(KINDS, PEOPLE))

    def column(asked: tuple[Action, bool]) -> list[str]:
        return [_mark(_incident(kind, person, asked[0], self_join=asked[1])) for kind, person in every]

    by_self_join = [action for action in INCIDENT_RULES if column((action, True)) != column((action, False))]
    asked = [(action, True) for action in Action if action in INCIDENT_RULES] + [(action, False) for action in by_self_join]
    columns = _alike(asked, column)
    cells = dict(zip(every, zip(*(column(group[0]) for group in columns), strict=True), strict=True))
    rows = [
        [", ".join(kinds), "; ".join(person for _, person in people), *cells[people[0]]]
        for kinds in _alike(KINDS, lambda kind: [cell for person in PEOPLE for cell in cells[kind, person]])
        for people in _alike(product(kinds[:1], PEOPLE), lambda row: [*cells[row]])
    ]
    heads = [", ".join(_named(*each) for each in group) for group in columns]
    return "### An incident\n\n" + _table(["An incident that is", "Who", *heads], rows)


def _named(action: Action, self_join: bool) -> str:
    name = action.replace("_", " ")
    return name if self_join else f"{name}, with self-join off"


def _others() -> str:
    def cells(thing: tuple[str, Action, Object]) -> list[str]:
        return [_mark(decide(Subject(role=role), *thing[1:])) for role in Role]

    rows = [
        [f"{what}: {', '.join(name for name, *_ in alike)}", *cells(alike[0])]
        for what, things in OTHERS.items()
        for alike in _alike(things, cells)
    ]
    return "### Everything else\n\n" + _table(["What", *Role], rows)


def _scopes() -> str:
    rows = [[what, *(_mark(grants(frozenset({scope}), needed)) for scope in Scope)] for what, needed in ROUTES.items()]
    return "### What a token of one scope reaches\n\n" + _table(["To", *(f"`{scope}`" for scope in Scope)], rows)


def _reasons() -> str:
    asked = product(KINDS, PEOPLE, INCIDENT_RULES, (True, False))
    decisions = [_incident(kind, person, action, self_join=self_join) for kind, person, action, self_join in asked]
    others = [thing for things in OTHERS.values() for thing in things]
    decisions += [decide(Subject(role=role), action, target) for (_, action, target), role in product(others, Role)]
    decisions.append(grants(frozenset(), Scope.READ))
    refusals = dict.fromkeys((each.code, each.reason) for each in decisions if not each.allowed and each.visible)
    return "### Why not\n\n" + _table(["`code`", "What is said"], [[f"`{code}`", reason] for code, reason in refusals])


def _mark(decision: Decision) -> str:
    if decision.allowed:
        return "✓"
    return "—" if decision.visible else "·"


def _alike(things: Iterable[T], look: Callable[[T], list[str]]) -> list[list[T]]:
    """The things, those together that look the same; in the order of the first of each."""
    groups: dict[tuple[str, ...], list[T]] = {}
    for thing in things:
        groups.setdefault(tuple(look(thing)), []).append(thing)
    return list(groups.values())


def _table(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


if __name__ == "__main__":
    PERMISSIONS.write_text(with_tables(PERMISSIONS.read_text()))
