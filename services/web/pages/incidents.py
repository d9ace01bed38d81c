"""The list of incidents (C9, without playbooks)."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from services.accounts import lists
from services.desk.lookup import Person, resolve_person
from services.kit.auth import CurrentActor
from services.kit.errors import Invalid
from services.kit.paging import After
from services.kit.routing import CurrentSession, Route
from services.lifecycle.schemas import ListQuery
from services.web import choices
from services.web.access import AllServices
from services.web.addresses import next_href
from services.web.choices import Option
from services.web.render import Flash, render_page
from workflows.domain.events import Mode
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE

router = APIRouter(prefix="/{org}", route_class=Route, include_in_schema=False)

Filter = Annotated[str, Query(max_length=200)]

STATUSES: Final = [Option(value=entry.id, label=entry.name) for entry in DEFAULT_LIFECYCLE.statuses]
MODES: Final = [
    Option(value=Mode.STANDARD, label="Real"),
    Option(value=Mode.PRACTICE, label="Practice"),
    Option(value=Mode.RETROSPECTIVE, label="Retrospective"),
]
MINE: Final = [
    Option(value="participating", label="I take part in"),
    Option(value="following", label="I follow"),
]
NOBODY: Final = "nobody"
"""Whoever is not found leads no incident."""


@router.get("/incidents")
async def to_the_list(actor: CurrentActor) -> Response:
    """The address above every incident's leads to the list."""
    return RedirectResponse(f"/{actor.slug}", 303)


@router.get("")
async def incidents(
    session: CurrentSession,
    actor: CurrentActor,
    services: AllServices,
    ongoing: Filter = "",
    status: Filter = "",
    severity: Filter = "",
    commander: Annotated[str, Query(max_length=600)] = "",
    mode: Filter = "",
    mine: Filter = "",
    q: Filter = "",
    after: After = None,
) -> Response:
    """The incidents one may see, the latest first."""
    filters = {"ongoing": ongoing, "status": status, "severity": severity, "commander": commander, "mode": mode}
    filters |= {"mine": mine, "q": q}
    modes = {option.value: option.label for option in MODES}
    wrong = f"There is no status “{status}”." if status and status not in {option.value for option in STATUSES} else ""
    led_by = None
    if commander:
        try:
            person = await resolve_person(session, "commander", commander)
            led_by, filters["commander"] = person.id, Person(id=person.id, name=person.name, email=person.email).label
        except Invalid as error:
            led_by, wrong = NOBODY, error.detail
    query = ListQuery(
        ongoing={"true": True, "false": False}.get(ongoing),
        status=status or None,
        severity=severity or None,
        commander=led_by,
        mode=Mode(mode) if mode in modes else None,
        participant="me" if mine == "participating" else None,
        subscribed="me" if mine == "following" else None,
        q=q or None,
    )
    page = await services.lifecycle.list_incidents(session, actor, query, after=after)
    found = await lists.selectable(session)
    context = {
        "incidents": page.data,
        "filters": filters,
        "options": {
            "statuses": STATUSES,
            "severities": choices.named(found.severities),
            "modes": MODES,
            "mine": MINE,
        },
        "filtered": any(filters.values()),
        "next_href": next_href(filters, page.pagination.after),
        "total": await services.lifecycle.count(session, actor, query),
    }
    flash = Flash(kind="bad", text=wrong) if wrong else None
    return render_page(actor, "pages/incidents.html", "incidents", context, flash=flash)
