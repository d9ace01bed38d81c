"""What the policy needs to know of an incident and of who asks."""

from collections.abc import Collection

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.auth import Actor
from services.store.organizations import Project, ProjectMember
from workflows.domain.admission import incident_object, tie
from workflows.domain.incident import IncidentState
from workflows.domain.policy import INCIDENT_RULES, Action, Authority, Decision, IncidentObject, Role, Subject, decide


async def authority(session: AsyncSession, actor: Actor, project: str) -> Authority:
    """With what someone comes to the incidents of a project."""
    return (await _authorities(session, actor, {project}))[project]


async def require(session: AsyncSession, actor: Actor, action: Action, state: IncidentState) -> None:
    """Go on only if the policy lets this actor do that to the incident.

    Raises:
        NotFound, Forbidden: it does not.
    """
    target = incident_object(state, actor.individual, await authority(session, actor, state.project.id))
    actor.require(action, target, "incident")


async def decisions(session: AsyncSession, actor: Actor, states: Collection[IncidentState]) -> dict[str, dict[Action, Decision]]:
    """What the policy says to everything this actor could do to each of these incidents, by its id: one query for all."""
    known = await _authorities(session, actor, {state.project.id for state in states})
    targets = {state.id: incident_object(state, actor.individual, known[state.project.id]) for state in states}
    return {
        incident: {action: decide(actor.subject, action, target) for action in INCIDENT_RULES}
        for incident, target in targets.items()
    }


def may_see(state: IncidentState, individual: str, role: Role) -> bool:
    """Whether the policy lets somebody else see the incident, who has an account with this role."""
    target = IncidentObject(visibility=state.visibility, mode=state.mode, tie=tie(state, individual))
    return decide(Subject(role=role), Action.SEE, target).allowed


async def _authorities(session: AsyncSession, actor: Actor, projects: Collection[str]) -> dict[str, Authority]:
    if not projects:
        return {}
    member = exists().where(ProjectMember.project_id == Project.id, ProjectMember.account_id == actor.account)
    rows = await session.execute(select(Project.id, Project.self_join, member).where(Project.id.in_(projects)))
    return {row[0]: Authority(role=actor.role, self_join=row[1], project_member=row[2]) for row in rows}
