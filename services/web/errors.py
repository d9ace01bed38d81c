"""Problems, as pages."""

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from services.kit.errors import Problem


def render_problem(request: Request, problem: Problem) -> Response:
    """A problem as a page."""
    return PlainTextResponse(problem.detail, problem.status)
