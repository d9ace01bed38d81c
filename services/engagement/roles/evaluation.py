"""Whom the role policies choose in an incident (E9)."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.conditions.naming import target_names
from services.engagement.decision import DecisionRecord, record_of
from services.engagement.oncall.provider import OnCallProvider, ProviderFailed
from services.engagement.roles.schemas import Definition
from services.engagement.rules.evaluation import facts
from services.engagement.targets import GLANCE, PATIENCE, Resolved, resolve
from services.kit.clock import now
from services.store.incidents import Incident
from services.store.roles import RolePolicyRow
from workflows.contracts.engagement import OnCall
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Roles, Waiting
from workflows.domain.events import Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.roles import RolePolicy, choose
from workflows.domain.rules import Target, TargetKind, judge


class Chosen(NamedTuple):
    """Whom the policies choose, whom the assignees stand for of those that hold, and the record of it, if any was asked."""

    roles: Roles
    resolved: Resolved
    record: DecisionRecord | None


async def choose_roles(
    session: AsyncSession,
    attributes: Attributes,
    project: Choice,
    visibility: Visibility,
    providers: Mapping[str, OnCallProvider],
    *,
    role: str | None = None,
    patience: float = GLANCE,
) -> Chosen:
    """Whom the policies choose for an incident as it is: for all roles, or for one. All on-call services are asked at once."""
    policies = await _in_force(session, role)
    if not policies:
        return Chosen(Roles(), Resolved({}, {}), None)
    about = await facts(session, attributes, project, visibility)
    judged = [(policy, judge(policy, about)) for policy in policies]
    held = [policy for policy, said in judged if said.holds]
    targets = [policy.assignee for policy in held]
    resolved = await resolve(session, targets, now(), providers, patience)
    roles = choose(held, resolved.people, resolved.failed, await target_names(session, targets))
    return Chosen(roles, resolved, record_of(about.ranks, judged, (), resolved))


async def choose_late(
    session: AsyncSession, incident: str, waiting: Waiting, providers: Mapping[str, OnCallProvider]
) -> tuple[OnCall, DecisionRecord | None]:
    """Whom the policies choose for the role that waits for an on-call service, by what the incident and the policies are now.

    So nobody on call leads on to the next policy, as it would have at the opening. With the record of it, if any was asked.

    Raises:
        ProviderFailed: a service that comes first cannot tell.
    """
    row = await session.get_one(Incident, incident)
    state = IncidentState.model_validate(row.state)
    chosen, resolved, record = await choose_roles(
        session, state.attributes, state.project, state.visibility, providers, role=waiting.role, patience=PATIENCE
    )
    for each in chosen.waiting:
        raise ProviderFailed(resolved.failed[each.service.id])
    matches = chosen.others if chosen.commander is None else (chosen.commander,)
    on_call = resolved.people.get(Target(kind=TargetKind.ONCALL, id=waiting.service.id))
    by_it = on_call is not None and {each.individual for each in matches} <= set(on_call)
    return OnCall(matches=matches, reason=None if by_it else "The role policies choose otherwise by now."), record


async def _in_force(session: AsyncSession, role: str | None) -> list[RolePolicy]:
    query = select(RolePolicyRow).where(RolePolicyRow.ended_at.is_(None), RolePolicyRow.enabled)
    rows = await session.scalars(query.order_by(RolePolicyRow.rank, RolePolicyRow.id))
    every = [Definition.model_validate(row.definition).policy(row.id, row.version, row.name) for row in rows]
    return [policy for policy in every if role in {None, policy.role}]
