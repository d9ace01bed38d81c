"""Routes: who is asking is known, one request is one transaction, and a repeated request gets the first one's answer.

The commit happens before the answer leaves, so whatever was acknowledged is kept.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Protocol

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.auth import Actor, Authenticate, check_csrf, enforce
from services.kit.database import Database
from services.kit.errors import Invalid, MusterError
from services.kit.forms import read_form
from services.kit.ids import command_id, new_id
from workflows.domain.policy import Scope, grants

KEY_HEADER = "Idempotency-Key"
KEY_FIELDS = ("command_id", "idempotency_key")
"""Where forms carry the key: of a command, and of a report."""
KEEP_ANSWERS = timedelta(hours=24)
MAX_KEY = 255
_READING = frozenset({"GET", "HEAD"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StoredAnswer:
    """An answer that was given to a key: with the request's fingerprint."""

    def __init__(self, fingerprint: str, response: Response) -> None:
        self.fingerprint = fingerprint
        self.response = response


class Answers(Protocol):
    """Where answers are kept; the store implements it."""

    async def find(self, session: AsyncSession, actor: str, key: str) -> StoredAnswer | None:
        """The answer an actor's key got."""

    async def keep(
        self, session: AsyncSession, actor: str, key: str, fingerprint: str, response: Response, keep: timedelta | None
    ) -> None:
        """Keep an answer for that long; None is for ever. Raises IntegrityError when there is one already."""


class Scoped(APIRoute):
    """A route that a token reaches only with the scope for it, to read or to change."""

    to_read: ClassVar[Scope] = Scope.READ
    to_change: ClassVar[Scope] = Scope.WRITE

    def scope(self, request: Request) -> Scope:
        """What a token needs for this request."""
        return self.to_read if request.method in _READING else self.to_change


class Route(Scoped):
    """A route that reads and writes the database in one transaction.

    ``keep`` is how long answers to an Idempotency-Key are kept; None is for ever. ``never_kept`` are the fields of answers that
    hold secrets: a repeat gets the first answer with null in their place. Of a page that shows one, only the way to what it
    made is kept, which its Content-Location names.
    """

    keep: ClassVar[timedelta | None] = KEEP_ANSWERS
    never_kept: ClassVar[frozenset[str]] = frozenset()
    only_reads: ClassVar[frozenset[str]] = _READING

    def get_route_handler(self) -> Handler:
        """Wrap the handler; see the module."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            actor, key, fingerprint = await _prepare(request, self.scope(request))
            database: Database = request.app.state.database
            if request.method in self.only_reads:
                async with database.read(actor.organization) as session:
                    request.state.session = session
                    return await handler(request)
            if key is None:
                async with database.write(actor.organization) as session:
                    request.state.session = session
                    return await handler(request)
            return await self._once(request, handler, actor, key, fingerprint)

        return handle

    async def _once(self, request: Request, handler: Handler, actor: Actor, key: str, fingerprint: str) -> Response:
        database: Database = request.app.state.database
        answers: Answers = request.app.state.answers
        try:
            async with database.write(actor.organization) as session:
                request.state.session = session
                if (stored := await answers.find(session, actor.account, key)) is not None:
                    return _same(stored, fingerprint)
                response = await handler(request)
                if response.status_code < 400 and (kept := self._to_keep(response)) is not None:
                    await answers.keep(session, actor.account, key, fingerprint, kept, self.keep)
                return response
        except (IntegrityError, MusterError):
            # Perhaps only because the same request went through at the same time, and was first.
            async with database.read(actor.organization) as session:
                stored = await answers.find(session, actor.account, key)
            if stored is None:
                raise
            return _same(stored, fingerprint)

    def _to_keep(self, response: Response) -> Response | None:
        if not self.never_kept or not response.body:
            return response
        if response.headers["content-type"] != "application/json":
            made = response.headers.get("Content-Location")
            return None if made is None else RedirectResponse(made, 303)
        body = json.loads(bytes(response.body))
        told = body | dict.fromkeys(self.never_kept & body.keys())
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        return JSONResponse(told, response.status_code, headers)


class PreviewRoute(Route):
    """A route to which something is sent that is not to be kept: it only reads, and asks for no more than that."""

    to_change = Scope.READ
    only_reads = _READING | {"POST"}


class ReportRoute(Route):
    """A route whose answers are kept for ever: a report is never made twice (R2)."""

    keep = None
    to_change = Scope.REPORT


class AdminRoute(Route):
    """A route by which an organization is administered."""

    to_read = to_change = Scope.ADMIN


class TokenRoute(AdminRoute):
    """A route for API tokens, whose secrets are told once."""

    never_kept = frozenset({"secret"})


class ExportRoute(Route):
    """A route by which a record is taken away: it reads, and writes that into the audit log (O5)."""

    only_reads = frozenset()


class CommandRoute(Scoped):
    """A route that gives a command to a workflow: it holds no transaction while it waits for the answer.

    The command id follows from the key, so a repeat whose first answer was lost is the same command.
    """

    def get_route_handler(self) -> Handler:
        """Wrap the handler; see the module."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            actor, key, fingerprint = await _prepare(request, self.scope(request))
            if key is None:
                return await handler(request)
            database: Database = request.app.state.database
            answers: Answers = request.app.state.answers
            async with database.read(actor.organization) as session:
                if (stored := await answers.find(session, actor.account, key)) is not None:
                    return _same(stored, fingerprint)
            response = await handler(request)
            if response.status_code < 400 and response.status_code != 202:
                try:
                    async with database.write(actor.organization) as session:
                        await answers.keep(session, actor.account, key, fingerprint, response, KEEP_ANSWERS)
                except IntegrityError:
                    # Its twin kept an answer first: to the same request, or to another one that took the key.
                    async with database.read(actor.organization) as session:
                        stored = await answers.find(session, actor.account, key)
                    return response if stored is None else _same(stored, fingerprint)
            return response

        return handle


