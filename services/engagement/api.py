"""Contacts, participants and the reasons, by HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.desk.lookup import Person
from services.engagement import contacts, records, subscriptions
from services.engagement.health import Health
from services.engagement.schemas import (
    EngagementView,
    Going,
    IndividualChanges,
    IndividualView,
    NewIndividual,
    NewParticipant,
    ParticipantView,
    SubscriptionView,
    TermRecord,
    TermsBody,
    WhyView,
)
from services.engagement.service import EngagementService
from services.engagement.why import explain
from services.kit.auth import CurrentActor
from services.kit.clock import Moment
from services.kit.conditions import IfMatch, set_etag
from services.kit.paging import After, Filter, Page, PageSize
from services.kit.routing import CommandId, CommandRoute, CurrentSession, Route
from workflows.domain.events import Departure

router = APIRouter(prefix="/api/v1/{org}", tags=["engagement"], route_class=Route)
commands = APIRouter(prefix="/api/v1/{org}/incidents/{incident}", tags=["engagement"], route_class=CommandRoute)


def _service(request: Request) -> EngagementService:
    service: EngagementService = request.app.state.engagement
    return service


Engagement = Annotated[EngagementService, Depends(_service)]


@router.get("/individuals")
async def list_individuals(
    session: CurrentSession, actor: CurrentActor, q: Filter | None = None, after: After = None, page_size: PageSize = 25
) -> Page[IndividualView]:
    """Individuals by name; the words of ``q`` begin words of the name and the address, or of one term."""
    return await contacts.list_individuals(session, actor, q, after, page_size)


@router.post("/individuals", status_code=201)
async def create_individual(
    session: CurrentSession, actor: CurrentActor, body: NewIndividual, response: Response
) -> IndividualView:
    """Add an individual, with terms."""
    made = await contacts.create_individual(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/individuals/{made.id}"
    set_etag(response, made.version)
    return made


@router.get("/individuals/{individual}")
async def get_individual(session: CurrentSession, individual: str, response: Response) -> IndividualView:
    """One individual."""
    found = await contacts.get_individual(session, individual)
    set_etag(response, found.version)
    return found


@router.patch("/individuals/{individual}")
async def change_individual(
    session: CurrentSession,
    actor: CurrentActor,
    individual: str,
    body: IndividualChanges,
    version: IfMatch,
    response: Response,
) -> IndividualView:
    """Change an individual's name, address, or whether they are engaged at all."""
    changed = await contacts.change_individual(session, actor, individual, body, version)
    set_etag(response, changed.version)
    return changed


@router.delete("/individuals/{individual}", status_code=204)
async def delete_individual(session: CurrentSession, actor: CurrentActor, individual: str, version: IfMatch) -> None:
    """Deactivate an individual: past incidents keep their names."""
    await contacts.deactivate(session, actor, individual, version)


@router.put("/individuals/{individual}/terms")
async def put_terms(
    session: CurrentSession,
    actor: CurrentActor,
    individual: str,
    body: TermsBody,
    version: IfMatch,
    response: Response,
) -> IndividualView:
    """Set an individual's terms and phrases."""
    changed = await contacts.put_terms(session, actor, individual, body.terms, version)
    set_etag(response, changed.version)
    return changed


