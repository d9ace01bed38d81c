"""Moving an incident to another status; what ends it is asked before, on a page that says what will happen."""

from typing import Final, Literal

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from services.desk.views import IncidentView
from services.kit.auth import Actor, CurrentActor, enforce
from services.kit.errors import Invalid
from services.kit.routing import CommandId, CommandRoute, CurrentSession, Route
from services.lifecycle.schemas import ListQuery, Transition
from services.web.access import AllServices, Services
from services.web.choices import Option
from services.web.forms import Fields, faults, given, typed
from services.web.outcome import REFUSALS, in_words
from services.web.pages.incident import incident_page
from services.web.parts import look_at
from services.web.render import Flash, render_page
from workflows.domain.lifecycle import NEEDS_REASON, Category
from workflows.domain.policy import Action

router = APIRouter(prefix="/{org}/incidents/{incident}/transitions", route_class=Route, include_in_schema=False)
commands = APIRouter(prefix="/{org}/incidents/{incident}/transitions", route_class=CommandRoute, include_in_schema=False)


class Confirmation(BaseModel):
    """What is asked before an incident ends. ``title`` takes its reference; ``into``: another incident must be named."""

    title: str
    label: str
    consequences: list[str]
    into: bool = False


CONFIRMATIONS: Final = {
    Category.CLOSED: Confirmation(
        title="Close {}?",
        label="Close incident",
        consequences=[
            "The incident is over, and its duration stands still.",
            "Nobody else is brought in; who took part stays listed.",
            "It can be reopened later.",
        ],
    ),
    Category.DECLINED: Confirmation(
        title="Decline {}?",
        label="Decline incident",
        consequences=["The incident ends without a response.", "The reason is kept with it.", "This cannot be undone."],
    ),
    Category.CANCELLED: Confirmation(
        title="Cancel {}?",
        label="Cancel incident",
        consequences=["The incident ends here.", "The reason is kept with it.", "This cannot be undone."],
    ),
    Category.MERGED: Confirmation(
        title="Merge {} into another incident?",
        label="Merge incident",
        consequences=[
            "Its people join the other incident and are told.",
            "This one ends; its timeline stays.",
            "This cannot be undone.",
        ],
        into=True,
    ),
}
"""By the category of the status that is asked for."""


@router.get("")
async def confirm(session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str, to: str = "") -> Response:
    """Ask first. What needs no question is done by a button on the incident's page."""
    found = await services.lifecycle.get(session, actor, incident)
    category = _category(found, to)
    if category not in CONFIRMATIONS:
        return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)
    decisions = await services.lifecycle.decisions(session, actor, [found.id])
    enforce(decisions[found.id][Action.CHANGE_STATUS], "incident")
    return await _ask(session, actor, services, found, category, {}, {}, 200)


@commands.post("")
async def move(actor: CurrentActor, services: AllServices, incident: str, fields: Fields, command_id: CommandId) -> Response:
    """Move it."""
    try:
        wanted = Transition.model_validate({"to": fields.get("to", "")} | given(fields, "reason", "into"))
        await services.lifecycle.transition(actor, incident, wanted, command_id)
    except ValidationError as error:
        return await _again(services, actor, incident, fields, faults(error), 422)
    except REFUSALS as error:
        errors = faults(error) if isinstance(error, Invalid) else {"": in_words(error)}
        return await _again(services, actor, incident, fields, errors, error.status)
    return RedirectResponse(f"/{actor.slug}/incidents/{incident}", 303)


async def _again(
    services: Services, actor: Actor, incident: str, fields: dict[str, str], errors: dict[str, str], status: int
) -> Response:
    async with services.database.read(actor.organization) as session:
        found = await services.lifecycle.get(session, actor, incident)
        category = _category(found, fields.get("to", ""))
        if category in CONFIRMATIONS:
            return await _ask(session, actor, services, found, category, fields, errors, status)
        look = await look_at(services, session, actor, incident)
        return await incident_page(look, "timeline", status, Flash(kind="bad", text=" ".join(errors.values())))


def _category(incident: IncidentView, to: str) -> Category | None:
    named = (status.category for status in incident.statuses if to in {status.id, status.category})
    return next(named, None)


async def _ask(
    session: CurrentSession,
    actor: Actor,
    services: Services,
    incident: IncidentView,
    category: Category,
    fields: dict[str, str],
    errors: dict[str, str],
    status: int,
) -> Response:
    asked = CONFIRMATIONS[category]
    reason: Literal["required", "optional"] = "required" if category in NEEDS_REASON else "optional"
    others = []
    if asked.into:
        page = await services.lifecycle.list_incidents(session, actor, ListQuery(ongoing=True), page_size=100)
        others = [other for other in page.data if other.id != incident.id]
    context = {
        "incident": incident,
        "confirm": {
            **dict(asked),
            "title": asked.title.format(incident.reference),
            "to": category.value,
            "reason": reason,
            "danger": category is not Category.CLOSED,
        },
        "options": {"incidents": [Option(value=row.reference, label=f"{row.reference} {row.title}") for row in others]},
        "form": typed(fields, "reason", "into"),
        "errors": errors,
    }
    return render_page(actor, "pages/confirm_transition.html", "incidents", context, status)
