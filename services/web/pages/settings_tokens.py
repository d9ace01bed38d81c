"""Settings: API tokens, one's own and those of services (O3)."""

from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts import tokens
from services.accounts.schemas import IssuedToken, NewToken, TokenChanges
from services.accounts.wording import ROLES
from services.kit.auth import Actor, CurrentActor
from services.kit.errors import Invalid
from services.kit.paging import After
from services.kit.routing import CurrentSession, TokenRoute
from services.web.addresses import next_href
from services.web.choices import Option
from services.web.forms import Fields, faults, typed, whole
from services.web.render import Context, Flash, render_page
from workflows.domain.policy import Action, Scope

router = APIRouter(prefix="/{org}/settings/tokens", route_class=TokenRoute, include_in_schema=False)

SCOPES: Final = {
    Scope.READ: ("Read", "See everything its account can see"),
    Scope.REPORT: ("Report incidents", "Make new ones, and change nothing else"),
    Scope.WRITE: ("Change things", "Report and work on incidents, keep contacts"),
    Scope.ADMIN: ("Administer", "Members, projects, settings, API tokens, the audit log"),
}
"""What each scope lets a token do, in words."""
_LIVES: Final = {"30": "30 days", "90": "90 days", "365": "A year", "": "Until it is revoked"}

_SHOWN: Final = "This token is made already, and its secret was shown then. If nobody copied it, revoke it and make another."


@router.get("")
async def show(session: CurrentSession, actor: CurrentActor, after: After = None, revoked: bool = False) -> Response:
    """One's tokens, and a form for another one; ``revoked``: one has just ended."""
    flash = Flash(kind="good", text="The token was revoked: it no longer works.") if revoked else None
    form: Context = {"name": "", "kind": "personal", "role": "member", "expires_in": "90", "scopes": [Scope.READ]}
    return await _page(session, actor, form, {}, after=after, flash=flash)


@router.post("")
async def create(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Make one, and show its secret, once: it is in this page and nowhere else."""
    form: Context = typed(fields, "name", "kind", "role", "expires_in")
    form["scopes"] = [scope for scope in Scope if f"scope_{scope}" in fields]
    wanted = form | {"expires_in": whole(form["expires_in"]) or None, "kind": form["kind"] or "personal"}
    if wanted["kind"] == "personal":
        del wanted["role"]
    try:
        made = await tokens.create_token(session, actor, NewToken.model_validate(wanted))
    except (ValidationError, Invalid) as error:
        found = faults(error)
        if "scopes" in found and not form["scopes"]:
            found["scopes"] = "Choose at least one."
        return await _page(session, actor, form, found)
    response = await _page(session, actor, form | {"name": ""}, {}, made=made)
    response.headers["Content-Location"] = f"/{actor.slug}/settings/tokens/{made.id}?shown=true"
    return response


@router.get("/{token}")
async def show_one(session: CurrentSession, actor: CurrentActor, token: str, shown: bool = False) -> Response:
    """One token, to be renamed or revoked; ``shown``: the form that made it was sent again."""
    flash = Flash(kind="good", text=_SHOWN) if shown else None
    return await _one(session, actor, token, {}, {}, flash)


@router.post("/{token}")
async def rename(session: CurrentSession, actor: CurrentActor, token: str, fields: Fields) -> Response:
    """Give it another name."""
    try:
        await tokens.rename_token(session, actor, token, TokenChanges.model_validate(typed(fields, "name")))
    except ValidationError as error:
        return await _one(session, actor, token, fields, faults(error))
    return RedirectResponse(f"/{actor.slug}/settings/tokens", 303)


@router.post("/{token}/revoke")
async def revoke(session: CurrentSession, actor: CurrentActor, token: str) -> Response:
    """End it."""
    await tokens.revoke_token(session, actor, token)
    return RedirectResponse(f"/{actor.slug}/settings/tokens?revoked=true", 303)


async def _page(
    session: CurrentSession,
    actor: Actor,
    form: Context,
    errors: dict[str, str],
    *,
    after: str | None = None,
    made: IssuedToken | None = None,
    flash: Flash | None = None,
) -> Response:
    page = await tokens.list_tokens(session, actor, after)
    context = _shared(actor) | {
        "tokens": page.data,
        "next_href": next_href({}, page.pagination.after),
        "made": made,
        "lives": [Option(value=value, label=label) for value, label in _LIVES.items()],
        "form": form,
        "errors": errors,
    }
    return render_page(actor, "pages/settings_tokens.html", "settings", context, 422 if errors else 200, flash)


async def _one(
    session: CurrentSession,
    actor: Actor,
    token: str,
    fields: dict[str, str],
    errors: dict[str, str],
    flash: Flash | None = None,
) -> Response:
    found = await tokens.get_token(session, actor, token)
    context = _shared(actor) | {"token": found, "form": {"name": fields.get("name", found.name)}, "errors": errors}
    return render_page(actor, "pages/settings_token.html", "settings", context, 422 if errors else 200, flash)


def _shared(actor: Actor) -> Context:
    return {"settings": "tokens", "scopes": SCOPES, "roles": ROLES, "can": {"administer": actor.may(Action.MANAGE_SETTINGS)}}
