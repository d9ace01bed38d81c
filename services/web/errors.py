"""Problems, as pages."""

from typing import Final
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.kit.errors import Problem
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
    """A problem as a page; whoever is not signed in is sent to sign in."""
    if problem.status == 401:
        # What was sent is lost, and so are forms; a page that was only asked for comes after signing in.
        asked = f"{request.url.path}?{request.url.query}".removesuffix("?") if request.method == "GET" else ""
        query = f"?{urlencode({'next': asked})}" if asked else ""
        return RedirectResponse(f"/{quote(request.path_params['org'], safe='')}/sign-in{query}", 303)
    context = {
        "problem": problem,
        "what_next": _NEXT.get(problem.status, ""),
        "back": {"href": "/", "text": "Go to the incidents"},
        "request_id": problem.request_id,
    }
    return render("pages/error.html", context, problem.status)
