"""Role policies and incident roles, by HTTP."""

from typing import Final

from fastapi import APIRouter, Response

from services.engagement.roles import custom, service
from services.engagement.roles.schemas import (
    IncidentRoleChanges,
    IncidentRoleView,
    NewIncidentRole,
    NewPolicy,
    PolicyChanges,
    PolicyVersionView,
    PolicyView,
)
from services.kit.auth import CurrentActor
from services.kit.conditions import IfMatch, set_etag
from services.kit.paging import After, Page, PageSize, Pagination
from services.kit.routing import AdminRoute, CurrentSession

policies = APIRouter(prefix="/api/v1/{org}/role-policies", tags=["engagement"], route_class=AdminRoute)
roles = APIRouter(prefix="/api/v1/{org}/incident-roles", tags=["engagement"], route_class=AdminRoute)


@policies.get("")
async def list_policies(session: CurrentSession, actor: CurrentActor) -> Page[PolicyView]:
    """All role policies by rank: for each role the first that holds, and whose assignee can be, chooses."""
    found = await service.list_policies(session, actor)
    return Page(data=found, pagination=Pagination(after=None, page_size=service.MAX_POLICIES))


@policies.post("", status_code=201)
async def create_policy(session: CurrentSession, actor: CurrentActor, body: NewPolicy, response: Response) -> PolicyView:
    """Make a role policy. It counts for incidents that are reported from now on."""
    made = await service.create_policy(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/role-policies/{made.id}"
    set_etag(response, made.version)
    return made


@policies.get("/{policy}")
async def get_policy(session: CurrentSession, actor: CurrentActor, policy: str, response: Response) -> PolicyView:
    """One role policy."""
    found = await service.get_policy(session, actor, policy)
    set_etag(response, found.version)
    return found


@policies.patch("/{policy}")
async def change_policy(
    session: CurrentSession, actor: CurrentActor, policy: str, body: PolicyChanges, version: IfMatch, response: Response
) -> PolicyView:
    """Change a role policy, switch it on or off, or move it. Every change of what it says is a version."""
    changed = await service.change_policy(session, actor, policy, body, version)
    set_etag(response, changed.version)
    return changed


@policies.delete("/{policy}", status_code=204)
async def delete_policy(session: CurrentSession, actor: CurrentActor, policy: str, version: IfMatch) -> None:
    """End a role policy: it chooses nobody any more. What it led to keeps its reasons."""
    await service.delete_policy(session, actor, policy, version)


@policies.get("/{policy}/versions")
async def list_versions(
    session: CurrentSession, actor: CurrentActor, policy: str, after: After = None, page_size: PageSize = 25
) -> Page[PolicyVersionView]:
    """A role policy's versions, the latest first: what it said, who changed it, and when it was in force."""
    return await service.list_versions(session, actor, policy, after, page_size)


@roles.get("")
async def list_roles(session: CurrentSession, actor: CurrentActor) -> Page[IncidentRoleView]:
    """All roles of the organization's own, by name."""
    found = await custom.list_roles(session, actor)
    return Page(data=found, pagination=Pagination(after=None, page_size=custom.MAX_ROLES))


@roles.post("", status_code=201)
async def create_role(
    session: CurrentSession, actor: CurrentActor, body: NewIncidentRole, response: Response
) -> IncidentRoleView:
    """Make a role: rules and role policies can give it from now on."""
    made = await custom.create_role(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/incident-roles/{made.id}"
    set_etag(response, made.version)
    return made


@roles.get("/{role}")
async def get_role(session: CurrentSession, actor: CurrentActor, role: str, response: Response) -> IncidentRoleView:
    """One role."""
    found = await custom.get_role(session, actor, role)
    set_etag(response, found.version)
    return found


@roles.patch("/{role}")
async def change_role(
    session: CurrentSession,
    actor: CurrentActor,
    role: str,
    body: IncidentRoleChanges,
    version: IfMatch,
    response: Response,
) -> IncidentRoleView:
    """Describe a role anew, or say whether it can be taken on."""
    changed = await custom.change_role(session, actor, role, body, version)
    set_etag(response, changed.version)
    return changed


@roles.delete("/{role}", status_code=204)
async def delete_role(session: CurrentSession, actor: CurrentActor, role: str, version: IfMatch) -> None:
    """Deactivate a role; 409 while rules or role policies give it. Past incidents keep its name."""
    await custom.deactivate(session, actor, role, version)


ROUTERS: Final = (policies, roles)
"""Every route."""
