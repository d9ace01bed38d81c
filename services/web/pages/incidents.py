"""The list of incidents (C9, without playbooks)."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response

from services.kit.auth import CurrentActor
from services.kit.paging import After
from services.kit.routing import CurrentSession, Route
from services.lifecycle.schemas import ListQuery
from services.web import choices
from services.web.access import AllServices
from services.web.choices import Option
from services.web.render import Flash, render_page
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE

router = APIRouter(prefix="/{org}", route_class=Route, include_in_schema=False)

Filter = Annotated[str, Query(max_length=200)]


@router.get("")
async def incidents(
    session: CurrentSession,
    actor: CurrentActor,
    services: AllServices,
    ongoing: Filter = "",
    status: Filter = "",
    severity: Filter = "",
    commander: Filter = "",
    q: Filter = "",
    after: After = None,
) -> Response:
    """The incidents one may see, the latest first."""
    filters = {"ongoing": ongoing, "status": status, "severity": severity, "commander": commander, "q": q}
    query = ListQuery(
        ongoing={"true": True, "false": False}.get(ongoing),
        status=status or None,
        severity=severity or None,
        commander=commander or None,
        q=q or None,
    )
    statuses = [Option(value=entry.id, label=entry.name) for entry in DEFAULT_LIFECYCLE.statuses]
    unknown = status and status not in {option.value for option in statuses}
    page = await services.lifecycle.list_incidents(session, actor, query, after=after)
    found = await services.accounts.choices(session)
    commanders = await services.lifecycle.commanders(session, actor)
    asked = {name: value for name, value in filters.items() if value}
    following = page.pagination.after
    context = {
        "incidents": page.data,
        "filters": filters,
        "options": {
            "statuses": statuses,
            "severities": choices.named(found.severities),
            "commanders": [Option(value=person.id, label=person.name) for person in commanders],
        },
        "filtered": bool(asked),
        "next_href": None if following is None else f"/{actor.slug}?{urlencode(asked | {'after': following})}",
        "total": await services.lifecycle.count(session, actor, query),
    }
    flash = Flash(kind="bad", text=f"There is no status “{status}”.") if unknown else None
    return render_page(actor, "pages/incidents.html", "incidents", context, flash=flash)
