"""Settings: who is a member, inviting, and those who leave (O3, O4, O6)."""

from collections.abc import Awaitable
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts import members, projects
from services.accounts.schemas import MemberChanges, MemberQuery, MemberView, NewMember
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Conflict, Invalid, MusterError, VersionConflict
from services.kit.paging import After
from services.kit.routing import AdminRoute, CurrentSession
from services.web.addresses import next_href
from services.web.choices import Option
from services.web.forms import Fields, faults, typed
from services.web.render import Context, Flash, render_page
from workflows.domain.policy import AccountObject, Action, Role

router = APIRouter(prefix="/{org}/settings", route_class=AdminRoute, include_in_schema=False)

MAX_OFFERED: Final = 50
"""How many projects an invitation offers, and a member's page lists."""
ROLES: Final = {
    Role.OWNER: ("Owner", "Everything, owners and organizations included."),
    Role.ADMIN: ("Administrator", "Members, projects and settings, and every incident."),
    Role.MEMBER: ("Member", "Reports, takes part, and works in the incidents of their projects."),
}
"""What each role is called, and what it may."""
_DONE: Final = {
    "invited": "{name} was invited.",
    "again": "Another invitation is on its way to {name}. The link in the one before no longer works.",
    "reset": "A mail to set a new password is on its way to {name}.",
    "role": "{name}’s role was changed.",
    "deactivated": "{name} was deactivated, and is signed out everywhere.",
    "reactivated": "{name} can sign in again.",
}


@router.get("")
async def settings(actor: CurrentActor) -> Response:
    """The settings begin with the members."""
    return RedirectResponse(f"/{actor.slug}/settings/members", 303)


