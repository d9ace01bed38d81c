"""Why someone is, or is not, in an incident (E6)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Response

from services.desk.lookup import resolve_person
from services.engagement.why import Explained, engaged_by_id, explain
from services.kit.auth import CurrentActor
from services.kit.clock import now
from services.kit.errors import Invalid, NotFound
from services.kit.routing import CurrentSession, Route
from services.store.contacts import Individual
from services.web.access import AllServices
from services.web.forms import faults
from services.web.render import render_page, zone

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
            person, moment = await _named(session, individual), _moment(at, zone(actor))
            explained = await explain(session, actor, incident, person.id, moment)
        except Invalid as error:
            errors = faults(error)
        except NotFound:
            errors = {"at": "The incident was reported later than that. Give a time since then."}
        else:
            answer = _answer(explained) | {"is_list": person.kind == "list"}
            individual = explained.view.individual.label
    context = {"incident": found, "typed": individual, "at": at, "errors": errors, "answer": answer}
    return render_page(actor, "pages/why.html", "incidents", context, 422 if errors else 200)


def _moment(text: str, written_in: ZoneInfo) -> datetime | None:
    """A minute means its end, or what the timeline says of that minute would not have been yet; this minute means now."""
    if not text:
        return None
    try:
        begins = datetime.fromisoformat(text).replace(tzinfo=written_in).astimezone(UTC)
        ends = begins + timedelta(minutes=1, microseconds=-1)
    except (ValueError, OverflowError):
        raise Invalid.of("at", "not_a_time", "Give a date and a time.") from None
    return ends if begins > (present := now()) else min(ends, present)


async def _named(session: CurrentSession, individual: str) -> Individual:
    # The mailing list of a team is engaged, but is no person whom one names: pages refer to it by its id.
    return await engaged_by_id(session, individual) or await resolve_person(session, "individual", individual)


def _answer(explained: Explained) -> dict[str, Any]:
    why, at = explained.view, explained.view.at or explained.view.held_at
    return {
        "individual": why.individual,
        "engaged": why.engaged,
        "state": _STATES.get(why.reason),
        "at": why.at,
        "held_at": why.held_at,
        "evidence": [dict(piece) | {"value": text, "at": at} for piece, text in zip(why.evidence, explained.quoted, strict=True)],
        "reasons": [] if why.engaged else [why.explanation],
        "terms": why.terms,
        "rules": [("Rule", each) for each in why.rules] + [("Role policy", each) for each in why.policies],
        "failures": why.failures,
    }
