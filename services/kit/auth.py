"""Who is asking. How a credential is looked up is the accounts service's business; it is handed in as ``authenticate``."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request
from pydantic import BaseModel

from services.kit.errors import Forbidden, NotFound
from services.kit.forms import read_form
from services.kit.preferences import Preferences
from workflows.domain.policy import Action, Decision, Object, OrganizationObject, Role, Scope, Subject, decide

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
MAX_SESSIONS: Final = 50
"""How many sessions of one browser are looked at."""
_COOKIE: Final = "muster-"


class Origin(BaseModel):
    """Where a change comes from, for the audit log: the account, by what it was recognised, and the network address."""

    account: str | None
    who: str
    via: str
    address: str


class Elsewhere(BaseModel):
    """Another session of the same browser, in another organization (O2)."""

    slug: str
    organization_name: str
    name: str


class Actor(BaseModel):
    """An account that was recognised, in the organization of the request.

    ``session`` is its secret when it came by browser, and ``elsewhere`` are the browser's other sessions; ``scopes`` limit what
    came with an API token, and are None otherwise; ``until`` is when that token expires, if it does.
    """

    organization: str
    slug: str
    organization_name: str
    account: str
    individual: str
    name: str
    email: str
    role: Role
    preferences: Preferences
    origin: Origin
    session: str | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    scopes: frozenset[Scope] | None = None
    until: datetime | None = None

    @property
    def subject(self) -> Subject:
        """Who this is to the policy."""
        return Subject(role=self.role)

    def may(self, action: Action, target: Object = OrganizationObject()) -> bool:  # noqa: B008  (immutable)
        """Whether the policy allows it."""
        return decide(self.subject, action, target).allowed

    def require(self, action: Action, target: Object = OrganizationObject(), what: str = "page") -> None:  # noqa: B008
        """Go on only if the policy allows it; ``what`` names the object to whoever may not know it.

        Raises:
            NotFound, Forbidden: it does not.
        """
        enforce(decide(self.subject, action, target), what)

    def require_session(self) -> str:
        """The secret of the browser session that asks, for what a token must not do, such as making what outlasts it.

        Raises:
            Forbidden: ``session_needed``.
        """
        if self.session is None:
            raise Forbidden("Only who is signed in with a browser can do this; a token cannot.", "session_needed")
        return self.session

    @property
    def csrf_token(self) -> str:
        """What forms and scripts of this session must send along; it follows from the session's secret."""
        return hashlib.sha256(f"csrf:{self.session}".encode()).hexdigest()


Authenticate = Callable[[Request, str], Awaitable[Actor]]
"""Finds the actor of a request for an organization's slug; raises NotSignedIn or NotFound."""


def enforce(decision: Decision, what: str) -> None:
    """Turn a refusal of the policy into an answer.

    Raises:
        NotFound: the object may not be known. Forbidden: it may, and the decision says why not.
    """
    if decision.allowed:
        return
    if not decision.visible:
        raise NotFound(what)
    raise Forbidden(decision.reason, decision.code)


def session_cookie(slug: str, *, secure: bool) -> str:
    """The name of the cookie that holds a browser's session in an organization: one each, so they come and go alone."""
    return host_cookie(f"{_COOKIE}{slug}", secure=secure)


def host_cookie(name: str, *, secure: bool) -> str:
    """The name of a cookie that, under HTTPS, no other host of the domain can set (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if secure else name


def session_secrets(request: Request, *, secure: bool) -> list[str]:
    """The secrets of the sessions this browser has, or had, in whatever organizations; of very many, the first."""
    prefix = session_cookie("", secure=secure)
    return [secret for name, secret in request.cookies.items() if name.startswith(prefix)][:MAX_SESSIONS]


async def check_csrf(request: Request, actor: Actor) -> None:
    """A change that comes with a cookie must prove that it comes from our own page.

    Raises:
        Forbidden: ``csrf``.
    """
    if actor.session is None or request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").startswith(("application/x-www-form", "multipart/form")):
        field = (await read_form(request)).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), actor.csrf_token.encode()):
        raise Forbidden("This page was open for too long. Load it again, then repeat what you did.", "csrf")


def check_same_site(request: Request, ours: str) -> None:
    """A form that is sent before there is a session must come from our own page, or another site could sign somebody in as
    somebody else. Browsers say where it comes from, by Fetch Metadata or by Origin; what says nothing is no browser.
    ``ours`` is what Muster's own addresses begin with.

    Raises:
        Forbidden: ``csrf``.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        # By host alone: behind a proxy this process does not see whether they came by HTTPS.
        same = origin is None or _host(origin) in {_host(ours), request.headers.get("host", "").lower()}
    if not same:
        raise Forbidden("This form was sent from another site. Open Muster's own page, then try again.", "csrf")


def _host(url: str) -> str:
    return url.lower().partition("://")[2].partition("/")[0]


def current_actor(request: Request) -> Actor:
    """The actor whom the route recognised before its handler ran."""
    actor: Actor = request.state.actor
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]