@router.get("/incidents/{incident}/participants")
async def list_participants(
    session: CurrentSession,
    actor: CurrentActor,
    engagement: Engagement,
    incident: str,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[ParticipantView]:
    """Everyone who is or was in the incident, by name."""
    return await engagement.participants(session, actor, incident, after, page_size)


@router.get("/incidents/{incident}/engagements")
async def list_engagements(
    session: CurrentSession,
    actor: CurrentActor,
    engagement: Engagement,
    incident: str,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[EngagementView]:
    """Why each person was engaged, by name: the term and its version, the attribute, and the span that matched."""
    return await engagement.engagements(session, actor, incident, after, page_size)


@router.get("/incidents/{incident}/engagements/why")
async def why(session: CurrentSession, actor: CurrentActor, incident: str, individual: str, at: Moment | None = None) -> WhyView:
    """Why a person is, or is not, in the incident; with ``at``, why they were or were not at that moment."""
    return (await explain(session, actor, incident, individual, at)).view


@router.get("/incidents/{incident}/subscribers")
async def list_subscribers(
    session: CurrentSession, actor: CurrentActor, incident: str, after: After = None, page_size: PageSize = 25
) -> Page[Person]:
    """Who follows the incident, by name; who may not see it today is none of them."""
    return await subscriptions.page_of_subscribers(session, actor, incident, after, page_size)


@router.post("/incidents/{incident}/subscribe")
async def subscribe(session: CurrentSession, actor: CurrentActor, incident: str) -> SubscriptionView:
    """Follow an incident without taking part. Following twice is following once."""
    await subscriptions.subscribe(session, actor, incident)
    return SubscriptionView(subscribed=True)


@router.post("/incidents/{incident}/unsubscribe")
async def unsubscribe(session: CurrentSession, actor: CurrentActor, incident: str) -> SubscriptionView:
    """Follow it no longer; whoever takes part still does."""
    await subscriptions.unsubscribe(session, actor, incident)
    return SubscriptionView(subscribed=False)


@router.get("/engagement/terms")
async def list_terms(
    session: CurrentSession,
    actor: CurrentActor,
    owner: Filter | None = None,
    health: Health | None = None,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[TermRecord]:
    """How terms do, the oldest first: everybody's, for administrators, or those of one `owner`, for whoever may change them."""
    return await records.list_terms(session, actor, owner, health, after, page_size)


async def _answer(request: Request, engagement: EngagementService, incident: str, individual: str) -> ParticipantView:
    # Who has just left a restricted incident may no longer look it up, but is told what became of the request.
    actor = request.state.actor
    async with request.app.state.database.read(actor.organization) as session:
        return await engagement.participant(session, incident, individual)


@commands.post("/participants", status_code=201)
async def add_participant(
    request: Request,
    actor: CurrentActor,
    engagement: Engagement,
    incident: str,
    body: NewParticipant,
    command_id: CommandId,
) -> ParticipantView:
    """Bring a person in by hand; also someone who went."""
    changed = await engagement.add(actor, incident, body.individual, command_id)
    return await _answer(request, engagement, changed, body.individual)


@commands.delete("/participants/{individual}", status_code=204)
async def remove_participant(
    actor: CurrentActor, engagement: Engagement, incident: str, individual: str, command_id: CommandId
) -> None:
    """Remove a person; no match brings them back."""
    await engagement.leave(actor, incident, individual, Departure.REMOVED, command_id)


@commands.post("/join")
async def join(
    request: Request, actor: CurrentActor, engagement: Engagement, incident: str, command_id: CommandId
) -> ParticipantView:
    """Take part oneself. Joining twice is joining once."""
    changed = await engagement.join(actor, incident, command_id)
    return await _answer(request, engagement, changed, actor.individual)


@commands.post("/leave")
async def leave(
    request: Request,
    actor: CurrentActor,
    engagement: Engagement,
    incident: str,
    command_id: CommandId,
    body: Going | None = None,
) -> ParticipantView:
    """Take part no longer."""
    reason = body.reason if body else None
    changed = await engagement.leave(actor, incident, actor.individual, Departure.LEFT, command_id, reason)
    return await _answer(request, engagement, changed, actor.individual)


@commands.post("/not-relevant")
async def not_relevant(
    request: Request,
    actor: CurrentActor,
    engagement: Engagement,
    incident: str,
    command_id: CommandId,
    body: Going | None = None,
) -> ParticipantView:
    """Say that one was engaged without need; that also tells how good the match was."""
    reason = body.reason if body else None
    changed = await engagement.leave(actor, incident, actor.individual, Departure.NOT_RELEVANT, command_id, reason)
    return await _answer(request, engagement, changed, actor.individual)
