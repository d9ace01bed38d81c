"""Why someone is, or is not, in an incident (E6)."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from services.desk.lookup import resolve_person
from services.desk.views import IncidentView
from services.engagement.schemas import WhyView
from services.engagement.why import engaged_by_id, explain
from services.kit.auth import CurrentActor
from services.kit.errors import Invalid, NotFound
from services.kit.routing import CurrentSession, Route
from services.store.contacts import Individual
from services.web.access import AllServices
from services.web.forms import faults
from services.web.render import render_page
from workflows.domain.engagement import Evidence

router = APIRouter(prefix="/{org}/incidents/{incident}/why", route_class=Route, include_in_schema=False)

_STATES = {"left": "left", "not_relevant": "left", "removed": "removed"}


@router.get("")
async def show(
    session: CurrentSession, actor: CurrentActor, services: AllServices, incident: str, individual: str = "", at: str = ""
) -> Response:
    """The answer about one person, once one is named; about the time ``at``, if one is given."""
    found = await services.lifecycle.get(session, actor, incident)
    answer: dict[str, Any] | None = None
    errors: dict[str, str] = {}
    if individual:
        try:
            person, moment = await _named(session, individual), _moment(at)
            why = await explain(session, actor, incident, person.id, moment)
        except Invalid as error:
            errors = faults(error)
        except NotFound:
            errors = {"at": "The incident was reported later than that. Give a time since then."}
        else:
            matched = why.at or why.held_at
            then = found if matched is None else await services.lifecycle.get(session, actor, incident, matched)
            answer = _answer(why, then) | {"is_list": person.kind == "list"}
            individual = why.individual.label
    context = {"incident": found, "typed": individual, "at": at, "errors": errors, "answer": answer}
    return render_page(actor, "pages/why.html", "incidents", context, 422 if errors else 200)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError:
        raise Invalid.of("at", "not_a_time", "Give a date and a time.") from None


async def _named(session: CurrentSession, individual: str) -> Individual:
    # The mailing list of a team is engaged, but is no person whom one names: pages refer to it by its id.
    return await engaged_by_id(session, individual) or await resolve_person(session, "individual", individual)


def _answer(why: WhyView, then: IncidentView) -> dict[str, Any]:
    return {
        "individual": why.individual,
        "engaged": why.engaged,
        "state": _STATES.get(why.reason),
        "at": why.at,
        "held_at": why.held_at,
        "evidence": [dict(piece) | {"value": _as_it_read(piece, then), "at": why.at or why.held_at} for piece in why.evidence],
        "reasons": [] if why.engaged else [why.explanation],
        "terms": why.terms,
        "rules": [("Rule", each) for each in why.rules] + [("Role policy", each) for each in why.policies],
        "failures": why.failures,
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
