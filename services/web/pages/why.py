"""Why someone is, or is not, in an incident (E6)."""

from typing import Any

from fastapi import APIRouter, Response

from services.desk.lookup import resolve_person
from services.desk.views import IncidentView
from services.engagement.schemas import WhyView
from services.kit.auth import CurrentActor
from services.kit.errors import Invalid
from services.kit.routing import CurrentSession, Route
from services.web.access import AllServices
from services.web.forms import faults
from services.web.render import render_page
from workflows.domain.engagement import Evidence

router = APIRouter(prefix="/{org}/incidents/{incident}/why", route_class=Route, include_in_schema=False)

_STATES = {"left": "left", "not_relevant": "left", "removed": "removed"}


@router.get("")
async def show(
    session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str, individual: str = ""
) -> Response:
    """The answer about one person, once one is named."""
    found = await services.lifecycle.get(session, actor, incident)
    answer: dict[str, Any] | None = None
    errors: dict[str, str] = {}
    if individual:
        try:
            person = await resolve_person(session, "individual", individual)
        except Invalid as error:
            errors = faults(error)
        else:
            why = await services.engagement.why(session, actor, incident, person.id)
            then = found if why.at is None else await services.lifecycle.get(session, actor, incident, why.at)
            answer, individual = _answer(why, then), why.individual.label
    context = {"incident": found, "typed": individual, "errors": errors, "answer": answer}
    return render_page(actor, "pages/why.html", "incidents", context, 422 if errors else 200)


def _answer(why: WhyView, then: IncidentView) -> dict[str, Any]:
    return {
        "individual": why.individual,
        "engaged": why.engaged,
        "state": _STATES.get(why.reason),
        "at": why.at,
        "evidence": [dict(piece) | {"value": _as_it_read(piece, then), "at": why.at} for piece in why.evidence],
        "reasons": [] if why.engaged else [why.explanation],
        "terms": why.terms,
    }


def _as_it_read(piece: Evidence, then: IncidentView) -> str | None:
    """The attribute's text at that time; None where the span is not there (an edit came in between)."""
    texts = {
        "title": [then.title],
        "description": [then.description],
        "type": [then.type.name],
        "severity": [then.severity.name],
        "priority": [then.priority.name],
        "tags": then.tags,
    }
    return next((text for text in texts.get(piece.attribute or "", []) if text[piece.start : piece.end] == piece.text), None)
