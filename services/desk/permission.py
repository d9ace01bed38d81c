"""What the policy needs to know of an incident and of who asks."""

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.auth import Actor
from services.store.organizations import Project, ProjectMember
from workflows.domain.admission import incident_object
from workflows.domain.incident import IncidentState
from workflows.domain.policy import INCIDENT_RULES, Action, Authority, Decision, IncidentObject, decide


async def authority(session: AsyncSession, actor: Actor, project: str) -> Authority:
    """With what someone comes to the incidents of a project."""
    member = exists().where(ProjectMember.project_id == project, ProjectMember.account_id == actor.account)
    row = (await session.execute(select(Project.self_join, member).where(Project.id == project))).one()
    return Authority(role=actor.role, self_join=row[0], project_member=row[1])


async def require(session: AsyncSession, actor: Actor, action: Action, state: IncidentState) -> None:
    """Go on only if the policy lets this actor do that to the incident.

    Raises:
        NotFound, Forbidden: it does not.
    """
    actor.require(action, await _as_object(session, actor, state), "incident")


async def decisions(session: AsyncSession, actor: Actor, state: IncidentState) -> dict[Action, Decision]:
    """What the policy says to everything this actor could do to the incident."""
    target = await _as_object(session, actor, state)
    return {action: decide(actor.subject, action, target) for action in INCIDENT_RULES}


async def _as_object(session: AsyncSession, actor: Actor, state: IncidentState) -> IncidentObject:
    return incident_object(state, actor.individual, await authority(session, actor, state.project.id))
