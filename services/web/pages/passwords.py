"""Setting a password: with an invitation, or because it was forgotten (O3)."""

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.accounts.recovery import Kind
from services.kit.auth import check_same_site
from services.kit.errors import Invalid, TooMany
from services.web.access import AllServices, Services, signed_in
from services.web.forms import Fields, address, faults, typed
from services.web.render import render

router = APIRouter(include_in_schema=False)

_KINDS: Final[dict[str, Kind]] = {"invitation": "invitation", "reset-password": "password_reset"}


@router.get("/{org}/forgot-password")
async def forgot(org: str) -> Response:
    """Ask for the address to send a mail to."""
    return render("pages/forgot_password.html", {"slug": org, "form": {"email": ""}, "problem": "", "sent": False})


@router.post("/{org}/forgot-password")
async def send(request: Request, services: AllServices, org: str, fields: Fields) -> Response:
    """Send the mail, if there is such an account."""
    check_same_site(request, services.settings.base_url)
    problem, status, headers = "", 200, {}
    try:
        await services.recovery.ask(request, org, address(fields))
    except TooMany as refused:
        problem, status, headers = refused.detail, 429, {"Retry-After": str(refused.retry_after)}
    context = {"slug": org, "form": typed(fields, "email"), "problem": problem, "sent": not problem}
    response = render("pages/forgot_password.html", context, status)
    response.headers.update(headers)
    return response


@router.get("/{org}/invitation")
async def invitation(request: Request, services: AllServices, org: str, secret: str = "") -> Response:
    """Accept an invitation by choosing a password. Nothing is spent by looking."""
    return await _form(request, services, org, "invitation", secret, {}, 200)


@router.get("/{org}/reset-password")
async def reset(request: Request, services: AllServices, org: str, secret: str = "") -> Response:
    """Choose a new password."""
    return await _form(request, services, org, "reset-password", secret, {}, 200)


@router.post("/{org}/invitation")
async def accept(request: Request, services: AllServices, org: str, fields: Fields) -> Response:
    """Set the first password, and sign in."""
    return await _set(request, services, org, "invitation", fields)


@router.post("/{org}/reset-password")
async def change(request: Request, services: AllServices, org: str, fields: Fields) -> Response:
    """Set a new password, and sign in; every other session ends."""
    return await _set(request, services, org, "reset-password", fields)


async def _set(request: Request, services: Services, org: str, page: str, fields: dict[str, str]) -> Response:
    check_same_site(request, services.settings.base_url)
    secret = fields.get("secret", "")
    try:
        session = await services.recovery.set_password(request, org, _KINDS[page], secret, fields.get("password", ""))
    except Invalid as error:
        return await _form(request, services, org, page, secret, faults(error), 422)
    if session is None:
        return await _form(request, services, org, page, secret, {}, 401)
    return signed_in(services, org, session, f"/{org}")


async def _form(
    request: Request, services: Services, org: str, page: str, secret: str, errors: dict[str, str], status: int
) -> Response:
    person = await services.recovery.holder(org, _KINDS[page], secret)
    sessions = await services.accounts.sessions(request)
    others = (actor for actor in sessions if actor.slug == org and person and actor.account != person.account.id)
    context = {
        "slug": org,
        "page": page,
        "secret": secret,
        "person": None if person is None else {"name": person.individual.name, "email": person.individual.email},
        "organization": None if person is None else person.organization.name,
        "here": next(others, None),
        "link": f"{services.settings.base_url}/{org}/{page}?{urlencode({'secret': secret})}",
        "errors": errors,
    }
    return render("pages/set_password.html", context, 401 if person is None else status)
