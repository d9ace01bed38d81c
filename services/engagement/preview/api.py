"""Previews, by HTTP (E7)."""

from fastapi import APIRouter

from services.engagement.preview import audience, backtest
from services.engagement.preview.schemas import DAYS, Audience, BackTest, PreviewBody, TriedReport
from services.kit.auth import CurrentActor
from services.kit.routing import CurrentSession, PreviewRoute

router = APIRouter(prefix="/api/v1/{org}/engagement", tags=["engagement"], route_class=PreviewRoute)


@router.post("/preview")
async def preview(session: CurrentSession, actor: CurrentActor, body: PreviewBody) -> BackTest | Audience:
    """Which incidents terms or a rule would have matched, or whom an edit or a report would bring in. Nothing is changed."""
    days = DAYS if body.days is None else body.days
    if body.terms is not None:
        return await backtest.of_terms(session, actor, body.terms, days)
    if body.rule is not None:
        return await backtest.of_rule(session, actor, body.rule, days, "rule.")
    if body.incident is not None and body.changes is not None:
        return await audience.of_edit(session, actor, body.incident, body.changes, "changes")
    report = TriedReport.model_validate(body.model_dump(include=set(TriedReport.model_fields), exclude_unset=True))
    return await audience.of_report(session, actor, report)
