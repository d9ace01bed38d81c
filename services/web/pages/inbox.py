"""The built-in inbox: every message as its recipient sees it (N5)."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from services.kit.auth import CurrentActor
from services.kit.errors import NotFound
from services.kit.markdown import to_html
from services.kit.paging import After
from services.kit.routing import CurrentSession, Route
from services.notify.settings import SmtpSettings
from services.web.access import AllServices
from services.web.addresses import next_href
from services.web.choices import Option
from services.web.render import render_page

router = APIRouter(prefix="/{org}/inbox", route_class=Route, include_in_schema=False)

MAIL_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; "
    "sandbox allow-top-navigation-by-user-activation"
)
"""A mail brings its own styles, and nothing else: no script, no form; its links open in place of the page around it."""


@router.get("")
async def inbox(
    session: CurrentSession,
    actor: CurrentActor,
    services: AllServices,
    recipient: Annotated[str, Query(max_length=36)] = "",
    after: After = None,
) -> Response:
    """The latest messages first."""
    page = await services.notify.inbox(session, actor, recipient or None, after)
    recipients = await services.notify.inbox_recipients(session, actor)
    context = {
        "messages": page.data,
        "recipients": [Option(value=person.id, label=person.name) for person in recipients],
        "query": {"recipient": recipient},
        "next_href": next_href({"recipient": recipient}, page.pagination.after),
        "mail_server": bool(SmtpSettings().host),
    }
    return render_page(actor, "pages/inbox.html", "inbox", context)


@router.get("/{message}")
async def message(
    session: CurrentSession, actor: CurrentActor, services: AllServices, message: str, view: str = "html"
) -> Response:
    """One message, as it looks or as text."""
    found = await services.notify.message(session, actor, message)
    context = {"message": found, "view": view if found.html else "text", "chat_html": "" if found.html else to_html(found.text)}
    return render_page(actor, "pages/inbox_message.html", "inbox", context)


@router.get("/{message}/html")
async def message_html(session: CurrentSession, actor: CurrentActor, services: AllServices, message: str) -> Response:
    """The mail itself, for the frame it is shown in."""
    found = await services.notify.message(session, actor, message)
    if not found.html:
        raise NotFound("mail")
    # Followed within the frame, a link would lead to a page that may not be framed.
    page = found.html.replace("<head>", '<head><base target="_top">', 1)
    return HTMLResponse(page, headers={"Content-Security-Policy": MAIL_CSP})
