"""On-call services, by HTTP (E10)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.engagement.oncall import service as services
from services.engagement.schemas import (
    NewOnCallService,
    NewOverride,
    OnCallServiceChanges,
    OnCallServiceEntry,
    OnCallServiceView,
    OnCallView,
    OverrideView,
    ShiftView,
    TermsBody,
)
from services.kit.auth import CurrentActor
from services.kit.clock import Moment, now
from services.kit.conditions import IfMatch, set_etag
from services.kit.paging import After, Filter, Page, PageSize, Pagination
from services.kit.routing import CurrentSession, Route

router = APIRouter(prefix="/api/v1/{org}/oncall-services", tags=["engagement"], route_class=Route)


@router.get("")
async def list_oncall_services(
    session: CurrentSession, actor: CurrentActor, q: Filter | None = None, after: After = None, page_size: PageSize = 25
) -> Page[OnCallServiceEntry]:
    """On-call services by name, with who is on call; the words of ``q`` begin words of the name, or of one term."""
    return await services.list_services(session, actor, q, after, page_size)


@router.post("", status_code=201)
async def create_oncall_service(
    session: CurrentSession, actor: CurrentActor, body: NewOnCallService, response: Response
) -> OnCallServiceView:
    """Make an on-call service, with its rotation and terms."""
    made = await services.create_service(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/oncall-services/{made.id}"
    set_etag(response, made.version)
    return made


@router.get("/{service}")
async def get_oncall_service(session: CurrentSession, service: str, response: Response) -> OnCallServiceView:
    """One on-call service, with its rotation, and the overrides that are not over."""
    found = await services.get_service(session, service)
    set_etag(response, found.version)
    return found


@router.patch("/{service}")
async def change_oncall_service(
    session: CurrentSession,
    actor: CurrentActor,
    service: str,
    body: OnCallServiceChanges,
    version: IfMatch,
    response: Response,
) -> OnCallServiceView:
    """Change an on-call service's name or rotation, or whether anybody is engaged by it at all."""
    changed = await services.change_service(session, actor, service, body, version)
    set_etag(response, changed.version)
    return changed


@router.delete("/{service}", status_code=204)
async def delete_oncall_service(session: CurrentSession, actor: CurrentActor, service: str, version: IfMatch) -> None:
    """Deactivate an on-call service: past incidents keep its name."""
    await services.deactivate(session, actor, service, version)


@router.put("/{service}/terms")
async def put_oncall_terms(
    session: CurrentSession, actor: CurrentActor, service: str, body: TermsBody, version: IfMatch, response: Response
) -> OnCallServiceView:
    """Set an on-call service's terms and phrases."""
    changed = await services.put_terms(session, actor, service, body.terms, version)
    set_etag(response, changed.version)
    return changed


@router.get("/{service}/shifts")
async def list_shifts(
    session: CurrentSession,
    service: str,
    begin: Annotated[Moment | None, Query(alias="from")] = None,
    until: Moment | None = None,
) -> Page[ShiftView]:
    """Who is on call from when until when: by default from now on, and for two weeks. Where nobody is, a shift says so."""
    found = await services.list_shifts(session, service, begin or now(), until)
    return Page(data=found, pagination=Pagination(after=None, page_size=len(found)))


@router.get("/{service}/on-call")
async def get_on_call(session: CurrentSession, service: str) -> OnCallView:
    """Who is on call now, until when, and who comes then."""
    return services.on_call_first(await services.list_shifts(session, service, now()))


@router.post("/{service}/overrides", status_code=201)
async def add_override(
    session: CurrentSession, actor: CurrentActor, service: str, body: NewOverride, version: IfMatch
) -> OverrideView:
    """Put somebody on call for a while, whatever the rotation says."""
    return await services.add_override(session, actor, service, body, version)


@router.delete("/{service}/overrides/{override}", status_code=204)
async def remove_override(session: CurrentSession, actor: CurrentActor, service: str, override: str, version: IfMatch) -> None:
    """Take an override back; one that has begun ends now."""
    await services.remove_override(session, actor, service, override, version)