class AdminCommandRoute(CommandRoute):
    """A route by which an organization is administered, and that asks elsewhere before it writes."""

    to_read = to_change = Scope.ADMIN


async def _prepare(request: Request, needed: Scope) -> tuple[Actor, str | None, str]:
    # The body first: once it is kept, the form can be read from it as well.
    body = await request.body()
    authenticate: Authenticate = request.app.state.authenticate
    actor = await authenticate(request, request.path_params["org"])
    request.state.actor = actor
    enforce(grants(actor.scopes, needed), "page")
    await check_csrf(request, actor)
    key = None if request.method in _READING else await _key(request)
    request.state.command_id = new_id() if key is None else command_id(actor.organization, actor.account, key)
    fingerprint = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + body).hexdigest()
    return actor, key, fingerprint


async def _key(request: Request) -> str | None:
    key = request.headers.get(KEY_HEADER)
    if key is None and request.headers.get("content-type", "").startswith("application/x-www-form"):
        form = await read_form(request)
        key = next((field for name in KEY_FIELDS if isinstance(field := form.get(name), str)), None)
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise Invalid.of(KEY_HEADER, "idempotency_key_invalid", f"An Idempotency-Key has 1 to {MAX_KEY} printable characters.")
    return key


def _same(stored: StoredAnswer, fingerprint: str) -> Response:
    if stored.fingerprint != fingerprint:
        raise Invalid(
            "This Idempotency-Key was used for another request. Use a new key for a new request.", "idempotency_key_reused"
        )
    return stored.response


def _session(request: Request) -> AsyncSession:
    session: AsyncSession = request.state.session
    return session


def _command_id(request: Request) -> str:
    command: str = request.state.command_id
    return command


CurrentSession = Annotated[AsyncSession, Depends(_session)]
CommandId = Annotated[str, Depends(_command_id)]
