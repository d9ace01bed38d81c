"""Signing in by a one-time link, signing out, and the addresses that know no organization yet."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.accounts.service import SESSION_LIFE
from services.kit.auth import SESSION_COOKIE, check_csrf
from services.web.access import AllServices
from services.web.render import render

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, services: AllServices) -> Response:
    """The organization of the session."""
    actor = await services.accounts.signed_in(request)
    return RedirectResponse("/sign-in" if actor is None else f"/{actor.slug}", 303)


@router.get("/incidents/report")
async def report_somewhere(request: Request, services: AllServices) -> Response:
    """The report form of the session's organization, filled in as asked (R1)."""
    actor = await services.accounts.signed_in(request)
    if actor is None:
        return RedirectResponse("/sign-in", 303)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{actor.slug}/incidents/report{query}", 303)


@router.get("/sign-in")
async def sign_in(request: Request, services: AllServices, link: str | None = None, signed_out: bool = False) -> Response:
    """Spend a one-time link, or say how to get one."""
    if link is not None:
        return await _spend(request, services, link)
    actor = await services.accounts.signed_in(request)
    if actor is not None:
        return RedirectResponse(f"/{actor.slug}", 303)
    return render("pages/sign_in.html", {"problem": "signed_out" if signed_out else None})


@router.post("/sign-out")
async def sign_out(request: Request, services: AllServices) -> Response:
    """End the session of this browser."""
    actor = await services.accounts.signed_in(request)
    if actor is not None:
        await check_csrf(request, actor)
        await services.accounts.sign_out(request)
    response = RedirectResponse("/sign-in?signed_out=true", 303)
    response.delete_cookie(SESSION_COOKIE)
    return response


@router.get("/{org}/sign-in")
async def sign_in_here(org: str) -> Response:
    """Where a page sends who is not signed in. Whether there is such an organization is not told."""
    return render("pages/sign_in.html", {"problem": None})


async def _spend(request: Request, services: AllServices, link: str) -> Response:
    spent = await services.accounts.sign_in_by_link(request, link)
    if spent is None:
        return render("pages/sign_in.html", {"problem": "link"}, 401)
    session, slug = spent
    response = RedirectResponse(f"/{slug}", 303)
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=services.settings.base_url.startswith("https:"),
    )
    return response
