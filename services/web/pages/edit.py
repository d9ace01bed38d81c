"""Changing what an incident says about itself."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.desk.views import IncidentView
from services.kit.auth import Actor, CurrentActor
from services.kit.errors import Conflict, Invalid, MusterError, Pending, Unavailable, VersionConflict
from services.kit.routing import CommandId, CommandRoute, CurrentSession, Route
from services.lifecycle.schemas import IncidentEdit
from services.web import choices
from services.web.access import AllServices, Services
from services.web.forms import Fields, faults, given, split, typed
from services.web.outcome import in_words
from services.web.render import render_page

router = APIRouter(prefix="/{org}/incidents/{incident}/edit", route_class=Route, include_in_schema=False)
commands = APIRouter(prefix="/{org}/incidents/{incident}/edit", route_class=CommandRoute, include_in_schema=False)

_FIELDS = ("title", "description", "type", "severity", "priority", "tags")


@router.get("")
async def form(session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str) -> Response:
    """The form, with everything as it is."""
    found = await services.lifecycle.get(session, actor, incident)
    return await _show(session, actor, services, found, _present(found), {}, 200)


@commands.post("")
async def edit(actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId) -> Response:
    """Change it; who is engaged by the new words joins."""
    version = fields.get("version", "")
    try:
        changes = IncidentEdit.model_validate(
            given(fields, "type", "severity", "priority")
            | typed(fields, "title", "description")
            | {"tags": split(fields.get("tags", ""), ",")}
        )
        known = int(version) if version.isascii() and version.isdigit() else None
        await services.lifecycle.edit(actor, incident, changes, command_id, attributes_version=known)
    except ValidationError as error:
        return await _again(services, actor, incident, fields, faults(error), 422)
    except Invalid as error:
        return await _again(services, actor, incident, fields, faults(error), error.status)
    except (Conflict, Pending, Unavailable, VersionConflict) as error:
        return await _again(services, actor, incident, fields, {"": _sentence(error)}, error.status)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)


def _sentence(error: MusterError) -> str:
    if isinstance(error, VersionConflict):
        return (
            "Someone changed the incident while you were editing. Your text is kept: compare it with the incident’s page, "
            "then save again to put it in place."
        )
    return in_words(error)


def _present(incident: IncidentView) -> dict[str, str]:
    return {
        "title": incident.title,
        "description": incident.description,
        "type": incident.type.name,
        "severity": incident.severity.name,
        "priority": incident.priority.name,
        "tags": ", ".join(incident.tags),
    }


async def _again(
    services: Services, actor: Actor, incident: str, fields: dict[str, str], errors: dict[str, str], status: int
) -> Response:
    async with services.database.read(actor.organization) as session:
        found = await services.lifecycle.get(session, actor, incident)
        return await _show(session, actor, services, found, typed(fields, *_FIELDS), errors, status)


async def _show(
    session: CurrentSession,
    actor: Actor,
    services: Services,
    incident: IncidentView,
    form: dict[str, str],
    errors: dict[str, str],
    status: int,
) -> Response:
    context = {
        "incident": incident,
        "form": form | {"version": str(incident.attributes_version)},
        "options": choices.attribute_options(await services.accounts.choices(session)),
        "errors": errors,
    }
    return render_page(actor, "pages/incident_edit.html", "incidents", context, status)
