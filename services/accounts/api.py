"""Who is asking, and what the organization offers to choose from."""

from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.accounts import audit, lists, members, profile, projects, repository, tokens
from services.accounts.audit import AuditQuery
from services.accounts.organization_settings import OrganizationSettings, SettingsChanges, change_settings, get_settings
from services.accounts.schemas import (
    AuditEntry,
    IssuedToken,
    Me,
    MeChanges,
    MemberChanges,
    MemberQuery,
    MemberView,
    NewMember,
    NewProject,
    NewToken,
    ProjectChanges,
    ProjectView,
    ProviderView,
    SettingView,
    TokenChanges,
    TokenView,
)
from services.accounts.sign_in_provider import ProviderBody, SignInProvider
from services.kit.auth import CurrentActor
from services.kit.clock import Moment
from services.kit.conditions import IfMatch, set_etag
from services.kit.errors import NotFound
from services.kit.paging import After, Filter, Page, PageSize, Pagination
from services.kit.routing import AdminCommandRoute, AdminRoute, CurrentSession, Route, TokenRoute
from workflows.domain.policy import Role

Item = TypeVar("Item")

router = APIRouter(prefix="/api/v1/{org}", tags=["accounts"], route_class=Route)
api_tokens = APIRouter(prefix="/api/v1/{org}", tags=["accounts"], route_class=TokenRoute)
administered = APIRouter(prefix="/api/v1/{org}", tags=["accounts"], route_class=AdminRoute)
audit_log = APIRouter(prefix="/api/v1/{org}", tags=["accounts"], route_class=AdminRoute)
sign_in_provider = APIRouter(prefix="/api/v1/{org}/sign-in-provider", tags=["accounts"], route_class=AdminCommandRoute)


def _sign_in_provider(request: Request) -> SignInProvider:
    service: SignInProvider = request.app.state.sign_in_provider
    return service


CurrentSignInProvider = Annotated[SignInProvider, Depends(_sign_in_provider)]


@router.get("/me")
async def me(session: CurrentSession, actor: CurrentActor, response: Response) -> Me:
    """Who the credential of this request stands for."""
    found = await profile.me(session, actor)
    set_etag(response, found.version)
    return found


@router.patch("/me")
async def change_me(session: CurrentSession, actor: CurrentActor, body: MeChanges, version: IfMatch, response: Response) -> Me:
    """Change one's own name or preferences; of the preferences, what is not named stays."""
    changed = await profile.change_me(session, actor, body, version)
    set_etag(response, changed.version)
    return changed


@api_tokens.get("/tokens")
async def list_tokens(
    session: CurrentSession, actor: CurrentActor, after: After = None, page_size: PageSize = 25
) -> Page[TokenView]:
    """One's own API tokens, the latest first; administrators also get those of services."""
    return await tokens.list_tokens(session, actor, after, page_size)


