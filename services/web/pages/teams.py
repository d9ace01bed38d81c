"""Contacts: the teams (E1)."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.engagement import records
from services.engagement.schemas import NewTeam, TeamChanges, TeamView, TermsBody
from services.engagement.teams import service as teams
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Conflict, Invalid, VersionConflict
from services.kit.paging import After
from services.kit.routing import CurrentSession, PreviewRoute, Route
from services.web import previews
from services.web.addresses import next_href
from services.web.forms import Fields, at_fields, split, typed
from services.web.people import people_of
from services.web.render import Context, Flash, render_page
from workflows.domain.policy import Action, ContactObject

router = APIRouter(prefix="/{org}/contacts/teams", route_class=Route, include_in_schema=False)
tries = APIRouter(prefix="/{org}/contacts/teams/{team}/try", route_class=PreviewRoute, include_in_schema=False)

SHOWN: Final = 100
"""How many members are on one page."""
NEW: Final = "new"
"""What stands in an address in place of an id, of what is not made yet."""
CHANGED: Final = "Someone changed this while you were editing. Your text is kept: save again to put it in place."
_FIELDS: Final = ("name", "notify", "list_address", "terms")


@router.get("")
async def show_all(
    session: CurrentSession, actor: CurrentActor, q: Annotated[str, Query(max_length=200)] = "", after: After = None
) -> Response:
    """The organization's teams, by name."""
    return await _list(session, actor, q, after, {}, {})


@router.post("")
async def add(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Make one."""
    actor.require(Action.EDIT_CONTACT, ContactObject())
    try:
        members = await people_of(session, "members", fields.get("members", ""))
        given = typed(fields, "name") | {"members": members, "terms": split(fields.get("terms", ""), "\n")}
        # What is refused leaves nothing behind, although the page is answered.
        async with session.begin_nested():
            made = await teams.create_team(session, actor, NewTeam.model_validate(given))
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, "", None, fields, at_fields(error))
    return RedirectResponse(f"/{actor.slug}/contacts/teams/{made.id}?done=added", 303)


@router.get("/{team}")
async def show(
    session: CurrentSession, actor: CurrentActor, team: str, first: Annotated[int, Query(ge=0, le=10_000)] = 0, done: str = ""
) -> Response:
    """One team; ``first`` is how many members are on the pages before, ``done`` what has just been done."""
    said = {"added": "The team was added.", "saved": "The changes were saved."}.get(done)
    flash = None if said is None else Flash(kind="good", text=said)
    found = await teams.get_team(session, team)
    tried = previews.NOTHING if flash is None else await previews.of_terms(session, actor, found.terms, saved=True)
    return await _page(session, actor, found, None, {}, first=first, flash=flash, tried=tried)


@router.post("/{team}")
async def change(session: CurrentSession, actor: CurrentActor, team: str, fields: Fields) -> Response:
    """Change a team and its terms, all or nothing."""
    actor.require(Action.EDIT_CONTACT, ContactObject())
    form: Context = typed(fields, *_FIELDS) | {"active": "active" in fields}
    try:
        given = {"name": form["name"], "notify": form["notify"], "active": form["active"]}
        changes = TeamChanges.model_validate(given | {"list_address": form["list_address"].strip() or None})
        terms = TermsBody(terms=split(form["terms"], "\n")).terms
        async with session.begin_nested():
            await teams.change_team(session, actor, team, changes, number(fields.get("version", "")))
            await teams.put_terms(session, actor, team, terms)
    except (ValidationError, Invalid) as error:
        return await _page(session, actor, await teams.get_team(session, team), form, at_fields(error), 422)
    except VersionConflict:
        return await _page(session, actor, await teams.get_team(session, team), form, {"": CHANGED}, 412)
    return RedirectResponse(f"/{actor.slug}/contacts/teams/{team}?done=saved", 303)


@tries.get("")
async def back(actor: CurrentActor, team: str) -> Response:
    """What was tried is nowhere but in its form; whoever comes back without one begins again."""
    return RedirectResponse(f"/{actor.slug}/contacts/teams{'' if team == NEW else f'/{team}'}", 303)


@tries.post("")
async def try_terms(session: CurrentSession, actor: CurrentActor, team: str, fields: Fields) -> Response:
    """Which incidents the terms would have matched, with everything as it was typed; nothing is changed (E7)."""
    if team == NEW:
        actor.require(Action.EDIT_CONTACT, ContactObject())
        tried, errors = await previews.of_form(session, actor, fields.get("terms", ""))
        return await _list(session, actor, "", None, fields, errors, tried=tried)
    found = await teams.get_team(session, team)
    form: Context = typed(fields, *_FIELDS, "version") | {"active": "active" in fields}
    tried, errors = await previews.of_form(session, actor, form["terms"])
    return await _page(session, actor, found, form, errors, 422 if errors else 200, tried=tried)


@router.post("/{team}/members")
async def add_member(session: CurrentSession, actor: CurrentActor, team: str, fields: Fields) -> Response:
    """Add somebody to a team."""
    named = fields.get("individual", "")
    try:
        async with session.begin_nested():
            await teams.add_member(session, actor, team, named)
    except (Invalid, Conflict) as error:
        found = at_fields(error) if isinstance(error, Invalid) else {"individual": error.detail}
        return await _page(session, actor, await teams.get_team(session, team), None, found, error.status, individual=named)
    return RedirectResponse(f"/{actor.slug}/contacts/teams/{team}#members", 303)


@router.post("/{team}/members/remove")
async def remove_member(session: CurrentSession, actor: CurrentActor, team: str, fields: Fields) -> Response:
    """Take somebody out of a team."""
    await teams.remove_member(session, actor, team, fields.get("member", ""))
    return RedirectResponse(f"/{actor.slug}/contacts/teams/{team}#members", 303)


async def _list(
    session: CurrentSession,
    actor: Actor,
    q: str,
    after: str | None,
    fields: dict[str, str],
    errors: dict[str, str],
    tried: Context = previews.NOTHING,
) -> Response:
    page = await teams.list_teams(session, actor, q or None, after)
    context = {
        "tab": "teams",
        "teams": page.data,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
        "can": {"manage": actor.may(Action.EDIT_CONTACT, ContactObject())},
        "form": typed(fields, "name", "members", "terms"),
        "errors": errors,
    }
    return render_page(actor, "pages/teams.html", "contacts", context | tried, 422 if errors else 200)


async def _page(
    session: CurrentSession,
    actor: Actor,
    found: TeamView,
    form: Context | None,
    errors: dict[str, str],
    status: int = 200,
    *,
    first: int = 0,
    individual: str = "",
    flash: Flash | None = None,
    tried: Context = previews.NOTHING,
) -> Response:
    shown = {
        "name": found.name,
        "notify": found.notify,
        "list_address": found.list_address or "",
        "active": found.active,
        "terms": "\n".join(found.terms),
    }
    here = f"/{actor.slug}/contacts/teams/{found.id}"
    behind = first + SHOWN
    context = {
        "tab": "teams",
        "here": here,
        "team": found,
        "members": found.members[first:behind],
        "next_href": f"{here}?first={behind}#members" if behind < len(found.members) else None,
        "form": {"version": str(found.version), "individual": individual} | (form or shown),
        "errors": errors,
        "can": {"manage": actor.may(Action.EDIT_CONTACT, ContactObject())},
        "records": await records.of_owner(session, actor, found.id),
    }
    return render_page(actor, "pages/team.html", "contacts", context | tried, status, flash)
