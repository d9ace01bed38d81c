"""Contacts: the on-call services, with who is on call when (E10)."""

from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import NaiveDatetime, TypeAdapter, ValidationError

from services.engagement import records
from services.engagement.oncall import service as services
from services.engagement.oncall.wording import cadence, lines_of
from services.engagement.rotation import moment_of
from services.engagement.schemas import (
    NewOnCallService,
    NewOverride,
    OnCallServiceChanges,
    OnCallServiceView,
    ShiftView,
    TermsBody,
)
from services.kit.auth import Actor, CurrentActor
from services.kit.clock import now
from services.kit.conditions import number
from services.kit.errors import Conflict, Invalid, Unavailable, VersionConflict
from services.kit.paging import After
from services.kit.preferences import time_zones
from services.kit.routing import CurrentSession, PreviewRoute, Route
from services.web import previews, rota
from services.web.addresses import next_href
from services.web.forms import Fields, at_fields, split, typed
from services.web.pages.teams import CHANGED, NEW
from services.web.render import Context, Flash, render_page
from services.web.render import zone as zone_of
from workflows.domain.policy import Action, ContactObject

router = APIRouter(prefix="/{org}/contacts/on-call", route_class=Route, include_in_schema=False)
tries = APIRouter(prefix="/{org}/contacts/on-call/{service}/edit/try", route_class=PreviewRoute, include_in_schema=False)

_OVERRIDE: Final = ("individual", "from", "until", "time_zone")
_LOCAL: Final = TypeAdapter(NaiveDatetime)


@router.get("")
async def show_all(
    session: CurrentSession, actor: CurrentActor, q: Annotated[str, Query(max_length=200)] = "", after: After = None
) -> Response:
    """The organization's on-call services, by name, with who is on call now."""
    return await _list(session, actor, q, after, {}, {})


