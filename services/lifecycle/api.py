"""Incidents, their timeline, channel and record, by HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.desk.lookup import find_incident
from services.desk.schemas import IncidentEdit
from services.desk.views import IncidentView
from services.kit.auth import Actor, CurrentActor
from services.kit.clock import Moment
from services.kit.conditions import IfMatch, number, set_etag
from services.kit.database import Database
from services.kit.errors import BadRequest, NotFound, NotSignedIn
from services.kit.paging import After, Page, PageSize, Pagination
from services.kit.routing import CommandId, CommandRoute, CurrentSession, ExportRoute, Route
from services.lifecycle.schemas import (
    CommanderBody,
    EngagementAnswerBody,
    ListQuery,
    MessageBody,
    MessageView,
    NoteBody,
    QuestionPage,
    Transition,
)
from services.lifecycle.service import LifecycleService
from services.lifecycle.stream import Tail
from services.lifecycle.timeline import TimelineEntry
from workflows.domain.events import ResourceKind
from workflows.domain.record import Record

router = APIRouter(prefix="/api/v1/{org}", tags=["lifecycle"], route_class=Route)
exports = APIRouter(prefix="/api/v1/{org}", tags=["lifecycle"], route_class=ExportRoute)
commands = APIRouter(prefix="/api/v1/{org}/incidents/{incident}", tags=["lifecycle"], route_class=CommandRoute)


def _service(request: Request) -> LifecycleService:
    service: LifecycleService = request.app.state.lifecycle
    return service


Lifecycle = Annotated[LifecycleService, Depends(_service)]


@router.get("/incidents")
async def list_incidents(
    session: CurrentSession,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    query: Annotated[ListQuery, Depends()],
    sort: Literal["-reported_at", "reported_at"] = "-reported_at",
    after: After = None,
    page_size: PageSize = 25,
) -> Page[IncidentView]:
    """The incidents one may see. `ongoing`: open or over; `q`: in title, description or reference."""
    return await lifecycle.list_incidents(session, actor, query, sort, after, page_size)


@router.get("/incidents/{incident}")
async def get_incident(
    session: CurrentSession,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    response: Response,
    at: Moment | None = None,
) -> IncidentView:
    """An incident, by id or reference; with `at` as it was at that moment."""
    found = await lifecycle.get(session, actor, incident, at)
    set_etag(response, found.version)
    return found


@router.get("/incidents/{incident}/timeline")
async def get_timeline(
    session: CurrentSession,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[TimelineEntry]:
    """What happened, the latest first."""
    return await lifecycle.timeline(session, actor, incident, after, page_size)


@router.get("/incidents/{incident}/engagement-question")
async def get_question(
    session: CurrentSession,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    after: After = None,
    page_size: PageSize = 25,
) -> QuestionPage:
    """Who is held back until the commander answers, by name, and why each matches; 404 when nobody is."""
    return await lifecycle.question_page(session, actor, incident, after, page_size)


@router.get("/incidents/{incident}/messages")
async def get_messages(session: CurrentSession, actor: CurrentActor, lifecycle: Lifecycle, incident: str) -> Page[MessageView]:
    """The latest messages of the channel, with those only you can see."""
    found = await lifecycle.messages(session, actor, incident)
    return Page(data=found, pagination=Pagination(after=None, page_size=max(len(found), 1)))


@exports.get("/incidents/{incident}/record.json")
async def get_record(session: CurrentSession, actor: CurrentActor, lifecycle: Lifecycle, incident: str) -> Record:
    """Every event with its hash, for `muster verify`."""
    return await lifecycle.record(session, actor, incident)


@commands.get("/stream", responses={200: {"content": {"text/event-stream": {}}}})
async def stream(
    request: Request,
    actor: CurrentActor,
    incident: str,
    last_event_id: Annotated[str | None, Query(max_length=20)] = None,
) -> StreamingResponse:
    """What changes, as it changes: `event:` names the part, `id:` the last event. Resumes by `Last-Event-ID`."""
    database: Database = request.app.state.database
    tail: Tail = request.app.state.tail
    async with database.read(actor.organization) as session:
        row = await find_incident(session, actor, incident)
    given = request.headers.get("Last-Event-ID") or last_event_id or str(row.seq)
    if (since := number(given)) is None:
        raise BadRequest("Last-Event-ID is the id of an event of this stream.", "unknown_event_id")
    tail.admit(actor.account)

    async def may_see() -> bool:
        try:
            # Whoever it is: a session can have ended, and a role changed.
            reader = await request.app.state.authenticate(request, actor.slug)
            async with database.read(reader.organization) as session:
                await find_incident(session, reader, row.id)
        except (NotFound, NotSignedIn):
            return False
        return True

    events = tail.stream(row.id, actor.account, since, may_see)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _answer(request: Request, actor: Actor, incident: str, response: Response) -> IncidentView:
    """The incident as it is after a command."""
    lifecycle: LifecycleService = request.app.state.lifecycle
    database: Database = request.app.state.database
    async with database.read(actor.organization) as session:
        found = await lifecycle.get(session, actor, incident)
    set_etag(response, found.version)
    return found


@commands.patch("")
async def edit(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    body: IncidentEdit,
    version: IfMatch,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Change attributes; who is engaged by the new ones joins."""
    changed = await lifecycle.edit(actor, incident, body, command_id, version)
    return await _answer(request, actor, changed, response)


@commands.post("/transitions")
async def transition(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    body: Transition,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Move to another status: to close, decline, cancel, merge and reopen as well."""
    changed = await lifecycle.transition(actor, incident, body, command_id)
    return await _answer(request, actor, changed, response)


@commands.put("/commander")
async def assign_commander(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    body: CommanderBody,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Make a participant the commander; the same person again changes nothing.

    They are told by email and chat, with the note, unless they did it themselves.
    """
    changed = await lifecycle.assign_commander(actor, incident, body.individual, command_id, body.note)
    return await _answer(request, actor, changed, response)


@commands.post("/engagement-answer")
async def answer_engagement(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    body: EngagementAnswerBody,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Say who comes in of a crowd that is held back: `"all"`, `"none"`, or the ids of those who do."""
    changed = await lifecycle.answer_engagement(actor, incident, body, command_id)
    return await _answer(request, actor, changed, response)


@commands.post("/timeline", status_code=201)
async def add_note(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    body: NoteBody,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Write into the timeline."""
    changed = await lifecycle.add_note(actor, incident, body.text, command_id)
    return await _answer(request, actor, changed, response)


@commands.post("/messages", status_code=201)
async def post_message(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    body: MessageBody,
    command_id: CommandId,
) -> MessageView:
    """Say something in the channel."""
    made = await lifecycle.post_message(actor, incident, body.text, command_id)
    database: Database = request.app.state.database
    async with database.read(actor.organization) as session:
        messages = await lifecycle.messages(session, actor, incident)
    return next(message for message in messages if message.id == made)


@commands.post("/resources/{kind}/retry")
async def retry_resource(
    request: Request,
    actor: CurrentActor,
    lifecycle: Lifecycle,
    incident: str,
    kind: ResourceKind,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Try again to make a resource that failed."""
    changed = await lifecycle.retry_resource(actor, incident, kind, command_id)
    return await _answer(request, actor, changed, response)
