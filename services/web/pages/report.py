"""Reporting an incident (R1, R4)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts import lists
from services.desk.choices import SETTINGS
from services.desk.lookup import Person, resolve_person
from services.intake.schemas import ReportBody
from services.kit.auth import Actor, CurrentActor
from services.kit.errors import Invalid
from services.kit.ids import new_id
from services.kit.routing import CommandId, CurrentSession, ReportRoute, Route
from services.web import choices
from services.web.access import AllServices, Services
from services.web.choices import Entry
from services.web.forms import Fields, faults, given, split, typed
from services.web.render import render_page
from workflows.domain.events import Mode

router = APIRouter(prefix="/{org}/incidents/report", route_class=Route, include_in_schema=False)
reports = APIRouter(prefix="/{org}/incidents/report", route_class=ReportRoute, include_in_schema=False)

_CHOSEN = ("project", *SETTINGS)
_FIELDS = ("title", "description", *_CHOSEN, "tags", "commander", "visibility", "mode", "occurred_at")


@router.get("")
async def form(request: Request, session: CurrentSession, actor: CurrentActor, services: AllServices) -> Response:
    """The form; every field can be filled in by the address."""
    asked = dict(request.query_params) | {"idempotency_key": new_id()}
    asked["tags"] = ", ".join(request.query_params.getlist("tags"))
    asked["commander"] = await _readable(session, asked.get("commander", ""))
    return await _show(session, actor, services, asked, {})


@reports.post("")
async def report(
    session: CurrentSession, actor: CurrentActor, services: AllServices, fields: Fields, command_id: CommandId
) -> Response:
    """Report it, and go on to the receipt."""
    try:
        made = await services.intake.report(session, actor, _body(fields), command_id)
    except (ValidationError, Invalid) as error:
        errors = faults(error)
        if "title" in errors and not fields.get("title", "").strip():
            errors["title"] = "Say in a few words what is wrong."
        return await _show(session, actor, services, fields, errors)
    return RedirectResponse(f"/{actor.slug}/incidents/{made.reference}/receipt", 303)


def _body(fields: dict[str, str]) -> ReportBody:
    said: dict[str, object] = dict(given(fields, "description", *_CHOSEN, "commander", "visibility", "mode"))
    said |= {"title": fields.get("title", ""), "tags": split(fields.get("tags", ""), ",")}
    # Only shown for an incident that is over: what was typed before another choice was made does not count.
    if said.get("mode") == Mode.RETROSPECTIVE and (moment := fields.get("occurred_at")):
        said["occurred_at"] = _utc(moment)
    return ReportBody.model_validate(said)


async def _readable(session: CurrentSession, text: str) -> str:
    """A person that the address names, as the field shows them; what names nobody stays as it is, to be put right."""
    try:
        row = await resolve_person(session, "commander", text)
    except Invalid:
        return text
    return Person(id=row.id, name=row.name, email=row.email).label


def _utc(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return text


async def _show(
    session: CurrentSession, actor: Actor, services: Services, fields: dict[str, str], errors: dict[str, str]
) -> Response:
    found = await lists.selectable(session)
    form = typed(fields, *_FIELDS, "idempotency_key")
    of_projects = any(project.has_defaults for project in found.projects)
    offered: dict[str, Sequence[Entry]] = {
        "project": found.projects,
        "type": found.types,
        "severity": found.severities,
        "priority": found.priorities,
    }
    # Left empty, what the project has of its own is taken.
    left = {name for name in SETTINGS if of_projects and not form[name].strip()}
    form |= {name: choices.default(entries, form[name]) for name, entries in offered.items() if name not in left}
    options = choices.attribute_options(found) | {"projects": choices.named(found.projects)}
    blank = "The project’s default" if of_projects else None
    context = {"form": form, "options": options, "blank": blank, "errors": errors}
    return render_page(actor, "pages/report.html", "report", context, 422 if errors else 200)
