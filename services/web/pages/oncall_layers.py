"""Contacts: the layers of an on-call service's rotation, one at a time (E10)."""

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.desk.lookup import people
from services.engagement.oncall import service as services
from services.engagement.oncall.wording import lines_of
from services.engagement.rotation import MAX_LAYERS, MAX_MEMBERS, Layer, Rotation
from services.engagement.schemas import OnCallServiceChanges, OnCallServiceView
from services.kit.auth import Actor, CurrentActor
from services.kit.clock import now
from services.kit.conditions import number
from services.kit.errors import Invalid, NotFound, VersionConflict
from services.kit.preferences import time_zones
from services.kit.routing import CurrentSession, Route
from services.web import rota
from services.web.forms import Fields, at_fields, split, typed, whole
from services.web.pages.teams import CHANGED
from services.web.people import people_of
from services.web.render import Context, render_page
from workflows.domain.policy import Action, ContactObject

router = APIRouter(prefix="/{org}/contacts/on-call/{service}/layers", route_class=Route, include_in_schema=False)

_FIELDS: Final = ("name", "members", "time_zone", "starts_at", "number", "unit", "only")
_NAMES: Final = ("Primary", "Secondary")
NEW: Final = "new"
"""What stands in the address in place of a layer's number until it has one."""


@router.get("/{layer}")
async def show(session: CurrentSession, actor: CurrentActor, service: str, layer: str) -> Response:
    """One layer, or a new one."""
    found = await services.get_service(session, service)
    given = _layer(found, layer)
    return _page(actor, found, layer, _empty(actor, found) if given is None else await _form(session, given), {})


@router.post("/{layer}")
async def save(session: CurrentSession, actor: CurrentActor, service: str, layer: str, fields: Fields) -> Response:
    """Put it in place of the one of this number, or over all others."""
    await services.require_change(session, actor, service)
    form: Context = typed(fields, *_FIELDS)
    try:
        changed = Layer.model_validate(await _given(session, form))
        await _replace(session, actor, service, layer, changed, fields)
    except (ValidationError, Invalid) as error:
        return _page(actor, await services.get_service(session, service), layer, form, _at_fields(error), 422)
    except VersionConflict:
        return _page(actor, await services.get_service(session, service), layer, form, {"": CHANGED}, 412)
    return RedirectResponse(f"/{actor.slug}/contacts/on-call/{service}", 303)


@router.post("/{layer}/remove")
async def remove(session: CurrentSession, actor: CurrentActor, service: str, layer: str, fields: Fields) -> Response:
    """Take it out of the rotation."""
    try:
        await _replace(session, actor, service, layer, None, fields)
    except VersionConflict:
        found = await services.get_service(session, service)
        shown = _layer(found, layer)
        form = _empty(actor, found) if shown is None else await _form(session, shown)
        return _page(actor, found, layer, form, {"": "Someone changed this meanwhile. Look at it, then remove it again."}, 412)
    return RedirectResponse(f"/{actor.slug}/contacts/on-call/{service}", 303)


def _layer(found: OnCallServiceView, layer: str) -> Layer | None:
    """The layer of this number; None for a new one."""
    if layer == NEW:
        return None
    place = number(layer)
    if place is None or place >= len(found.rotation.layers):
        raise NotFound("layer")
    return found.rotation.layers[place]


async def _replace(
    session: CurrentSession, actor: Actor, service: str, layer: str, changed: Layer | None, fields: dict[str, str]
) -> None:
    found = await services.get_service(session, service)
    version = number(fields.get("version", ""))
    # Layers are known by their place, which holds for one version only.
    if version != found.version:
        raise VersionConflict
    layers = list(found.rotation.layers)
    place = len(layers) if _layer(found, layer) is None else int(layer)
    if place >= MAX_LAYERS:
        raise Invalid.of("", "too_many", f"A rotation has at most {MAX_LAYERS} layers. Remove one first.")
    layers[place : place + 1] = [] if changed is None else [changed]
    changes = OnCallServiceChanges(rotation=Rotation(layers=tuple(layers)))
    async with session.begin_nested():
        await services.change_service(session, actor, service, changes, version)


async def _given(session: CurrentSession, form: Context) -> dict[str, Any]:
    unit = "weeks" if form["unit"] == "weeks" else "days"
    return {
        "name": form["name"],
        "members": await people_of(session, "members", form["members"]),
        "time_zone": form["time_zone"],
        "starts_at": form["starts_at"],
        "every": {unit: whole(form["number"])},
        "only": rota.hours_of("only", split(form["only"], "\n")),
    }


async def _form(session: CurrentSession, layer: Layer) -> Context:
    known = await people(session, layer.members)
    weeks = layer.every.weeks is not None
    return {
        "name": layer.name,
        "members": "\n".join(known[member].label for member in layer.members),
        "time_zone": layer.time_zone,
        "starts_at": f"{layer.starts_at:%Y-%m-%dT%H:%M}",
        "number": str(layer.every.weeks if weeks else layer.every.days),
        "unit": "weeks" if weeks else "days",
        "only": lines_of(layer.only),
    }


def _empty(actor: Actor, found: OnCallServiceView) -> Context:
    layers = found.rotation.layers
    zone = layers[-1].time_zone if layers else actor.preferences.time_zone or "UTC"
    return dict.fromkeys(_FIELDS, "") | {
        "name": _NAMES[len(layers)] if len(layers) < len(_NAMES) else f"Layer {len(layers) + 1}",
        "time_zone": zone,
        "starts_at": f"{_last_monday(now().astimezone(ZoneInfo(zone))):%Y-%m-%dT09:00}",
        "number": "1",
        "unit": "weeks",
    }


def _last_monday(moment: datetime) -> datetime:
    return moment - timedelta(days=moment.weekday() or 7)


def _at_fields(error: ValidationError | Invalid) -> dict[str, str]:
    found = at_fields(error)
    if "every" in found:
        found["number"] = "Give a number of days up to 365, or of weeks up to 52."
        del found["every"]
    if "members" in found and isinstance(error, ValidationError):
        found["members"] = f"Name at least one person and at most {MAX_MEMBERS}, one a line."
    return found


def _page(
    actor: Actor, found: OnCallServiceView, layer: str, form: Context, errors: dict[str, str], status: int = 200
) -> Response:
    context = {
        "parent": f"/{actor.slug}/contacts/on-call/{found.id}",
        "here": f"/{actor.slug}/contacts/on-call/{found.id}/layers/{layer}",
        "service": found,
        "new": layer == NEW,
        "zones": sorted(time_zones()),
        "form": form | {"version": str(found.version)},
        "errors": errors,
        "can": {"manage": actor.may(Action.EDIT_CONTACT, ContactObject())},
    }
    return render_page(actor, "pages/oncall_layer.html", "contacts", context, status)
