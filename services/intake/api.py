"""Reports and their receipts, by HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.desk.views import IncidentView
from services.intake.schemas import Receipt, ReportBody
from services.intake.service import IntakeService
from services.kit.auth import CurrentActor
from services.kit.conditions import set_etag
from services.kit.routing import CommandId, CurrentSession, ReportRoute, Route

reports = APIRouter(prefix="/api/v1/{org}", tags=["intake"], route_class=ReportRoute)
router = APIRouter(prefix="/api/v1/{org}", tags=["intake"], route_class=Route)


def _service(request: Request) -> IntakeService:
    service: IntakeService = request.app.state.intake
    return service


Intake = Annotated[IntakeService, Depends(_service)]


@reports.post("/incidents", status_code=201)
async def report(
    session: CurrentSession,
    actor: CurrentActor,
    intake: Intake,
    body: ReportBody,
    command_id: CommandId,
    response: Response,
) -> IncidentView:
    """Report an incident. Answered once it is kept; an Idempotency-Key makes a repeat the same incident, for ever."""
    made = await intake.report(session, actor, body, command_id)
    response.headers["Location"] = made.links.self
    set_etag(response, made.version)
    return made


@router.get("/incidents/{incident}/receipt")
async def receipt(session: CurrentSession, actor: CurrentActor, intake: Intake, incident: str) -> Receipt:
    """How far Muster has come with a report: every resource, and the people as they are engaged."""
    return await intake.receipt(session, actor, incident)