@router.post("")
async def add(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Make one; its rotation comes next."""
    actor.require(Action.EDIT_CONTACT, ContactObject())
    try:
        given = typed(fields, "name") | {"terms": split(fields.get("terms", ""), "\n")}
        async with session.begin_nested():
            made = await services.create_service(session, actor, NewOnCallService.model_validate(given))
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, "", None, fields, at_fields(error))
    return RedirectResponse(f"/{actor.slug}/contacts/on-call/{made.id}?done=added", 303)


@router.get("/{service}")
async def show(session: CurrentSession, actor: CurrentActor, service: str, done: str = "", override: str = "") -> Response:
    """One on-call service: who is on call now and in the next two weeks, its layers and its overrides.

    ``done`` is what has just been done; then it says what the terms would have matched, too (E7). ``override`` is the one
    that has just been added.
    """
    said = {"added": "The on-call service was added.", "saved": "Saved."}.get(done)
    flash = None if said is None else Flash(kind="good", text=said)
    return await _page(session, actor, service, None, {}, flash=flash, added=override)


@router.get("/{service}/edit")
async def edit(session: CurrentSession, actor: CurrentActor, service: str) -> Response:
    """Its name, its terms, and whether anybody is engaged by it."""
    found = await services.get_service(session, service)
    form: Context = {"name": found.name, "terms": "\n".join(found.terms), "active": found.active}
    return _edit(actor, found, form, {})


@router.post("/{service}/edit")
async def change(session: CurrentSession, actor: CurrentActor, service: str, fields: Fields) -> Response:
    """Change them, all or nothing."""
    actor.require(Action.EDIT_CONTACT, ContactObject())
    form: Context = typed(fields, "name", "terms") | {"active": "active" in fields}
    try:
        changes = OnCallServiceChanges.model_validate({"name": form["name"], "active": form["active"]})
        terms = TermsBody(terms=split(form["terms"], "\n")).terms
        async with session.begin_nested():
            await services.change_service(session, actor, service, changes, number(fields.get("version", "")))
            await services.put_terms(session, actor, service, terms)
    except (ValidationError, Invalid) as error:
        return _edit(actor, await services.get_service(session, service), form, at_fields(error), 422)
    except VersionConflict:
        return _edit(actor, await services.get_service(session, service), form, {"": CHANGED}, 412)
    return RedirectResponse(f"/{actor.slug}/contacts/on-call/{service}?done=saved", 303)


@tries.get("")
async def back(actor: CurrentActor, service: str) -> Response:
    """What was tried is nowhere but in its form; whoever comes back without one begins again."""
    return RedirectResponse(f"/{actor.slug}/contacts/on-call{'' if service == NEW else f'/{service}/edit'}", 303)


@tries.post("")
async def try_terms(session: CurrentSession, actor: CurrentActor, service: str, fields: Fields) -> Response:
    """Which incidents the terms would have matched, with everything as it was typed; nothing is changed (E7)."""
    if service == NEW:
        actor.require(Action.EDIT_CONTACT, ContactObject())
        tried, errors = await previews.of_form(session, actor, fields.get("terms", ""))
        return await _list(session, actor, "", None, fields, errors, tried=tried)
    found = await services.get_service(session, service)
    form: Context = typed(fields, "name", "terms", "version") | {"active": "active" in fields}
    tried, errors = await previews.of_form(session, actor, form["terms"])
    return _edit(actor, found, form, errors, 422 if errors else 200, tried=tried)


@router.post("/{service}/overrides")
async def add_override(session: CurrentSession, actor: CurrentActor, service: str, fields: Fields) -> Response:
    """Put somebody on call for a while; its times are on the clocks of the zone that is given with them."""
    actor.require(Action.EDIT_CONTACT, ContactObject())
    form = typed(fields, *_OVERRIDE)
    try:
        new = NewOverride.model_validate(_moments(form) | {"individual": form["individual"]})
        async with session.begin_nested():
            added = await services.add_override(session, actor, service, new)
    except (ValidationError, Invalid) as error:
        return await _page(session, actor, service, form, at_fields(error), 422)
    except Conflict as error:
        return await _page(session, actor, service, form, {"": error.detail}, 409)
    return RedirectResponse(f"/{actor.slug}/contacts/on-call/{service}?override={added.id}", 303)


@router.post("/{service}/overrides/remove")
async def remove_override(session: CurrentSession, actor: CurrentActor, service: str, fields: Fields) -> Response:
    """Take an override back."""
    try:
        await services.remove_override(session, actor, service, fields.get("override", ""))
    except Conflict as error:
        return await _page(session, actor, service, None, {"": error.detail}, 409)
    return RedirectResponse(f"/{actor.slug}/contacts/on-call/{service}", 303)


def _moments(form: dict[str, str]) -> Context:
    if form["time_zone"] not in time_zones():
        raise Invalid.of("time_zone", "unknown", "Choose a time zone; they are called like Europe/Berlin.")
    found: Context = {}
    for field in ("from", "until"):
        try:
            found[field] = moment_of(_LOCAL.validate_python(form[field]), ZoneInfo(form["time_zone"]))
        except (ValidationError, OverflowError) as error:
            message = "Give a date and a time, like 2026-03-01T09:30."
            raise Invalid.of(field, "not_a_time", message if form[field] else "This is needed.") from error
    return found


async def _list(
    session: CurrentSession,
    actor: Actor,
    q: str,
    after: str | None,
    fields: dict[str, str],
    errors: dict[str, str],
    tried: Context = previews.NOTHING,
) -> Response:
    page = await services.list_services(session, actor, q or None, after)
    context = {
        "tab": "on-call",
        "services": page.data,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
        "can": {"manage": _manages(actor)},
        "form": typed(fields, "name", "terms"),
        "errors": errors,
    }
    return render_page(actor, "pages/oncall_services.html", "contacts", context | tried, 422 if errors else 200)


async def _page(
    session: CurrentSession,
    actor: Actor,
    service: str,
    form: dict[str, str] | None,
    errors: dict[str, str],
    status: int = 200,
    flash: Flash | None = None,
    added: str = "",
) -> Response:
    found = await services.get_service(session, service)
    begin = now()
    end = begin + services.HORIZON
    shifts, unanswered = await _shifts(session, service, begin, end)
    people = {person.id: person for person in found.people}
    order = list(people)
    layers = [
        {
            "name": layer.name,
            "number": place,
            "cadence": cadence(layer),
            "time_zone": layer.time_zone,
            "people": [people[member] for member in layer.members],
            "only": lines_of(layer.only).split("\n") if layer.only else [],
        }
        for place, layer in enumerate(found.rotation.layers)
    ]
    context = {
        "tab": "on-call",
        "here": f"/{actor.slug}/contacts/on-call/{found.id}",
        "service": found,
        "on_call": services.on_call_first(shifts) if shifts else None,
        "unanswered": unanswered,
        "shifts": shifts,
        "end": end,
        "bars": rota.bars(shifts, begin, end, order),
        "begin": begin,
        "axis": rota.axis(begin, end, zone_of(actor)),
        "layers": layers,
        "zones": sorted(time_zones()),
        "form": form or dict.fromkeys(_OVERRIDE, ""),
        "added": next((each for each in found.overrides if each.id == added), None),
        "errors": errors,
        "can": {"manage": _manages(actor)},
        "records": await records.of_owner(session, actor, found.id),
    }
    tried = previews.NOTHING if flash is None else await previews.of_terms(session, actor, found.terms, saved=True)
    return render_page(actor, "pages/oncall_service.html", "contacts", context | tried, status, flash)


async def _shifts(session: CurrentSession, service: str, begin: datetime, end: datetime) -> tuple[list[ShiftView], str]:
    """The shifts; or none, and why they cannot be told now."""
    try:
        return await services.list_shifts(session, service, begin, end), ""
    except Unavailable as error:
        return [], error.detail


def _edit(
    actor: Actor,
    found: OnCallServiceView,
    form: Context,
    errors: dict[str, str],
    status: int = 200,
    tried: Context = previews.NOTHING,
) -> Response:
    context = {
        "here": f"/{actor.slug}/contacts/on-call/{found.id}",
        "service": found,
        "form": {"version": str(found.version)} | form,
        "errors": errors,
        "can": {"manage": _manages(actor)},
    }
    return render_page(actor, "pages/oncall_edit.html", "contacts", context | tried, status)


def _manages(actor: Actor) -> bool:
    return actor.may(Action.EDIT_CONTACT, ContactObject())
