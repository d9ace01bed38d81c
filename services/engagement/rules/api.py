"""Rules, by HTTP."""

from fastapi import APIRouter, Response

from services.engagement.health import Health
from services.engagement.rules import service
from services.engagement.rules.schemas import NewRule, RuleChanges, RuleVersionView, RuleView
from services.kit.auth import CurrentActor
from services.kit.conditions import IfMatch, set_etag
from services.kit.paging import After, Filter, Page, PageSize
from services.kit.routing import AdminRoute, CurrentSession

router = APIRouter(prefix="/api/v1/{org}/engagement-rules", tags=["engagement"], route_class=AdminRoute)


@router.get("")
async def list_rules(
    session: CurrentSession,
    actor: CurrentActor,
    q: Filter | None = None,
    health: Health | None = None,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[RuleView]:
    """Rules by name; `q` occurs in it, and `health` is how they do."""
    return await service.list_rules(session, actor, q, after, page_size, health)


@router.post("", status_code=201)
async def create_rule(session: CurrentSession, actor: CurrentActor, body: NewRule, response: Response) -> RuleView:
    """Make a rule. It counts from the next change of each incident."""
    made = await service.create_rule(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/engagement-rules/{made.id}"
    set_etag(response, made.version)
    return made


@router.get("/{rule}")
async def get_rule(session: CurrentSession, actor: CurrentActor, rule: str, response: Response) -> RuleView:
    """One rule, and how it has done."""
    found = await service.get_rule(session, actor, rule)
    set_etag(response, found.version)
    return found


@router.patch("/{rule}")
async def change_rule(
    session: CurrentSession, actor: CurrentActor, rule: str, body: RuleChanges, version: IfMatch, response: Response
) -> RuleView:
    """Change a rule, or switch it on or off. Every change is a version."""
    changed = await service.change_rule(session, actor, rule, body, version)
    set_etag(response, changed.version)
    return changed


@router.delete("/{rule}", status_code=204)
async def delete_rule(session: CurrentSession, actor: CurrentActor, rule: str, version: IfMatch) -> None:
    """End a rule: it engages nobody any more. What it led to keeps its reasons."""
    await service.delete_rule(session, actor, rule, version)


@router.get("/{rule}/versions")
async def list_versions(
    session: CurrentSession, actor: CurrentActor, rule: str, after: After = None, page_size: PageSize = 25
) -> Page[RuleVersionView]:
    """A rule's versions, the latest first: what it said, who changed it, and when it was in force."""
    return await service.list_versions(session, actor, rule, after, page_size)
