"""Role policies (E9): whom they choose as commander, and for the roles that an organization has of its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator

from workflows.domain.attributes import Choice
from workflows.domain.engagement import COMMANDER, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.rules import ENGAGED_AS, Conditional, Target, TargetKind, target_in_words, when_in_words

BUILT_IN: Final = frozenset({COMMANDER, "reporter", "participant", *ENGAGED_AS})
"""The roles that every organization has; no role of its own is called one of these."""


def _can_have_a_role(target: Target) -> Target:
    if target.kind is TargetKind.TEAM:
        raise ValueError("is an individual or an on-call service: a team as a whole has no role")
    return target


Assignee = Annotated[Target, AfterValidator(_can_have_a_role)]
"""Whom a policy chooses: an individual, or whoever is on call for a service."""


class RolePolicy(Conditional):
    """A role policy as it is at one version: on a condition it chooses who has a role."""

    role: str
    assignee: Assignee


def choose(
    policies: Iterable[RolePolicy], people: Mapping[Target, Sequence[str]], failed: Mapping[str, str], names: Mapping[str, str]
) -> Roles:
    """Whom policies that hold choose: for each role the first whose assignee can be.

    ``people`` are whom the assignees stand for, ``failed`` the on-call services that cannot tell with the reasons, ``names``
    what all services are called. An assignee who stands for nobody is passed over. A service that cannot tell is waited for:
    a later policy would choose someone else than the organization wants. One person commands; any other role has everyone
    who is on call.
    """
    commander: Match | None = None
    others: list[Match] = []
    waiting: list[Waiting] = []
    settled: set[str] = set()
    for policy in policies:
        target = policy.assignee
        found, fails = people.get(target, ()), target.id in failed
        if policy.role in settled or not (found or fails):
            continue
        settled.add(policy.role)
        evidence = (_evidence(policy, names),)
        if fails:
            service = Choice(id=target.id, name=names[target.id])
            waiting.append(Waiting(service=service, evidence=evidence, role=policy.role, reason=failed[target.id]))
        elif policy.role == COMMANDER:
            commander = Match(individual=found[0], evidence=evidence, roles=(COMMANDER,))
        else:
            others += [Match(individual=person, evidence=evidence, roles=(policy.role,)) for person in found]
    return Roles(commander=commander, others=tuple(others), waiting=tuple(waiting))


def policy_sentence(policy: RolePolicy, names: Mapping[str, str]) -> str:
    """A policy as a sentence; ``names`` are what the ids in it are called."""
    return f"when {when_in_words(policy.when, names)}, {choice_in_words(policy.role, policy.assignee, names)}"


def choice_in_words(role: str, assignee: Target, names: Mapping[str, str]) -> str:
    """Whom a policy chooses, and as what, in words."""
    return f"the {role} is {target_in_words(assignee, names)}"


def _evidence(policy: RolePolicy, names: Mapping[str, str]) -> Evidence:
    service = policy.assignee.id if policy.assignee.kind is TargetKind.ONCALL else None
    return Evidence(
        kind=EvidenceKind.ROLE,
        id=policy.id,
        version=policy.version,
        text=f"{policy.role} by the role policy “{policy.name}”",
        via=None if service is None else f"on call for {names[service]}",
        via_kind=None if service is None else "oncall",
    )
