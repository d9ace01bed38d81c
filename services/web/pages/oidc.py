"""Signing in by the organization's OpenID Connect provider: to it, and back (O3)."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.accounts.oidc import ATTEMPT_LIFE, Answer
from services.kit.auth import host_cookie
from services.kit.errors import Forbidden, Unavailable
from services.web.access import AllServices, Services, safe_next, set_cookie, signed_in
from services.web.render import render

router = APIRouter(prefix="/{org}/sign-in", include_in_schema=False)

_COOKIE: Final = "signing-in-"
_Text = Annotated[str, Query(max_length=4_000)]


@router.get("/provider")
async def begin(services: AllServices, org: str, after: Annotated[str, Query(alias="next", max_length=2_000)] = "") -> Response:
    """Go to the provider. The browser keeps a secret, so that it alone can finish."""
    try:
        address, secret = await services.oidc.begin(org, safe_next(org, after))
    except Unavailable as error:
        return _refused(org, error)
    response = RedirectResponse(address, 303)
    set_cookie(services, response, _cookie(services, org), secret, ATTEMPT_LIFE)
    return response


@router.get("/callback")
async def finish(
    request: Request, services: AllServices, org: str, state: _Text = "", code: _Text = "", iss: _Text | None = None
) -> Response:
    """Come back from the provider."""
    answer = Answer(state, code, iss, request.cookies.get(_cookie(services, org), ""))
    try:
        secret, after = await services.oidc.finish(request, org, answer)
        response = signed_in(services, org, secret, after)
    except (Forbidden, Unavailable) as error:
        response = _refused(org, error)
    response.delete_cookie(_cookie(services, org), path="/", secure=services.settings.is_secure, httponly=True, samesite="lax")
    return response


def _cookie(services: Services, slug: str) -> str:
    """The name of the cookie that a browser keeps meanwhile."""
    return host_cookie(f"{_COOKIE}{slug}", secure=services.settings.is_secure)


def _refused(slug: str, error: Forbidden | Unavailable) -> Response:
    context = {"slug": slug, "reason": error.detail, "down": isinstance(error, Unavailable)}
    return render("pages/sign_in_refused.html", context, error.status)
