"""Projects: what a team's incidents have in common, and who belongs to it (O4)."""

from collections.abc import Sequence

from sqlalchemy import func, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts.members import find_member, list_members
from services.accounts.schemas import (
    DefaultsView,
    MemberQuery,
    MemberView,
    NewProject,
    ProjectChanges,
    ProjectDefaults,
    ProjectView,
)
from services.desk.choices import SETTINGS, default_of, pick_settings
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Conflict, Invalid, NotFound, VersionConflict
from services.kit.ids import new_id
from services.kit.paging import Page, cut, decode_after
from services.store import audit
from services.store.base import insert_if_new
from services.store.incidents import Incident
from services.store.organizations import Organization, Project, ProjectMember, Setting
from workflows.domain.attributes import Choice
from workflows.domain.policy import Action


async def list_projects(
    session: AsyncSession, actor: Actor, q: str | None = None, after: str | None = None, page_size: int = 25
) -> Page[ProjectView]:
    """A page of the organization's projects, by name; ``q`` occurs in it."""
    scope = f"projects {actor.organization} {q or ''}"
    query = select(Project).order_by(Project.name, Project.id).limit(page_size + 1)
    if q:
        query = query.where(Project.name.icontains(q, autoescape=True))
    if after is not None:
        name, project = decode_after(scope, after, 2)
        query = query.where(tuple_(Project.name, Project.id) > (name, project))
    rows = (await session.scalars(query)).all()
    shown, pagination = cut(rows, page_size, scope, lambda row: [row.name, row.id])
    return Page(data=await _views(session, shown), pagination=pagination)


async def get_project(session: AsyncSession, project: str) -> ProjectView:
    """One project.

    Raises:
        NotFound: there is none.
    """
    return (await _views(session, [await _find(session, project)]))[0]


async def create_project(session: AsyncSession, actor: Actor, new: NewProject) -> ProjectView:
    """Make a project; nobody belongs to it yet.

    Raises:
        Forbidden: only administrators manage projects.
        Invalid: ``name_taken``, ``unknown``.
    """
    actor.require(Action.MANAGE_PROJECTS)
    await _require_free(session, new.name)
    row = Project(id=new_id(), organization_id=actor.organization, name=new.name, self_join=new.self_join, version=1)
    await _set_defaults(session, row, new.defaults)
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise _name_taken() from error
    view = (await _views(session, [row]))[0]
    audit.record(session, actor.origin, "project.created", row.id, row.name, after=_audited(view))
    return view


async def change_project(
    session: AsyncSession, actor: Actor, project: str, changes: ProjectChanges, version: int | None = None
) -> ProjectView:
    """Rename a project, change what it lets people do and what reports into it begin with, or make it the default.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Invalid: ``name_taken``, ``unknown``.
    """
    actor.require(Action.MANAGE_PROJECTS)
    if changes.is_default:
        # There is one default. Who makes another project it takes turns, before any project is locked.
        await session.execute(select(Organization).where(Organization.id == actor.organization).with_for_update())
    row = await _to_change(session, project, version)
    before, was = (await _views(session, [row]))[0], _kept(row)
    if changes.name is not None and changes.name != row.name:
        await _require_free(session, changes.name, row.id)
    if changes.defaults is not None:
        await _set_defaults(session, row, changes.defaults)
    if changes.is_default and not row.is_default:
        await _replace_default(session, row)
    try:
        async with session.begin_nested():
            row.name = changes.name or row.name
            row.self_join = row.self_join if changes.self_join is None else changes.self_join
            if _kept(row) == was:
                return before
            row.version += 1
    except IntegrityError as error:
        raise _name_taken() from error
    view = (await _views(session, [row]))[0]
    old, new = audit.difference(_audited(before), _audited(view))
    audit.record(session, actor.origin, "project.changed", row.id, row.name, before=old, after=new)
    return view


async def delete_project(session: AsyncSession, actor: Actor, project: str, version: int | None = None) -> None:
    """Delete a project that was never used.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Conflict: ``default_project``, ``project_in_use``.
    """
    actor.require(Action.MANAGE_PROJECTS)
    row = await _to_change(session, project, version)
    if row.is_default:
        raise Conflict("This is the default project. Make another one the default first.", "default_project")
    if await is_used(session, row.id):
        raise Conflict("Incidents belong to this project, and the record keeps them. Rename it instead.", "project_in_use")
    audit.record(session, actor.origin, "project.deleted", row.id, row.name)
    await session.delete(row)
    await session.flush()


async def is_used(session: AsyncSession, project: str) -> bool:
    """Whether incidents belong to a project, so that it is never deleted."""
    return await session.scalar(select(Incident.id).where(Incident.project_id == project).limit(1)) is not None


