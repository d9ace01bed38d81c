"""Signing in and out, in one organization or several at once (O2, O3)."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.accounts.organizations import check_slug
from services.kit.auth import check_csrf, check_same_site
from services.kit.errors import Invalid, NotSignedIn, TooMany
from services.web.access import AllServices, Services, safe_next, signed_in
from services.web.forms import Fields, address, faults, typed
from services.web.render import render

router = APIRouter(include_in_schema=False)

Next = Annotated[str, Query(alias="next", max_length=2_000)]


@router.get("/")
async def home(request: Request, services: AllServices) -> Response:
    """The organization of the session; of several, the first."""
    sessions = await services.accounts.sessions(request)
    return RedirectResponse(f"/{sessions[0].slug}" if sessions else "/sign-in", 303)


@router.get("/incidents/report")
async def report_somewhere(request: Request, services: AllServices) -> Response:
    """The report form of the session's organization, filled in as asked (R1)."""
    sessions = await services.accounts.sessions(request)
    if not sessions:
        return RedirectResponse("/sign-in", 303)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{sessions[0].slug}/incidents/report{query}", 303)


@router.get("/sign-in")
async def sign_in(request: Request, services: AllServices, link: str | None = None, add: bool = False) -> Response:
    """Ask which organization to sign in to, with the sessions there are; or whether to use a one-time link.

    A link is spent by the button, not by looking: programs that check mail open links as well.
    """
    if link is not None:
        return render("pages/sign_in_link.html", {"link": link, "problem": False})
    if not add and (only := await services.organizations.only_one()) is not None:
        return RedirectResponse(f"/{only}/sign-in", 303)
    return await _where(request, services, "", {}, 200)


@router.post("/sign-in")
async def choose(request: Request, services: AllServices, fields: Fields) -> Response:
    """Use a one-time link, or go on to the organization that was named."""
    check_same_site(request, services.settings.base_url)
    if "link" not in fields:
        slug = fields.get("organization", "").strip().lower()
        try:
            check_slug(slug)
        except Invalid as error:
            return await _where(request, services, slug, {"organization": f"This is no name in addresses. {error.detail}"}, 422)
        return RedirectResponse(f"/{slug}/sign-in", 303)
    spent = await services.accounts.sign_in_by_link(request, fields["link"])
    if spent is None:
        return render("pages/sign_in_link.html", {"link": "", "problem": True}, 401)
    secret, slug = spent
    return signed_in(services, slug, secret, f"/{slug}")


@router.get("/{org}/sign-in")
async def sign_in_here(request: Request, services: AllServices, org: str, after: Next = "", signed_out: bool = False) -> Response:
    """Ask for address and password. Whether there is such an organization is not told."""
    where = safe_next(org, after)
    if any(actor.slug == org for actor in await services.accounts.sessions(request)):
        return RedirectResponse(where, 303)
    ended = services.accounts.cookie(org) in request.cookies
    return await _form(request, services, org, where, {}, "signed_out" if signed_out else "ended" if ended else "", 200)


@router.post("/{org}/sign-in")
async def sign_in_by_password(request: Request, services: AllServices, org: str, fields: Fields) -> Response:
    """Sign in by address and password."""
    check_same_site(request, services.settings.base_url)
    where = safe_next(org, fields.get("next", ""))
    try:
        secret = await services.accounts.sign_in(request, org, address(fields), fields.get("password", ""))
    except Invalid as refused:
        return await _form(request, services, org, where, fields, "", 422, faults(refused))
    except NotSignedIn as refused:
        return await _form(request, services, org, where, fields, refused.detail, 401)
    except TooMany as refused:
        response = await _form(request, services, org, where, fields, refused.detail, 429)
        response.headers["Retry-After"] = str(refused.retry_after)
        return response
    return signed_in(services, org, secret, where)


@router.post("/{org}/sign-out")
async def sign_out(request: Request, services: AllServices, org: str) -> Response:
    """End this browser's session in one organization; those in others go on, and the page it leads to has them."""
    actor = next((actor for actor in await services.accounts.sessions(request) if actor.slug == org), None)
    if actor is not None:
        await check_csrf(request, actor)
        await services.accounts.sign_out(request, actor)
    response = RedirectResponse(f"/{quote(org, safe='')}/sign-in?signed_out=true", 303)
    response.delete_cookie(services.accounts.cookie(org), path="/", secure=services.settings.is_secure, httponly=True)
    return response


async def _where(request: Request, services: Services, slug: str, errors: dict[str, str], status: int) -> Response:
    sessions = await services.accounts.sessions(request)
    context = {"sessions": sessions, "form": {"organization": slug}, "errors": errors}
    return render("pages/sign_in_where.html", context, status)


async def _form(
    request: Request,
    services: Services,
    org: str,
    where: str,
    fields: dict[str, str],
    problem: str,
    status: int,
    errors: dict[str, str] | None = None,
) -> Response:
    context = {
        "slug": org,
        "next": where,
        "form": typed(fields, "email"),
        "problem": problem,
        "errors": errors or {},
        "provider": await services.oidc.provider_name(org),
        "sessions": await services.accounts.sessions(request),
    }
    return render("pages/sign_in.html", context, status)
