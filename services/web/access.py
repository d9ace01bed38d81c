"""The services behind the pages."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from services.accounts.oidc import OpenIDConnect
from services.accounts.organizations import Organizations
from services.accounts.recovery import Recovery
from services.accounts.service import SESSION_LIFE, AccountsService
from services.accounts.sign_in_provider import SignInProvider
from services.engagement.service import EngagementService
from services.intake.service import IntakeService
from services.kit.database import Database
from services.kit.settings import Settings
from services.lifecycle.service import LifecycleService
from services.notify.service import NotifyService


@dataclass(frozen=True)
class Services:
    """What pages ask, as the composition root put it together."""

    settings: Settings
    database: Database
    accounts: AccountsService
    organizations: Organizations
    recovery: Recovery
    oidc: OpenIDConnect
    sign_in_provider: SignInProvider
    intake: IntakeService
    engagement: EngagementService
    lifecycle: LifecycleService
    notify: NotifyService


def _services(request: Request) -> Services:
    state = request.app.state
    return Services(
        settings=state.settings,
        database=state.database,
        accounts=state.accounts,
        organizations=state.organizations,
        recovery=state.recovery,
        oidc=state.oidc,
        sign_in_provider=state.sign_in_provider,
        intake=state.intake,
        engagement=state.engagement,
        lifecycle=state.lifecycle,
        notify=state.notify,
    )


AllServices = Annotated[Services, Depends(_services)]


def safe_next(slug: str, wanted: str) -> str:
    """Where to go on after signing in to an organization: a page of it that was asked for, or its first page.

    Anything else, like an address elsewhere that only looks like a path, is not followed.
    """
    parts = urlsplit(wanted)
    inside = parts.path == f"/{slug}" or parts.path.startswith(f"/{slug}/")
    plain = wanted.isprintable() and "\\" not in wanted and not parts.scheme and not parts.netloc
    again = f"{parts.path}/".startswith(f"/{slug}/sign-in/")
    return wanted if inside and plain and not again else f"/{slug}"


def signed_in(services: Services, slug: str, secret: str, where: str) -> Response:
    """Go on as who has just signed in: with a session of their own in this organization, beside the others they have."""
    response = RedirectResponse(where, 303)
    set_cookie(services, response, services.accounts.cookie(slug), secret, SESSION_LIFE)
    return response


def set_cookie(services: Services, response: Response, name: str, secret: str, life: timedelta) -> None:
    """Have the browser keep a secret. Lax: links of other sites lead in with it, and so does the way back from a provider."""
    response.set_cookie(
        name,
        secret,
        max_age=int(life.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=services.settings.is_secure,
    )
