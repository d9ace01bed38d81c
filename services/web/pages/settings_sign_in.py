"""Settings: the OpenID Connect provider that people sign in by (O3)."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts.schemas import ProviderView
from services.accounts.sign_in_provider import ProviderBody
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Invalid, VersionConflict
from services.kit.routing import AdminCommandRoute
from services.web.access import AllServices, Services
from services.web.forms import Fields, faults, given, typed
from services.web.render import Context, Flash, render_page
from workflows.domain.policy import AccountObject, Action, Role

router = APIRouter(prefix="/{org}/settings/sign-in", route_class=AdminCommandRoute, include_in_schema=False)

_FIELDS = ("name", "issuer", "client_id", "version")
_SAVED = Flash(kind="good", text="Saved. The provider answered as it must; now try to sign in by it.")
_REMOVED = Flash(kind="good", text="The provider was removed. People sign in by password.")


@router.get("")
async def show(services: AllServices, actor: CurrentActor, saved: bool = False, removed: bool = False) -> Response:
    """The provider as it is set."""
    found = await services.sign_in_provider.get(actor)
    form = _form(found)
    return _page(services, actor, found, form, {}, 200, _SAVED if saved else _REMOVED if removed else None)


@router.post("")
async def save(services: AllServices, actor: CurrentActor, fields: Fields) -> Response:
    """Set or change it. What is wrong with it is said at the field; a secret that was typed has to be typed again."""
    form: Context = typed(fields, *_FIELDS) | {"admits": "admits" in fields}
    try:
        body = ProviderBody.model_validate(
            typed(fields, "name", "issuer", "client_id") | given(fields, "client_secret") | {"admits": form["admits"]}
        )
        await services.sign_in_provider.put(actor, body, number(form["version"]))
    except (ValidationError, Invalid) as error:
        return _page(services, actor, await services.sign_in_provider.get(actor), form, faults(error), 422)
    except VersionConflict:
        found = await services.sign_in_provider.get(actor)
        said = "Someone changed this while you were editing. Your text is kept: save again to put it in place."
        now = {"version": str(found.version if found else 0)}
        return _page(services, actor, found, form | now, {"": said}, 412)
    return RedirectResponse(f"/{actor.slug}/settings/sign-in?saved=true", 303)


@router.post("/remove")
async def remove(services: AllServices, actor: CurrentActor) -> Response:
    """Have no provider any more."""
    await services.sign_in_provider.delete(actor)
    return RedirectResponse(f"/{actor.slug}/settings/sign-in?removed=true", 303)


def _form(found: ProviderView | None) -> Context:
    if found is None:
        return {"name": "", "issuer": "", "client_id": "", "admits": False, "version": "0"}
    return found.model_dump(include={"name", "issuer", "client_id", "admits"}) | {"version": str(found.version)}


def _page(
    services: Services,
    actor: Actor,
    found: ProviderView | None,
    form: Context,
    errors: dict[str, str],
    status: int,
    flash: Flash | None = None,
) -> Response:
    context = {
        "provider": found,
        "redirect_uri": services.oidc.redirect_uri(actor.slug),
        "form": form,
        "errors": errors,
        "settings": "sign-in",
        "can": {
            "administer": actor.may(Action.MANAGE_SETTINGS),
            "manage": actor.may(Action.MANAGE_ACCOUNT, AccountObject(role=Role.OWNER)),
        },
    }
    return render_page(actor, "pages/settings_sign_in.html", "settings", context, status, flash)
