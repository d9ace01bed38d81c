"""Everyone who is in an incident, or follows it, when they are more than its page shows (E5, E8)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.engagement import subscriptions
from services.engagement.service import SHOWN
from services.kit.auth import CurrentActor
from services.kit.paging import After
from services.kit.routing import CurrentSession, Route
from services.web.access import AllServices
from services.web.addresses import next_href
from services.web.parts import look_at, shared
from services.web.render import render_page

router = APIRouter(prefix="/{org}/incidents/{incident}/people", route_class=Route, include_in_schema=False)


@router.get("")
async def show(
    session: CurrentSession,
    actor: CurrentActor,
    services: AllServices,
    incident: str,
    q: Annotated[str, Query(max_length=200)] = "",
    after: After = None,
) -> Response:
    """A page of them, by name."""
    look = await look_at(services, session, actor, incident)
    page = await services.engagement.named(session, actor, incident, q, after)
    context = shared(look) | {
        "people": page.data,
        "crowd": look.crowd,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
    }
    return render_page(actor, "pages/people.html", "incidents", context)


@router.get("/following")
async def following(
    session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str, after: After = None
) -> Response:
    """A page of those who follow it, by name."""
    look = await look_at(services, session, actor, incident)
    page = await subscriptions.page_of_subscribers(session, actor, incident, after, SHOWN)
    context = shared(look) | {"people": page.data, "next_href": next_href({}, page.pagination.after)}
    return render_page(actor, "pages/following.html", "incidents", context)