@api_tokens.post("/tokens", status_code=201)
async def create_token(session: CurrentSession, actor: CurrentActor, body: NewToken, response: Response) -> IssuedToken:
    """Make an API token. `secret` is in this answer only: a repeat with the same Idempotency-Key has null in its place."""
    made = await tokens.create_token(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/tokens/{made.id}"
    set_etag(response, made.version)
    return made


@api_tokens.get("/tokens/{token}")
async def get_token(session: CurrentSession, actor: CurrentActor, token: str, response: Response) -> TokenView:
    """One API token."""
    found = await tokens.get_token(session, actor, token)
    set_etag(response, found.version)
    return found


@api_tokens.patch("/tokens/{token}")
async def rename_token(
    session: CurrentSession, actor: CurrentActor, token: str, body: TokenChanges, version: IfMatch, response: Response
) -> TokenView:
    """Give an API token another name."""
    changed = await tokens.rename_token(session, actor, token, body, version)
    set_etag(response, changed.version)
    return changed


@api_tokens.delete("/tokens/{token}", status_code=204)
async def revoke_token(session: CurrentSession, actor: CurrentActor, token: str, version: IfMatch) -> None:
    """Revoke an API token: it ends at once, and so does the account of its service."""
    await tokens.revoke_token(session, actor, token, version)


def _audit_query(
    who: Filter | None = None,
    action: Filter | None = None,
    since: Annotated[Moment | None, Query(alias="from")] = None,
    until: Annotated[Moment | None, Query(alias="to")] = None,
    q: Filter | None = None,
) -> AuditQuery:
    return AuditQuery(who=who, action=action, since=since, until=until, q=q)


CurrentAuditQuery = Annotated[AuditQuery, Depends(_audit_query)]


@audit_log.get("/audit")
async def list_audit(
    session: CurrentSession, actor: CurrentActor, query: CurrentAuditQuery, after: After = None, page_size: PageSize = 25
) -> Page[AuditEntry]:
    """The audit log, the latest first. `who` is an account; `action` is one, or what they begin with, as `token.`."""
    return await audit.list_entries(session, actor, query, after, page_size)


@audit_log.get("/audit.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export_audit(request: Request, actor: CurrentActor, query: CurrentAuditQuery) -> StreamingResponse:
    """Everything in the audit log that matches, the oldest first, as CSV. Cells that look like formulas begin with `'`."""
    size, content = await audit.export(request.app.state.database, actor, query)
    headers = {"Content-Length": str(size), "Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(content, media_type="text/csv", headers=headers)


@administered.get("/members")
async def list_members(
    session: CurrentSession,
    actor: CurrentActor,
    q: Filter | None = None,
    role: Role | None = None,
    active: bool | None = None,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[MemberView]:
    """Accounts by name; the words of `q` begin words of the name and the address."""
    return await members.list_members(session, actor, MemberQuery(q=q, role=role, active=active), after, page_size)


@administered.post("/members", status_code=201)
async def invite(session: CurrentSession, actor: CurrentActor, body: NewMember, response: Response) -> MemberView:
    """Invite somebody: an account, and a mail to choose a password by. A contact of this address becomes theirs."""
    made = await members.invite(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/members/{made.id}"
    set_etag(response, made.version)
    return made


@administered.get("/members/{account}")
async def get_member(session: CurrentSession, actor: CurrentActor, account: str, response: Response) -> MemberView:
    """One account."""
    found = await members.get_member(session, actor, account)
    set_etag(response, found.version)
    return found


@administered.patch("/members/{account}")
async def change_member(
    session: CurrentSession, actor: CurrentActor, account: str, body: MemberChanges, version: IfMatch, response: Response
) -> MemberView:
    """Change a role, deactivate an account, or let it sign in again."""
    changed = await members.change_member(session, actor, account, body, version)
    set_etag(response, changed.version)
    return changed


@administered.delete("/members/{account}", status_code=204)
async def deactivate_member(session: CurrentSession, actor: CurrentActor, account: str, version: IfMatch) -> None:
    """Deactivate an account: what signs in ends at once, and what was done keeps its name."""
    await members.deactivate(session, actor, account, version)


@administered.post("/members/{account}/invitation")
async def invite_again(session: CurrentSession, actor: CurrentActor, account: str) -> MemberView:
    """Send the invitation again; the link of the one before holds no longer."""
    return await members.invite_again(session, actor, account)


@administered.post("/members/{account}/password-reset")
async def send_reset(session: CurrentSession, actor: CurrentActor, account: str) -> MemberView:
    """Send a mail to set a new password by. The present one holds until then."""
    return await members.send_reset(session, actor, account)


@router.get("/projects")
async def list_projects(
    session: CurrentSession, actor: CurrentActor, q: Filter | None = None, after: After = None, page_size: PageSize = 25
) -> Page[ProjectView]:
    """Projects by name; `q` occurs in it."""
    return await projects.list_projects(session, actor, q, after, page_size)


@administered.post("/projects", status_code=201)
async def create_project(session: CurrentSession, actor: CurrentActor, body: NewProject, response: Response) -> ProjectView:
    """Make a project."""
    made = await projects.create_project(session, actor, body)
    response.headers["Location"] = f"/api/v1/{actor.slug}/projects/{made.id}"
    set_etag(response, made.version)
    return made


@router.get("/projects/{project}")
async def get_project(session: CurrentSession, project: str, response: Response) -> ProjectView:
    """One project."""
    found = await projects.get_project(session, project)
    set_etag(response, found.version)
    return found


@administered.patch("/projects/{project}")
async def change_project(
    session: CurrentSession, actor: CurrentActor, project: str, body: ProjectChanges, version: IfMatch, response: Response
) -> ProjectView:
    """Rename a project, change how people join and what reports begin with, or make it the default."""
    changed = await projects.change_project(session, actor, project, body, version)
    set_etag(response, changed.version)
    return changed


@administered.delete("/projects/{project}", status_code=204)
async def delete_project(session: CurrentSession, actor: CurrentActor, project: str, version: IfMatch) -> None:
    """Delete a project without incidents that is not the default."""
    await projects.delete_project(session, actor, project, version)


@administered.get("/projects/{project}/members")
async def list_project_members(
    session: CurrentSession,
    actor: CurrentActor,
    project: str,
    q: Filter | None = None,
    after: After = None,
    page_size: PageSize = 25,
) -> Page[MemberView]:
    """A project's members by name."""
    return await projects.list_project_members(session, actor, project, q, after, page_size)


@administered.put("/projects/{project}/members/{account}", status_code=204)
async def add_project_member(session: CurrentSession, actor: CurrentActor, project: str, account: str) -> None:
    """Make an account a member of a project."""
    await projects.add_member(session, actor, project, account)


@administered.delete("/projects/{project}/members/{account}", status_code=204)
async def remove_project_member(session: CurrentSession, actor: CurrentActor, project: str, account: str) -> None:
    """End an account's membership in a project."""
    await projects.remove_member(session, actor, project, account)


@administered.get("/settings")
async def get_organization_settings(session: CurrentSession, actor: CurrentActor, response: Response) -> OrganizationSettings:
    """What the organization sets for all its incidents."""
    found = await get_settings(session, actor)
    set_etag(response, found.version)
    return found


@administered.patch("/settings")
async def change_organization_settings(
    session: CurrentSession, actor: CurrentActor, body: SettingsChanges, version: IfMatch, response: Response
) -> OrganizationSettings:
    """Change settings; what is left out stays. A new `storm_limit` holds from the next change of an incident on."""
    changed = await change_settings(session, actor, body, version)
    set_etag(response, changed.version)
    return changed


@router.get("/incident-types")
async def incident_types(session: CurrentSession) -> Page[SettingView]:
    """The types an incident can have."""
    return await _list(session, "type")


@router.get("/severities")
async def severities(session: CurrentSession) -> Page[SettingView]:
    """The severities, the gravest last."""
    return await _list(session, "severity")


@router.get("/priorities")
async def priorities(session: CurrentSession) -> Page[SettingView]:
    """The priorities, the most urgent last."""
    return await _list(session, "priority")


@sign_in_provider.get("")
async def get_sign_in_provider(actor: CurrentActor, provider: CurrentSignInProvider, response: Response) -> ProviderView:
    """The OpenID Connect provider that people sign in by, without its secret."""
    found = await provider.get(actor)
    if found is None:
        raise NotFound("provider")
    set_etag(response, found.version)
    return found


@sign_in_provider.put("")
async def put_sign_in_provider(
    body: ProviderBody, actor: CurrentActor, provider: CurrentSignInProvider, version: IfMatch, response: Response
) -> ProviderView:
    """Set or change it, once it has answered. The client secret is never shown again, and kept when it is left out."""
    changed = await provider.put(actor, body, version)
    set_etag(response, changed.version)
    return changed


@sign_in_provider.delete("", status_code=204)
async def delete_sign_in_provider(actor: CurrentActor, provider: CurrentSignInProvider, version: IfMatch) -> None:
    """Have no provider any more."""
    await provider.delete(actor, version)


async def _list(session: CurrentSession, kind: str) -> Page[SettingView]:
    rows = await repository.settings(session, kind)
    return _whole([lists.view(row) for row in rows])


def _whole(items: list[Item]) -> Page[Item]:
    return Page(data=items, pagination=Pagination(after=None, page_size=max(len(items), 1)))


ROUTERS: Final = (router, api_tokens, administered, audit_log, sign_in_provider)
"""Every route of the service."""
