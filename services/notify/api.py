"""The ledger and the inbox, by HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.kit.auth import CurrentActor
from services.kit.paging import After, Filter, Page, PageSize
from services.kit.routing import CommandRoute, CurrentSession, Route
from services.notify.schemas import DeliveryQuery, DeliveryView, InboxMessageView
from services.notify.service import NotifyService

router = APIRouter(prefix="/api/v1/{org}", tags=["notify"], route_class=Route)
commands = APIRouter(prefix="/api/v1/{org}", tags=["notify"], route_class=CommandRoute)


def _service(request: Request) -> NotifyService:
    service: NotifyService = request.app.state.notify
    return service


Notify = Annotated[NotifyService, Depends(_service)]


@router.get("/deliveries")
async def list_deliveries(
    session: CurrentSession,
    actor: CurrentActor,
    notify: Notify,
    query: Annotated[DeliveryQuery, Depends()],
    after: After = None,
    page_size: PageSize = 25,
) -> Page[DeliveryView]:
    """What was sent to whom, by which channel, and what came of it."""
    return await notify.deliveries(session, actor, query, after, page_size)


@commands.post("/deliveries/{delivery}/retry", status_code=202)
async def retry_delivery(request: Request, actor: CurrentActor, notify: Notify, delivery: str) -> DeliveryView:
    """Try a failed delivery once more."""
    async with request.app.state.database.read(actor.organization) as session:
        return await notify.retry(session, actor, delivery)


@router.get("/inbox")
async def list_inbox(
    session: CurrentSession,
    actor: CurrentActor,
    notify: Notify,
    recipient: Filter | None = None,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[InboxMessageView]:
    """The built-in inbox: one's own messages, and to administrators everyone's, each as its recipient sees it."""
    return await notify.inbox(session, actor, recipient, after, page_size)
