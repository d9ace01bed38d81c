"""The HTTP application: problem documents, security headers, request ids, a limit on bodies, health."""

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from opentelemetry import trace
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kit.errors import BadRequest, FieldError, Invalid, MusterError, NotFound, Problem, TooLarge, TooMany
from services.kit.ids import new_id
from services.kit.openapi import PROBLEM_TYPE, PROBLEMS, DocumentedApp

MAX_BODY: Final = 1024 * 1024
"""The largest request body, in bytes: fifty times the largest description."""
MAX_ERRORS: Final = 50
"""How many wrong fields a problem lists."""
MAX_FIELD: Final = 200
"""The longest name of a wrong field, in characters: a body can name one as it likes."""
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_RETRY_AFTER: Final = {202: "3", 503: "5"}
"""Seconds after which to ask again, by status."""
_UTF_8: Final = re.compile(r'charset="?utf-8"?(?=\s*(?:;|$))')
_log = structlog.get_logger(__name__)

RenderError = Callable[[Request, Problem], Response]
"""Shows a problem to a person; the web front door hands it in."""
Check = Callable[[], Awaitable[bool]]
"""Whether a dependency answers."""


def create_http(
    routers: Sequence[APIRouter],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    checks: dict[str, Check],
    render_error: RenderError | None = None,
) -> FastAPI:
    """The application over some services' routers. ``checks`` are the dependencies ``/readyz`` names."""
    app = DocumentedApp(
        title="Muster",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"metrics": False, "logs": False, "operation_spans": False, "exclude": _untraced},
    )
    # Before the pages, whose first part of the path can be any organization.
    _add_health(app, checks)
    for router in routers:
        app.include_router(router, responses=PROBLEMS)
    app.add_middleware(_Edge, failed=_add_errors(app, render_error))
    return app


def _untraced(scope: MutableMapping[str, Any]) -> bool:
    """Health checks and open streams would drown what matters."""
    return scope["path"] in {"/healthz", "/readyz"} or str(scope["path"]).endswith("/stream")


def _add_health(app: FastAPI, checks: dict[str, Check]) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        states = {name: "ready" if await check() else "down" for name, check in checks.items()}
        ready = all(state == "ready" for state in states.values())
        return JSONResponse({"status": "ready" if ready else "down", "dependencies": states}, 200 if ready else 503)


def _add_errors(app: FastAPI, render_error: RenderError | None) -> Callable[[Request, Exception], Response]:
    """Answer errors; what answers one outside the application is handed back: of its edge, or that nobody foresaw."""

    def answer(request: Request, problem: Problem) -> Response:
        if render_error is not None and _wants_page(request):
            return render_error(request, problem)
        headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
        if wait := _RETRY_AFTER.get(problem.status):
            headers["Retry-After"] = wait
        return JSONResponse(problem.model_dump(), problem.status, headers=headers, media_type=PROBLEM_TYPE)

    def known(request: Request, error: MusterError) -> Response:
        detail, fields = _listed(error.detail, error.errors), error.errors[:MAX_ERRORS]
        response = answer(request, _problem(request, error.status, error.title, detail, error.code, fields))
        if isinstance(error, TooMany):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @app.exception_handler(MusterError)
    async def inside(request: Request, error: MusterError) -> Response:
        return known(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        fields = [_field_error(entry) for entry in found[:MAX_ERRORS]]
        if any(entry["type"] == "json_invalid" for entry in found):
            return answer(request, _problem(request, 400, "Bad request", "The body is not JSON.", "malformed", fields))
        detail = _listed("Some fields are not valid.", found)
        return answer(request, _problem(request, 422, "Not valid", detail, "invalid", fields))

    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OperationalError)
    async def busy(request: Request, error: PoolTimeout | OperationalError) -> Response:
        if isinstance(error, OperationalError) and "database is locked" not in str(error):
            raise error
        _log.warning("the database is busy", path=request.url.path, error=str(error))
        detail = "Muster has too much to do at this moment; nothing was done. Repeat this in a few seconds."
        return answer(request, _problem(request, 503, "Busy", detail, "busy"))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        title = HTTPStatus(error.status_code).phrase
        code = title.lower().replace(" ", "_")
        response = answer(request, _problem(request, error.status_code, title, f"{error.detail}.", code))
        response.headers.update(error.headers or {})
        return response

    def failed(request: Request, error: Exception) -> Response:
        if isinstance(error, MusterError):
            return known(request, error)
        _log.error("unexpected error", path=request.url.path, exc_info=error)
        return answer(
            request,
            _problem(request, 500, "Something went wrong", "This is a fault in Muster. It was logged.", "internal_error"),
        )

    return failed


def _problem(
    request: Request, status: int, title: str, detail: str, code: str, errors: list[FieldError] | None = None
) -> Problem:
    return Problem(
        type="about:blank",
        title=title,
        status=status,
        detail=detail,
        code=code,
        request_id=request.scope.get("request_id", ""),
        errors=errors or [],
    )


def _listed(detail: str, found: Sequence[object]) -> str:
    """What a problem says, and how many of the wrong fields it does not list."""
    left = len(found) - MAX_ERRORS
    return f"{detail} {left} more are not listed." if left > 0 else detail


def _field_error(entry: dict[str, object]) -> FieldError:
    where = entry["loc"]
    path = [str(part) for part in where] if isinstance(where, tuple) else [str(where)]
    field = ".".join(path[1:] if path[0] in {"body", "query", "path", "header"} else path)
    return FieldError(
        field=field[:MAX_FIELD] or "body", code=str(entry["type"]), message=str(entry["msg"]).removeprefix("Value error, ")
    )


def _wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


class _Edge:
    """The outermost layer: gives each request an id, limits its body, and adds the security headers, to what failed as well."""

    def __init__(self, app: ASGIApp, failed: Callable[[Request, Exception], Response]) -> None:
        self._app = app
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id()
        scope["request_id"] = request_id
        static = scope["path"].startswith("/static/")
        begun = False

        async def out(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    if not (static and name == "Cache-Control"):
                        headers.setdefault(name, value)
            await send(message)

        if scope["query_string"]:
            # FastAPI puts it into the trace, and it can be a secret: that of a link, or a provider's code.
            trace.get_current_span().set_attribute("url.query", "(not kept)")
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                _check_text(Request(scope))
                await self._app(scope, _limited(receive), out)
            except Exception as error:
                if begun:
                    raise
                await self._failed(Request(scope), error)(scope, receive, out)


def _check_text(request: Request) -> None:
    """What is sent is text as databases take it, whatever it is for: without NUL, and in UTF-8.

    Raises:
        NotFound: NUL is in the path. Invalid: it is in the query. BadRequest: ``charset_unknown``, of a form.
    """
    if "\x00" in request.url.path or "%00" in request.url.path:
        raise NotFound
    if wrong := [name for name, value in request.query_params.multi_items() if "\x00" in name + value]:
        message = "contains NUL, which is not text"
        errors = [FieldError(field=name[:MAX_FIELD], code="not_text", message=message) for name in wrong[:MAX_ERRORS]]
        raise Invalid("Some fields are not valid.", errors=errors)
    # A form is read by any codec of Python that it names, and some of these make what is no text, or fail.
    content_type = request.headers.get("content-type", "").lower()
    if content_type.startswith("multipart/") and "charset" in _UTF_8.sub("", content_type):
        raise BadRequest("A form is read as UTF-8. Send it so, and name no other charset.", "charset_unknown")


def _limited(receive: Receive) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY:
            raise TooLarge(f"A request body has at most {MAX_BODY} bytes.", "body_too_large")
        return message

    return limited
