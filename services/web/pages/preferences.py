"""Preferences: what people set for themselves (O2)."""

from typing import Final, Literal

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts import profile
from services.accounts.schemas import MeChanges, PreferenceChanges
from services.kit.auth import Actor, CurrentActor
from services.kit.errors import Invalid, TooMany
from services.kit.preferences import time_zones
from services.kit.routing import CommandRoute, CurrentSession, Route
from services.web.access import AllServices
from services.web.forms import Fields, faults, typed
from services.web.render import Context, Flash, render_page

router = APIRouter(prefix="/{org}/preferences", route_class=Route, include_in_schema=False)
commands = APIRouter(prefix="/{org}/preferences", route_class=CommandRoute, include_in_schema=False)

Done = Literal["saved", "password", "session", "sessions"]
_DONE: Final[dict[Done, str]] = {
    "saved": "Your preferences were saved.",
    "password": "Your password was changed, and every other session has ended.",
    "session": "That session has ended.",
    "sessions": "Every other session has ended.",
}
_FIELDS: Final = ("time_zone", "chat_identity", "quiet_from", "quiet_until", "channel")
_OFFERED: Final = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
"""Where zones are called after places; the others are known by older names."""


@router.get("")
async def show(session: CurrentSession, actor: CurrentActor, done: Done | None = None) -> Response:
    """Everything that one can set; ``done`` is what has just been."""
    flash = None if done is None else Flash(kind="good", text=_DONE[done])
    return await _page(session, actor, None, {}, flash)


@router.post("")
async def save(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Save them."""
    form = typed(fields, "name", "theme", *_FIELDS)
    wanted = {name: form[name] or None for name in _FIELDS} | {"theme": form["theme"], "chat_identity": form["chat_identity"]}
    try:
        preferences = PreferenceChanges.model_validate(wanted)
        await profile.change_me(session, actor, MeChanges(name=form["name"], preferences=preferences))
    except (ValidationError, Invalid) as error:
        found = faults(error)
        if "" in found:
            del found[""]
            found["quiet_until" if form["quiet_from"] else "quiet_from"] = "Quiet hours need a beginning and an end."
        return await _page(session, actor, form, found)
    return _done(actor, "saved")


@router.post("/theme")
async def set_theme(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Set the theme only, as the menu does."""
    try:
        wanted = PreferenceChanges.model_validate(typed(fields, "theme"))
    except ValidationError as error:
        return await _page(session, actor, None, faults(error))
    await profile.change_me(session, actor, MeChanges(preferences=wanted))
    return _done(actor, "saved")


@router.post("/sessions/end")
async def end_session(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Sign out another browser, or all others."""
    wanted = fields.get("session", "")
    if wanted:
        await profile.end_session(session, actor, wanted)
    else:
        await profile.end_other_sessions(session, actor)
    return _done(actor, "session" if wanted else "sessions")


@commands.post("/password")
async def change_password(services: AllServices, actor: CurrentActor, fields: Fields) -> Response:
    """Set another password."""
    try:
        await profile.change_password(services.database, actor, fields.get("old_password", ""), fields.get("password", ""))
    except (Invalid, TooMany) as error:
        found = {"old_password": error.detail} if isinstance(error, TooMany) else faults(error)
        async with services.database.read(actor.organization) as session:
            response = await _page(session, actor, None, found)
        if isinstance(error, TooMany):
            response.status_code = error.status
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    return _done(actor, "password")


def _done(actor: Actor, done: Done) -> Response:
    return RedirectResponse(f"/{actor.slug}/preferences?done={done}", 303)


async def _page(
    session: CurrentSession, actor: Actor, form: dict[str, str] | None, errors: dict[str, str], flash: Flash | None = None
) -> Response:
    me = await profile.me(session, actor)
    context: Context = {
        "email": me.email,
        "form": form or _form(me.individual.name, me.preferences.model_dump(mode="json")),
        "zones": sorted(zone for zone in time_zones() if zone.startswith(_OFFERED)),
        "has_password": await profile.has_password(session, actor),
        "sessions": await profile.sessions(session, actor),
        "errors": errors,
    }
    return render_page(actor, "pages/preferences.html", "preferences", context, 422 if errors else 200, flash)


def _form(name: str, preferences: dict[str, str | None]) -> dict[str, str]:
    shown = {field: value or "" for field, value in preferences.items()}
    # Whole minutes, as the browser's field has them.
    return shown | {"name": name} | {field: shown[field][:5] for field in ("quiet_from", "quiet_until")}
