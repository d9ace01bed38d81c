"""Changing what an incident says about itself."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts import lists
from services.desk.schemas import IncidentEdit
from services.desk.views import IncidentView
from services.engagement.preview import audience
from services.kit.auth import Actor, CurrentActor, enforce
from services.kit.errors import Invalid, MusterError, VersionConflict
from services.kit.routing import CommandId, CommandRoute, CurrentSession, PreviewRoute, Route
from services.web import choices
from services.web.access import AllServices, Services
from services.web.forms import Fields, faults, split
from services.web.outcome import REFUSALS, in_words
from services.web.render import Context, render_page
from workflows.domain.policy import Action, Decision

router = APIRouter(prefix="/{org}/incidents/{incident}/edit", route_class=Route, include_in_schema=False)
previews = APIRouter(prefix="/{org}/incidents/{incident}/edit/preview", route_class=PreviewRoute, include_in_schema=False)
commands = APIRouter(prefix="/{org}/incidents/{incident}/edit", route_class=CommandRoute, include_in_schema=False)

_FIELDS: Final = ("title", "description", "type", "severity", "priority", "tags", "visibility")
_WAS: Final = "was_"
"""Begins the name of the hidden field that says what a field was when its form was opened."""


@router.get("")
async def form(session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str) -> Response:
    """The form, with everything as it is."""
    found = await services.lifecycle.get(session, actor, incident)
    decided = (await services.lifecycle.decisions(session, actor, [found.id]))[found.id]
    enforce(decided[Action.EDIT], "incident")
    return await _show(session, actor, found, decided, {}, {}, 200)


@commands.post("")
async def edit(actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId) -> Response:
    """Change what the reader changed, and nothing else; who is engaged by the new words joins."""
    async with services.database.read(actor.organization) as session:
        found = await services.lifecycle.get(session, actor, incident)
    changed = _changed(fields)
    if overwritten := _overwritten(changed, fields, _present(found)):
        return await _again(services, actor, incident, changed, overwritten, VersionConflict.status)
    if not changed:
        return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)
    try:
        changes = IncidentEdit.model_validate(_values(changed))
        await services.lifecycle.edit(actor, incident, changes, command_id, attributes_version=found.attributes_version)
    except (ValidationError, Invalid) as error:
        return await _again(services, actor, incident, changed, faults(error), 422)
    except (*REFUSALS, VersionConflict) as error:
        return await _again(services, actor, incident, changed, {"": _sentence(error)}, error.status)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)


@previews.get("")
async def back(actor: CurrentActor, incident: str) -> Response:
    """What was typed is nowhere but in its form; whoever comes back without one begins again."""
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}/edit", 303)


@previews.post("")
async def preview(session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str, fields: Fields) -> Response:
    """Whom it would add, with everything as it was typed; nothing is changed (E7)."""
    found = await services.lifecycle.get(session, actor, incident)
    decided = (await services.lifecycle.decisions(session, actor, [found.id]))[found.id]
    enforce(decided[Action.EDIT], "incident")
    # What the fields were as the form was opened stays, or an edit in between would go unnoticed.
    kept: Context = {
        "form": _present(found) | {name: fields[name] for name in _FIELDS if name in fields},
        "was": {_WAS + name: fields.get(_WAS + name, text) for name, text in _present(found).items()},
    }
    try:
        changes = IncidentEdit.model_validate(_values(_changed(fields)))
        kept["audience"] = await audience.of_edit(session, actor, found.id, changes)
    except (ValidationError, Invalid) as error:
        return await _show(session, actor, found, decided, {}, faults(error), 422, kept)
    return await _show(session, actor, found, decided, {}, {}, 200, kept)


def _values(changed: dict[str, str]) -> Context:
    return {name: split(text, ",") if name == "tags" else text for name, text in changed.items()}


def _changed(fields: dict[str, str]) -> dict[str, str]:
    """What was typed into those fields that no longer are as they were when the form was opened."""
    sent = {name: fields[name] for name in _FIELDS if name in fields}
    return {name: text for name, text in sent.items() if not _same(name, text, fields.get(_WAS + name, ""))}


def _in_words(name: str, text: str) -> str:
    return choices.VISIBILITIES.get(text, text) if name == "visibility" else text


def _overwritten(changed: dict[str, str], fields: dict[str, str], present: dict[str, str]) -> dict[str, str]:
    """For each field that somebody else changed too, and otherwise: a sentence with what they made of it."""
    return {
        name: f"Meanwhile it became “{_in_words(name, present[name])}”. Save again to put yours in its place."
        for name, text in changed.items()
        if not _same(name, present[name], fields.get(_WAS + name, "")) and not _same(name, present[name], text)
    }


def _same(name: str, one: str, other: str) -> bool:
    return split(one, ",") == split(other, ",") if name == "tags" else one.strip() == other.strip()


def _sentence(error: MusterError) -> str:
    if isinstance(error, VersionConflict):
        return "Someone changed the incident at the same moment. Your text is kept: save again."
    return in_words(error)


def _present(incident: IncidentView) -> dict[str, str]:
    return {
        "title": incident.title,
        "description": incident.description.replace("\r\n", "\n"),
        "type": incident.type.name,
        "severity": incident.severity.name,
        "priority": incident.priority.name,
        "tags": ", ".join(incident.tags),
        "visibility": incident.visibility.value,
    }


async def _again(
    services: Services, actor: Actor, incident: str, changed: dict[str, str], errors: dict[str, str], status: int
) -> Response:
    async with services.database.read(actor.organization) as session:
        found = await services.lifecycle.get(session, actor, incident)
        decided = (await services.lifecycle.decisions(session, actor, [found.id]))[found.id]
        return await _show(session, actor, found, decided, changed, errors, status)


async def _show(
    session: CurrentSession,
    actor: Actor,
    incident: IncidentView,
    decided: Mapping[Action, Decision],
    changed: dict[str, str],
    errors: dict[str, str],
    status: int,
    kept: Context | None = None,
) -> Response:
    present = _present(incident)
    context = {
        "incident": incident,
        "form": present | changed,
        "was": {_WAS + name: text for name, text in present.items()},
        "options": choices.attribute_options(await lists.selectable(session)),
        "audience": None,
        "can": {"change_visibility": decided[Action.CHANGE_VISIBILITY].allowed},
        "errors": errors,
    }
    return render_page(actor, "pages/incident_edit.html", "incidents", context | (kept or {}), status)