@router.get("/members")
async def show_all(
    session: CurrentSession,
    actor: CurrentActor,
    q: Annotated[str, Query(max_length=200)] = "",
    role: Annotated[str, Query(max_length=20)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    after: After = None,
    invited: Annotated[str, Query(max_length=36)] = "",
) -> Response:
    """Everyone who has an account, by name; ``invited`` is who was invited just now."""
    flash = None
    if invited:
        member = await members.get_member(session, actor, invited)
        flash = Flash(kind="good", text=_DONE["invited"].format(name=member.individual.name))
    return await _list(session, actor, {"q": q, "role": role, "state": state}, after, {}, {}, flash)


@router.post("/members")
async def invite(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Invite somebody."""
    chosen = [name.removeprefix("project-") for name in fields if name.startswith("project-")]
    try:
        new = NewMember.model_validate(typed(fields, "name", "email", "role") | {"projects": chosen})
        made = await members.invite(session, actor, new)
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, {}, None, fields, faults(error))
    return RedirectResponse(f"/{actor.slug}/settings/members?invited={made.id}", 303)


@router.get("/members/{account}")
async def show(
    session: CurrentSession, actor: CurrentActor, account: str, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """One member: the role, the way in, and what they hold."""
    found = await members.get_member(session, actor, account)
    words = _DONE.get(done)
    flash = None if words is None else Flash(kind="good", text=words.format(name=found.individual.name))
    return await _member(session, actor, found, 200, flash)


@router.post("/members/{account}")
async def change_role(session: CurrentSession, actor: CurrentActor, account: str, fields: Fields) -> Response:
    """Give somebody another role."""
    try:
        changes = MemberChanges.model_validate(typed(fields, "role"))
    except ValidationError as error:
        return await _refused(session, actor, account, Invalid(faults(error)["role"]))
    changed = members.change_member(session, actor, account, changes, number(fields.get("version", "")))
    return await _act(session, actor, account, changed, "role")


@router.post("/members/{account}/deactivate")
async def deactivate(session: CurrentSession, actor: CurrentActor, account: str, fields: Fields) -> Response:
    """Let somebody sign in no more; whoever does it says that they know what that ends."""
    if "understood" not in fields:
        return await _refused(session, actor, account, Invalid("Nothing was done. Tick “I understand” to deactivate somebody."))
    return await _act(session, actor, account, members.deactivate(session, actor, account), "deactivated")


@router.post("/members/{account}/reactivate")
async def reactivate(session: CurrentSession, actor: CurrentActor, account: str) -> Response:
    """Let somebody sign in again."""
    changed = members.change_member(session, actor, account, MemberChanges(active=True))
    return await _act(session, actor, account, changed, "reactivated")


@router.post("/members/{account}/invitation")
async def invite_again(session: CurrentSession, actor: CurrentActor, account: str) -> Response:
    """Send another invitation."""
    return await _act(session, actor, account, members.invite_again(session, actor, account), "again")


@router.post("/members/{account}/password-reset")
async def send_reset(session: CurrentSession, actor: CurrentActor, account: str) -> Response:
    """Send a mail to set a new password by."""
    return await _act(session, actor, account, members.send_reset(session, actor, account), "reset")


def role_options(actor: Actor) -> list[Option]:
    """The roles the actor may give."""
    allowed = [role for role in ROLES if actor.may(Action.MANAGE_ACCOUNT, AccountObject(role=role))]
    return [Option(value=role, label=ROLES[role][0]) for role in reversed(allowed)]


async def _act(session: CurrentSession, actor: Actor, account: str, work: Awaitable[object], done: str) -> Response:
    try:
        await work
    except (Conflict, VersionConflict) as error:
        return await _refused(session, actor, account, error)
    return RedirectResponse(f"/{actor.slug}/settings/members/{account}?done={done}", 303)


async def _list(
    session: CurrentSession,
    actor: Actor,
    asked: dict[str, str],
    after: str | None,
    fields: dict[str, str],
    errors: dict[str, str],
    flash: Flash | None = None,
) -> Response:
    query = MemberQuery(
        q=asked.get("q") or None,
        role=next((role for role in Role if role == asked.get("role")), None),
        active={"active": True, "deactivated": False}.get(asked.get("state", "")),
    )
    page = await members.list_members(session, actor, query, after)
    roles = role_options(actor)
    offered = (await projects.list_projects(session, actor, page_size=MAX_OFFERED)).data if roles else []
    ticked = {each.id for each in offered if (f"project-{each.id}" in fields if fields else each.is_default)}
    context = {
        "members": page.data,
        "query": typed(asked, "q", "role", "state"),
        "next_href": next_href(asked, page.pagination.after),
        "form": typed(fields, "name", "email") | {"role": fields.get("role", Role.MEMBER), "projects": ticked},
        "options": {"roles": roles, "projects": offered},
        "role_names": {role: words[0] for role, words in ROLES.items()},
        "errors": errors,
        "settings": "members",
        "can": {"administer": actor.may(Action.MANAGE_SETTINGS)},
    }
    return render_page(actor, "pages/settings_members.html", "settings", context, 422 if errors else 200, flash)


async def _refused(session: CurrentSession, actor: Actor, account: str, error: MusterError) -> Response:
    found = await members.get_member(session, actor, account)
    return await _member(session, actor, found, error.status, Flash(kind="bad", text=error.detail))


async def _member(session: CurrentSession, actor: Actor, found: MemberView, status: int, flash: Flash | None) -> Response:
    manage = actor.may(Action.MANAGE_ACCOUNT, AccountObject(role=found.role))
    context: Context = {
        "member": found,
        "commanded": await members.commanded(session, actor, found.individual.id),
        "max_commanded": members.MAX_COMMANDED,
        "projects": await members.projects_of(session, found.id, MAX_OFFERED),
        "roles": ROLES,
        "options": {"roles": role_options(actor)},
        "settings": "members",
        "can": {
            "administer": actor.may(Action.MANAGE_SETTINGS),
            "manage": manage,
            "change": manage and found.id != actor.account,
        },
    }
    return render_page(actor, "pages/settings_member.html", "settings", context, status, flash)
