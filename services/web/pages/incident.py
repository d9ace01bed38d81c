"""An incident's page, its parts, and what can be done on it."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.desk.lookup import resolve_person
from services.engagement import subscriptions
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Conflict, Invalid, NotFound, Pending, Unavailable
from services.kit.paging import After
from services.kit.routing import CommandId, CommandRoute, CurrentSession, Route
from services.lifecycle.schemas import CommanderBody, EngagementAnswerBody, NoteBody
from services.web import parts
from services.web.access import AllServices, Services
from services.web.forms import Fields, faults
from services.web.outcome import REFUSALS, in_words
from services.web.parts import PARTS, Look, look_at
from services.web.render import Context, Flash, common, render, render_page
from workflows.domain.events import Departure, ResourceKind

router = APIRouter(prefix="/{org}/incidents/{incident}", route_class=Route, include_in_schema=False)
commands = APIRouter(prefix="/{org}/incidents/{incident}", route_class=CommandRoute, include_in_schema=False)

Say = Callable[[Actor, str, str, str], Awaitable[object]]
"""A command that takes a text: who asks, of which incident, the text, the command's id."""

_SIDE: Final = (parts.header, parts.resources, parts.people, parts.trouble, parts.question)
"""The parts that stand beside the tabs."""
_NOT_THEM: Final = {"not_a_participant", "list_commands_nothing"}
"""Why somebody cannot be commander, so that another one has to be named."""
TICKED: Final = "bring:"
"""With this begins the name of a person's box, before their id."""


@router.get("")
async def show(
    session: CurrentSession,
    actor: CurrentActor,
    services: AllServices,
    incident: str,
    tab: str = "timeline",
    after: After = None,
) -> Response:
    """The page, with one of its tabs open."""
    look = await look_at(services, session, actor, incident, after)
    return await incident_page(look, tab if tab in parts.TABS else "timeline")


@router.get("/fragments/{name}")
async def fragment(
    session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str, name: str, after: After = None
) -> Response:
    """One part, as it is now."""
    if name not in PARTS:
        raise NotFound
    template, part = PARTS[name]
    look = await look_at(services, session, actor, incident, after)
    return render(f"_fragments/{template}.html", common(actor) | parts.shared(look) | await part(look))


@router.post("/subscribe")
async def subscribe(session: CurrentSession, actor: CurrentActor, incident: str) -> Response:
    """Follow it without taking part."""
    await subscriptions.subscribe(session, actor, incident)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}#people", 303)


@router.post("/unsubscribe")
async def unsubscribe(session: CurrentSession, actor: CurrentActor, incident: str) -> Response:
    """Follow it no longer."""
    await subscriptions.unsubscribe(session, actor, incident)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}#people", 303)


@commands.post("/timeline")
async def add_note(actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId) -> Response:
    """Write into the timeline."""
    return await _say(services, actor, incident, "timeline", fields, services.lifecycle.add_note, command_id)


@commands.post("/messages")
async def post_message(
    actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId
) -> Response:
    """Say something in the channel."""
    return await _say(services, actor, incident, "channel", fields, services.lifecycle.post_message, command_id)


@commands.post("/commander")
async def assign_commander(
    actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId
) -> Response:
    """Make a participant the commander."""
    try:
        body = CommanderBody(individual=fields.get("individual", ""), note=fields.get("note", ""))
    except ValidationError as error:
        return await _again(services, actor, incident, 422, " ".join(faults(error).values()))
    command = services.lifecycle.assign_commander(actor, incident, body.individual, command_id, body.note)
    return await _act(services, actor, incident, command)


@commands.post("/hand-over")
async def hand_over(actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId) -> Response:
    """Make the participant commander whose name was typed."""
    form: Context = {"successor": fields.get("successor", ""), "note": fields.get("note", "")}
    try:
        async with services.database.read(actor.organization) as session:
            person = await resolve_person(session, "successor", form["successor"])
        body = CommanderBody(individual=person.id, note=form["note"])
    except (ValidationError, Invalid) as error:
        return await _again(services, actor, incident, 422, more=form | {"errors": faults(error)})
    try:
        await services.lifecycle.assign_commander(actor, incident, body.individual, command_id, body.note)
    except REFUSALS as error:
        if isinstance(error, Conflict) and error.code in _NOT_THEM:
            return await _again(services, actor, incident, error.status, more=form | {"errors": {"successor": error.detail}})
        return await _again(services, actor, incident, error.status, in_words(error), more=form)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)


