"""Who is asking, and what the organization offers to choose from."""

from typing import TypeVar

from fastapi import APIRouter

from services.accounts import repository
from services.accounts.schemas import IndividualRef, Me, OrganizationView, ProjectView, SettingView
from services.kit.auth import CurrentActor
from services.kit.paging import Page, Pagination
from services.kit.routing import CurrentSession, Route

Item = TypeVar("Item")

router = APIRouter(prefix="/api/v1/{org}", tags=["accounts"], route_class=Route)


@router.get("/me")
async def me(actor: CurrentActor) -> Me:
    """Who the credential of this request stands for."""
    return Me(
        account=actor.account,
        individual=IndividualRef(id=actor.individual, name=actor.name),
        role=actor.role,
        organization=OrganizationView(id=actor.organization, slug=actor.slug, name=actor.organization_name),
    )


@router.get("/projects")
async def projects(session: CurrentSession) -> Page[ProjectView]:
    """The organization's projects."""
    rows = await repository.projects(session)
    return _whole([ProjectView(id=row.id, name=row.name, is_default=row.is_default) for row in rows])


@router.get("/incident-types")
async def incident_types(session: CurrentSession) -> Page[SettingView]:
    """The types an incident can have."""
    return await _list(session, "type")


@router.get("/severities")
async def severities(session: CurrentSession) -> Page[SettingView]:
    """The severities, the gravest last."""
    return await _list(session, "severity")


@router.get("/priorities")
async def priorities(session: CurrentSession) -> Page[SettingView]:
    """The priorities, the most urgent last."""
    return await _list(session, "priority")


async def _list(session: CurrentSession, kind: str) -> Page[SettingView]:
    rows = await repository.settings(session, kind)
    return _whole([SettingView(id=row.id, name=row.name, rank=row.rank, is_default=row.is_default) for row in rows])


def _whole(items: list[Item]) -> Page[Item]:
    return Page(data=items, pagination=Pagination(after=None, page_size=max(len(items), 1)))
