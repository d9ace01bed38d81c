"""The delivery ledger (N6)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from services.kit.auth import CurrentActor
from services.kit.errors import NotFound
from services.kit.paging import After, Page, Pagination
from services.kit.routing import CommandRoute, CurrentSession, Route
from services.notify.schemas import DeliveryQuery, DeliveryView
from services.web import parts
from services.web.access import AllServices
from services.web.addresses import next_href
from services.web.render import render_page
from workflows.domain.policy import Action

router = APIRouter(prefix="/{org}/deliveries", route_class=Route, include_in_schema=False)
commands = APIRouter(prefix="/{org}/deliveries", route_class=CommandRoute, include_in_schema=False)

Filter = Annotated[str, Query(max_length=200)]


@router.get("")
async def deliveries(
    session: CurrentSession,
    actor: CurrentActor,
    services: AllServices,
    state: Filter = "",
    channel: Filter = "",
    incident: Filter = "",
    recipient: Filter = "",
    after: After = None,
) -> Response:
    """Every message to every recipient, the latest first."""
    filters = {"state": state, "channel": channel, "incident": incident.strip(), "recipient": recipient.strip()}
    query = DeliveryQuery(state=state, channel=channel, incident=filters["incident"], q=filters["recipient"])
    try:
        page = await services.notify.deliveries(session, actor, query, after)
    except NotFound:
        # An incident that is not there has no deliveries; here that is an empty list, not an error.
        page = Page[DeliveryView](data=[], pagination=Pagination(after=None, page_size=25))
    failed = {row.incident for row in page.data if row.incident and row.state == "failed"}
    decisions = await services.lifecycle.decisions(session, actor, failed)
    refused = {incident for incident, decided in decisions.items() if not decided[Action.RETRY].allowed}
    context = {
        "deliveries": [parts.delivery(actor, row, retry=row.incident not in refused) for row in page.data],
        "filters": filters,
        "next_href": next_href(filters, page.pagination.after),
    }
    return render_page(actor, "pages/deliveries.html", "deliveries", context)


@commands.post("/{delivery}/retry")
async def retry(actor: CurrentActor, services: AllServices, delivery: str) -> Response:
    """Try a failed delivery once more, and show its incident's deliveries, or a letter in the ledger."""
    async with services.database.read(actor.organization) as session:
        tried = await services.notify.retry(session, actor, delivery)
    if tried.incident is None:
        return RedirectResponse(f"/{actor.slug}/deliveries", 303)
    return RedirectResponse(f"/{actor.slug}/incidents/{tried.incident_reference}?tab=deliveries", 303)