@commands.post("/engagement-answer")
async def answer_engagement(
    actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId
) -> Response:
    """Say who comes in of those who are held back: all, none, or those whose boxes are ticked."""
    ticked = tuple(name.removeprefix(TICKED) for name in fields if name.startswith(TICKED))
    bring_in = fields.get("bring_in", "")
    if bring_in == "chosen" and not ticked:
        return await _again(services, actor, incident, 422, more={"errors": {"bring_in": "Tick who comes in, or choose Nobody."}})
    try:
        body = EngagementAnswerBody.model_validate(
            {"bring_in": ticked if bring_in == "chosen" else bring_in, "version": number(fields.get("version", ""))}
        )
    except ValidationError:
        return await _again(services, actor, incident, 422, "Choose who comes in: all of them, those you tick, or nobody.")
    return await _act(services, actor, incident, services.lifecycle.answer_engagement(actor, incident, body, command_id))


@commands.post("/participants")
async def add_participant(
    actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId
) -> Response:
    """Bring a person in."""
    typed = fields.get("individual", "")
    try:
        async with services.database.read(actor.organization) as session:
            person = await resolve_person(session, "individual", typed)
    except Invalid as error:
        return await _again(services, actor, incident, 422, more={"adding": typed, "errors": faults(error)})
    return await _act(services, actor, incident, services.engagement.add(actor, incident, person.id, command_id))


@commands.post("/participants/{individual}/remove")
async def remove_participant(
    actor: CurrentActor, services: AllServices, incident: str, individual: str, command_id: CommandId
) -> Response:
    """Remove a person."""
    command = services.engagement.leave(actor, incident, individual, Departure.REMOVED, command_id)
    return await _act(services, actor, incident, command)


@commands.post("/join")
async def join(actor: CurrentActor, services: AllServices, incident: str, command_id: CommandId) -> Response:
    """Take part oneself."""
    return await _act(services, actor, incident, services.engagement.join(actor, incident, command_id))


@commands.post("/leave")
async def leave(actor: CurrentActor, services: AllServices, incident: str, command_id: CommandId) -> Response:
    """Take part no longer."""
    command = services.engagement.leave(actor, incident, actor.individual, Departure.LEFT, command_id)
    return await _act(services, actor, incident, command)


@commands.post("/not-relevant")
async def not_relevant(actor: CurrentActor, services: AllServices, incident: str, command_id: CommandId) -> Response:
    """Say that one was engaged without need."""
    command = services.engagement.leave(actor, incident, actor.individual, Departure.NOT_RELEVANT, command_id)
    return await _act(services, actor, incident, command)


@commands.post("/resources/{kind}/retry")
async def retry_resource(
    actor: CurrentActor, services: AllServices, incident: str, kind: ResourceKind, command_id: CommandId
) -> Response:
    """Try again to make a resource that failed."""
    return await _act(services, actor, incident, services.lifecycle.retry_resource(actor, incident, kind, command_id))


async def _say(
    services: Services, actor: Actor, incident: str, tab: str, fields: Fields, say: Say, command_id: CommandId
) -> Response:
    text = fields.get("text", "")
    try:
        await say(actor, incident, NoteBody(text=text).text, command_id)
    except ValidationError as error:
        more = {"form": {"text": text, "command_id": ""}, "errors": faults(error)}
        return await _again(services, actor, incident, 422, tab=tab, more=more)
    except REFUSALS as error:
        # It may still come to pass: sent again, it must be the same command.
        open_ended = isinstance(error, (Pending, Unavailable))
        more = {"form": {"text": text, "command_id": fields.get("command_id", "") if open_ended else ""}}
        return await _again(services, actor, incident, error.status, in_words(error), tab, more)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}?tab={tab}", 303)


async def _act(services: Services, actor: Actor, incident: str, command: Awaitable[object]) -> Response:
    try:
        await command
    except REFUSALS as error:
        return await _again(services, actor, incident, error.status, in_words(error))
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)


async def _again(
    services: Services,
    actor: Actor,
    incident: str,
    status: int,
    refusal: str | None = None,
    tab: str = "timeline",
    more: Context | None = None,
) -> Response:
    """The page as it is now, with what was typed, and a sentence about why it was not done."""
    async with services.database.read(actor.organization) as session:
        look = await look_at(services, session, actor, incident)
        flash = None if refusal is None else Flash(kind="bad", text=refusal)
        return await incident_page(look, tab, status, flash, more)


async def incident_page(
    look: Look, tab: str, status: int = 200, flash: Flash | None = None, more: Context | None = None
) -> Response:
    """The whole page; ``more`` takes the place of what its parts would say."""
    context = parts.shared(look) | parts.stream(look) | {"tab": tab}
    for part in (*_SIDE, PARTS[tab][1]):
        context |= await part(look)
    return render_page(look.actor, "pages/incident.html", "incidents", context | (more or {}), status, flash)