async def list_project_members(
    session: AsyncSession, actor: Actor, project: str, q: str | None = None, after: str | None = None, page_size: int = 25
) -> Page[MemberView]:
    """A page of a project's members, by name.

    Raises:
        NotFound: there is no such project.
    """
    row = await _find(session, project)
    return await list_members(session, actor, MemberQuery(q=q, project=row.id), after, page_size)


async def add_member(session: AsyncSession, actor: Actor, project: str, account: str) -> None:
    """Make an account a member of a project; once is as good as twice.

    Raises:
        NotFound: there is no such project, or no such account. Forbidden: see there.
    """
    actor.require(Action.MANAGE_PROJECTS)
    row = await _find(session, project)
    member, individual = await find_member(session, account)
    values = {
        "organization_id": actor.organization,
        "project_id": row.id,
        "account_id": member.id,
        "added_at": now(),
    }
    statement = insert_if_new(session, ProjectMember).values(values).returning(ProjectMember.account_id)
    if (await session.execute(statement)).scalar_one_or_none() is not None:
        audit.record(session, actor.origin, "project.member_added", member.id, individual.name, after={"project": row.name})


async def remove_member(session: AsyncSession, actor: Actor, project: str, account: str) -> None:
    """End an account's membership in a project, if there is one.

    Raises:
        NotFound: there is no such project, or no such account. Forbidden: see there.
    """
    actor.require(Action.MANAGE_PROJECTS)
    row = await _find(session, project)
    member, individual = await find_member(session, account)
    membership = await session.get(ProjectMember, (row.id, member.id))
    if membership is not None:
        await session.delete(membership)
        audit.record(session, actor.origin, "project.member_removed", member.id, individual.name, before={"project": row.name})


async def _find(session: AsyncSession, project: str) -> Project:
    row = await session.scalar(select(Project).where(Project.id == project))
    if row is None:
        raise NotFound("project")
    return row


async def _to_change(session: AsyncSession, project: str, version: int | None) -> Project:
    # Two who change the same project take turns, so that If-Match tells the second one.
    query = select(Project).where(Project.id == project).with_for_update()
    row = await session.scalar(query, execution_options={"populate_existing": True})
    if row is None:
        raise NotFound("project")
    if version is not None and version != row.version:
        raise VersionConflict
    return row


async def _replace_default(session: AsyncSession, row: Project) -> None:
    present = await session.scalar(select(Project).where(Project.is_default).with_for_update())
    if present is not None:
        present.is_default = False
        present.version += 1
        # The database keeps to one default at every moment.
        await session.flush()
    row.is_default = True


async def _set_defaults(session: AsyncSession, row: Project, defaults: ProjectDefaults) -> None:
    picked, faults = await pick_settings(session, defaults.model_dump(include=set(SETTINGS), exclude_none=True), at="defaults")
    if faults:
        raise Invalid("Some fields are not valid.", errors=faults)
    chosen = {kind: entry.id for kind, entry in picked.items()}
    row.default_type_id, row.default_severity_id, row.default_priority_id = (chosen.get(kind) for kind in SETTINGS)


async def _require_free(session: AsyncSession, name: str, other_than: str | None = None) -> None:
    query = select(Project.id).where(func.lower(Project.name) == name.lower(), Project.id != (other_than or ""))
    if await session.scalar(query.limit(1)) is not None:
        raise _name_taken()


def _name_taken() -> Invalid:
    return Invalid.of("name", "name_taken", "Another project is called that. Choose another name.")


async def _views(session: AsyncSession, rows: Sequence[Project]) -> list[ProjectView]:
    counting = select(ProjectMember.project_id, func.count()).group_by(ProjectMember.project_id)
    counted = await session.execute(counting.where(ProjectMember.project_id.in_([row.id for row in rows])))
    members = {row[0]: row[1] for row in counted}
    wanted = {default_of(row, kind) for row in rows for kind in SETTINGS}
    settings = await session.scalars(select(Setting).where(Setting.id.in_(wanted)))
    known = {row.id: Choice(id=row.id, name=row.name) for row in settings}
    return [
        ProjectView(
            id=row.id,
            name=row.name,
            is_default=row.is_default,
            self_join=row.self_join,
            defaults=DefaultsView.model_validate({kind: known.get(default_of(row, kind) or "") for kind in SETTINGS}),
            members=members.get(row.id, 0),
            version=row.version,
        )
        for row in rows
    ]


def _kept(row: Project) -> tuple[object, ...]:
    return row.name, row.is_default, row.self_join, *(default_of(row, kind) for kind in SETTINGS)


def _audited(view: ProjectView) -> dict[str, object]:
    return {
        "name": view.name,
        "is_default": view.is_default,
        "self_join": view.self_join,
        **{f"default_{kind}": None if default is None else default.name for kind, default in view.defaults},
    }
