"""Settings: how many people come into an incident at once without asking (E7)."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts.organization_settings import MAX_STORM_LIMIT, SettingsChanges, change_settings, get_settings
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import VersionConflict
from services.kit.routing import AdminRoute, CurrentSession
from services.web.forms import Fields, typed, whole
from services.web.render import Context, Flash, render_page
from workflows.domain.policy import Action

router = APIRouter(prefix="/{org}/settings/engagement/storm-guard", route_class=AdminRoute, include_in_schema=False)

_SAVED = Flash(kind="good", text="Saved. It holds from the next change of an incident on.")
_CONFLICT = "Someone changed this while you were editing. What you typed is kept: save again to put it in place."


@router.get("")
async def show(session: CurrentSession, actor: CurrentActor, saved: bool = False) -> Response:
    """The limit as it is set."""
    found = await get_settings(session, actor)
    return _page(actor, found.model_dump(), {}, 200, _SAVED if saved else None)


@router.post("")
async def save(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Change it. What is wrong is told at the field, and what was typed stays."""
    actor.require(Action.MANAGE_SETTINGS)
    form: Context = typed(fields, "storm_limit", "version")
    try:
        changes = SettingsChanges.model_validate({"storm_limit": whole(form["storm_limit"])})
        await change_settings(session, actor, changes, number(form["version"]))
    except ValidationError:
        return _page(actor, form, {"storm_limit": f"Give a whole number from 1 to {MAX_STORM_LIMIT:,}."}, 422)
    except VersionConflict:
        now = await get_settings(session, actor)
        return _page(actor, form | {"version": now.version}, {"": _CONFLICT}, 412)
    return RedirectResponse(f"/{actor.slug}/settings/engagement/storm-guard?saved=true", 303)


def _page(actor: Actor, form: Context, errors: dict[str, str], status: int, flash: Flash | None = None) -> Response:
    context = {
        "form": form,
        "errors": errors,
        "most": MAX_STORM_LIMIT,
        "settings": "engagement",
        "can": {"administer": actor.may(Action.MANAGE_SETTINGS)},
    }
    return render_page(actor, "pages/settings_storm_guard.html", "settings", context, status, flash)
