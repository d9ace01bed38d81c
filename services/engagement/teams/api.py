"""Teams, by HTTP (E1)."""

from fastapi import APIRouter, Response

from services.engagement.schemas import NewTeam, TeamChanges, TeamEntry, TeamView, TermsBody
from services.engagement.teams import service as teams
from services.kit.auth import CurrentActor
from services.kit.conditions import IfMatch, set_etag
from services.kit.paging import After, Filter, Page, PageSize
from services.kit.routing import CurrentSession, Route

router = APIRouter(prefix="/api/v1/{org}/teams", tags=["engagement"], route_class=Route)


@router.get("")
async def list_teams(
    session: CurrentSession, actor: CurrentActor, q: Filter | None = None, after: After = None, page_size: PageSize = 25
) -> Page[TeamEntry]:
    """Teams by name; the words of ``q`` begin words of the name, or of one term."""
    return await teams.list_teams(session, actor, q, after, page_size)


@router.post("", status_code=201)
async def create_team(session: CurrentSession, actor: CurrentActor, body: NewTeam, response: Response) -> TeamView:
    """Make a team, with members and terms."""
    made = await teams.create_team(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/teams/{made.id}"
    set_etag(response, made.version)
    return made


@router.get("/{team}")
async def get_team(session: CurrentSession, team: str, response: Response) -> TeamView:
    """One team, with its members."""
    found = await teams.get_team(session, team)
    set_etag(response, found.version)
    return found


@router.patch("/{team}")
async def change_team(
    session: CurrentSession, actor: CurrentActor, team: str, body: TeamChanges, version: IfMatch, response: Response
) -> TeamView:
    """Change a team's name, its members, whom it notifies, or whether it is engaged at all."""
    changed = await teams.change_team(session, actor, team, body, version)
    set_etag(response, changed.version)
    return changed


@router.delete("/{team}", status_code=204)
async def delete_team(session: CurrentSession, actor: CurrentActor, team: str, version: IfMatch) -> None:
    """Deactivate a team: past incidents keep its name."""
    await teams.deactivate(session, actor, team, version)


@router.put("/{team}/terms")
async def put_team_terms(
    session: CurrentSession, actor: CurrentActor, team: str, body: TermsBody, version: IfMatch, response: Response
) -> TeamView:
    """Set a team's terms and phrases."""
    changed = await teams.put_terms(session, actor, team, body.terms, version)
    set_etag(response, changed.version)
    return changed
