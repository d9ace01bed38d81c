"""Who is asking. How a credential is looked up is the accounts service's business; it is handed in as ``authenticate``."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel

from services.kit.errors import Forbidden
from workflows.domain.policy import Role

SESSION_COOKIE = "muster_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"


class Actor(BaseModel):
    """An account that was recognised, in the organization of the request. ``session`` is set when it came by browser."""

    organization: str
    slug: str
    organization_name: str
    account: str
    individual: str
    name: str
    role: Role
    session: str | None = None

    @property
    def csrf_token(self) -> str:
        """What forms and scripts of this session must send along; it follows from the session's secret."""
        return hashlib.sha256(f"csrf:{self.session}".encode()).hexdigest()


Authenticate = Callable[[Request, str], Awaitable[Actor]]
"""Finds the actor of a request for an organization's slug; raises NotSignedIn or NotFound."""


async def check_csrf(request: Request, actor: Actor) -> None:
    """A change that comes with a cookie must prove that it comes from our own page.

    Raises:
        Forbidden: ``csrf``.
    """
    if actor.session is None or request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").startswith(("application/x-www-form", "multipart/form")):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), actor.csrf_token.encode()):
        raise Forbidden("This page was open for too long. Load it again, then repeat what you did.", "csrf")


def current_actor(request: Request) -> Actor:
    """The actor whom the route recognised before its handler ran."""
    actor: Actor = request.state.actor
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]
