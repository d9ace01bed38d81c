"""Settings: the terms of everyone that bring in people who need not come, or nobody at all (E3, E8)."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from services.engagement import records
from services.engagement.health import Health
from services.kit.auth import CurrentActor
from services.kit.paging import After
from services.kit.routing import AdminRoute, CurrentSession
from services.web.addresses import next_href
from services.web.render import render_page
from workflows.domain.policy import Action
from workflows.domain.rules import TargetKind

router = APIRouter(prefix="/{org}/settings/engagement/terms", route_class=AdminRoute, include_in_schema=False)

PAGES_OF: Final = {TargetKind.INDIVIDUAL: "individuals", TargetKind.TEAM: "teams", TargetKind.ONCALL: "on-call"}
"""Where whoever has terms has a page, below the contacts."""


@router.get("")
async def show(
    session: CurrentSession, actor: CurrentActor, show: Annotated[str, Query(max_length=20)] = "", after: After = None
) -> Response:
    """The noisy terms, or the dead ones, the oldest first."""
    health = Health.DEAD if show == Health.DEAD else Health.NOISY
    page = await records.list_terms(session, actor, health=health, after=after)
    context = {
        "settings": "engagement",
        "can": {"administer": actor.may(Action.MANAGE_SETTINGS)},
        "show": health,
        "terms": [
            dict(term) | {"href": f"/{actor.slug}/contacts/{PAGES_OF[term.owner.kind]}/{term.owner.id}"} for term in page.data
        ],
        "next_href": next_href({"show": health}, page.pagination.after),
    }
    return render_page(actor, "pages/settings_terms.html", "settings", context)
