"""Settings: projects, and who belongs to them (O4)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from services.accounts import lists, members, projects
from services.accounts.schemas import NewProject, ProjectChanges, ProjectView
from services.desk.choices import SETTINGS
from services.kit.auth import Actor, CurrentActor
from services.kit.conditions import number
from services.kit.errors import Conflict, Invalid, VersionConflict
from services.kit.paging import After
from services.kit.routing import AdminRoute, CurrentSession
from services.web import choices
from services.web.addresses import next_href
from services.web.forms import Fields, faults, given, typed
from services.web.render import Context, Flash, render_page
from workflows.domain.policy import Action

router = APIRouter(prefix="/{org}/settings/projects", route_class=AdminRoute, include_in_schema=False)

_DONE: Final = {
    "made": "The project was made. Now add who belongs to it.",
    "saved": "Saved.",
    "default": "This is the default project now.",
    "added": "They belong to the project now.",
    "removed": "They no longer belong to the project.",
}


@router.get("")
async def show_all(
    session: CurrentSession,
    actor: CurrentActor,
    q: Annotated[str, Query(max_length=200)] = "",
    after: After = None,
    deleted: bool = False,
) -> Response:
    """The projects, by name."""
    flash = Flash(kind="good", text="The project was deleted.") if deleted else None
    return await _list(session, actor, q, after, {}, {}, flash)


@router.post("")
async def create(session: CurrentSession, actor: CurrentActor, fields: Fields) -> Response:
    """Make a project."""
    try:
        made = await projects.create_project(session, actor, NewProject.model_validate(_said(fields)))
    except (ValidationError, Invalid) as error:
        return await _list(session, actor, "", None, fields, _at_fields(error))
    return _to(actor, made.id, "made")


@router.get("/{project}")
async def show(
    session: CurrentSession,
    actor: CurrentActor,
    project: str,
    q: Annotated[str, Query(max_length=200)] = "",
    after: After = None,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One project with its members."""
    words = _DONE.get(done)
    flash = None if words is None else Flash(kind="good", text=words)
    return await _project(session, actor, project, q=q, after=after, flash=flash)


@router.post("/{project}")
async def change(session: CurrentSession, actor: CurrentActor, project: str, fields: Fields) -> Response:
    """Rename it, and change how people join and what reports begin with."""
    try:
        changes = ProjectChanges.model_validate(_said(fields))
        await projects.change_project(session, actor, project, changes, number(fields.get("version", "")))
    except (ValidationError, Invalid) as error:
        return await _project(session, actor, project, form=_form(fields), errors=_at_fields(error), status=422)
    except VersionConflict:
        said = "Someone changed this project while you were editing. Your text is kept: save again to put it in place."
        return await _project(session, actor, project, form=_form(fields), errors={"": said}, status=412)
    return _to(actor, project, "saved")


@router.post("/{project}/default")
async def make_default(session: CurrentSession, actor: CurrentActor, project: str) -> Response:
    """Make it the default."""
    await projects.change_project(session, actor, project, ProjectChanges(is_default=True))
    return _to(actor, project, "default")


@router.post("/{project}/delete")
async def delete(session: CurrentSession, actor: CurrentActor, project: str) -> Response:
    """Delete it, if it was never used."""
    try:
        await projects.delete_project(session, actor, project)
    except Conflict as error:
        return await _project(session, actor, project, status=409, flash=Flash(kind="bad", text=error.detail))
    return RedirectResponse(f"/{actor.slug}/settings/projects?deleted=true", 303)


@router.post("/{project}/members")
async def add_member(session: CurrentSession, actor: CurrentActor, project: str, fields: Fields) -> Response:
    """Add somebody, by name or address."""
    actor.require(Action.MANAGE_PROJECTS)
    try:
        account = await members.resolve_member(session, "person", fields.get("person", ""))
    except Invalid as error:
        return await _project(session, actor, project, person=fields.get("person", ""), errors=faults(error), status=422)
    await projects.add_member(session, actor, project, account)
    return _to(actor, project, "added")


@router.post("/{project}/members/{account}/remove")
async def remove_member(session: CurrentSession, actor: CurrentActor, project: str, account: str) -> Response:
    """End a membership."""
    await projects.remove_member(session, actor, project, account)
    return _to(actor, project, "removed")


def _said(fields: dict[str, str]) -> dict[str, Any]:
    said = typed(fields, "name") | {"self_join": "self_join" in fields}
    return said | {"defaults": given(fields, *SETTINGS)}


def _at_fields(error: ValidationError | Invalid) -> dict[str, str]:
    return {field.removeprefix("defaults."): message for field, message in faults(error).items()}


def _form(fields: dict[str, str]) -> Context:
    return typed(fields, "name", *SETTINGS) | {"self_join": "self_join" in fields}


def _to(actor: Actor, project: str, done: str) -> Response:
    return RedirectResponse(f"/{actor.slug}/settings/projects/{project}?done={done}", 303)


def _can(actor: Actor) -> dict[str, bool]:
    return {"administer": actor.may(Action.MANAGE_SETTINGS), "manage": actor.may(Action.MANAGE_PROJECTS)}


async def _list(
    session: CurrentSession,
    actor: Actor,
    q: str,
    after: str | None,
    fields: dict[str, str],
    errors: dict[str, str],
    flash: Flash | None = None,
) -> Response:
    page = await projects.list_projects(session, actor, q or None, after)
    context = {
        "projects": page.data,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
        "form": _form(fields or {"self_join": "true"}),
        "options": choices.attribute_options(await lists.selectable(session)),
        "errors": errors,
        "settings": "projects",
        "can": _can(actor),
    }
    return render_page(actor, "pages/settings_projects.html", "settings", context, 422 if errors else 200, flash)


async def _project(
    session: CurrentSession,
    actor: Actor,
    project: str,
    *,
    q: str = "",
    after: str | None = None,
    form: Context | None = None,
    person: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
    flash: Flash | None = None,
) -> Response:
    found = await projects.get_project(session, project)
    page = await projects.list_project_members(session, actor, project, q or None, after)
    context = {
        "project": found,
        "used": await projects.is_used(session, found.id),
        "members": page.data,
        "query": {"q": q},
        "next_href": next_href({"q": q}, page.pagination.after),
        "form": (form or _present(found)) | {"person": person, "version": str(found.version)},
        "options": choices.attribute_options(await lists.selectable(session)),
        "errors": errors or {},
        "settings": "projects",
        "can": _can(actor),
    }
    return render_page(actor, "pages/settings_project.html", "settings", context, status, flash)


def _present(found: ProjectView) -> Context:
    defaults = {kind: "" if default is None else default.name for kind, default in found.defaults}
    return {"name": found.name, "self_join": found.self_join} | defaults
