"""Problems, as pages."""

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.routing import Match

from services.kit.errors import Problem
from services.web.access import safe_next
from services.web.render import render

_NEXT: Final = {
    202: "Look at it in a moment.",
    400: "Start again from the list.",
    403: "Go back; if you should be able to do this, ask an administrator.",
    404: "Look at the address, or ask the person who sent you the link to add you to the incident.",
    500: "Try again. If it happens again, tell whoever runs Muster, with the request number below.",
    503: "Go back and try again in a moment: what you typed is still in the form.",
}
"""What the reader can do, by status."""


def render_problem(request: Request, problem: Problem) -> Response:
    """A problem as a page; who is not signed in is sent to sign in, and who asks where only forms go, to the nearest page."""
    if problem.status == 401:
        return RedirectResponse(_sign_in(request), 303)
    if problem.status == 405 and request.method == "GET":
        return RedirectResponse(_nearest(request), 303)
    context = {
        "problem": problem,
        "what_next": _NEXT.get(problem.status, ""),
        "back": {"href": "/", "text": "Go to the incidents"},
        "request_id": problem.request_id,
    }
    return render("pages/error.html", context, problem.status)


def _sign_in(request: Request) -> str:
    """Where to sign in, and go on with the page that was asked for, or the one whose form was sent: it keeps what was typed."""
    slug = request.path_params["org"]
    asked = urlsplit(str(request.url) if request.method == "GET" else request.headers.get("Referer", ""))
    query = f"?{urlencode({'next': safe_next(slug, f'{asked.path}?{asked.query}'.removesuffix('?'))})}" if asked.path else ""
    return f"/{quote(slug, safe='')}/sign-in{query}"


def _nearest(request: Request) -> str:
    """The page that an address without one of its own belongs to: a form was refused there, and somebody came back to it."""
    path = request.url.path
    while path := path.rpartition("/")[0]:
        scope = {**request.scope, "method": "GET", "path": path}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            return path
    return "/"
