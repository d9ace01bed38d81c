"""The receipt of a report, live until the workflow says that it is complete (R3)."""

from fastapi import APIRouter, Response

from services.kit.auth import CurrentActor
from services.kit.routing import CurrentSession, Route
from services.web import parts
from services.web.access import AllServices
from services.web.parts import look_at
from services.web.render import render_page

router = APIRouter(prefix="/{org}/incidents/{incident}/receipt", route_class=Route, include_in_schema=False)


@router.get("")
async def show(session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str) -> Response:
    """Every resource and the people, as they come."""
    look = await look_at(services, session, actor, incident)
    context = parts.shared(look) | parts.stream(look) | await parts.receipt(look)
    return render_page(actor, "pages/receipt.html", "report", context)
