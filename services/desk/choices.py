"""What an incident's project, type, severity and priority can be picked from."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.errors import FieldError
from services.store.organizations import Project, Setting
from workflows.domain.attributes import Choice

SETTINGS: Final = ("type", "severity", "priority")
"""The organization's lists; an incident has one entry of each."""

Entry = TypeVar("Entry", Project, Setting)


async def pick_project(session: AsyncSession, wanted: str | None) -> Project | None:
    """A project by id or name; the default one when none is named. None: there is no such project."""
    return pick((await session.scalars(select(Project))).all(), wanted)


async def pick_setting(session: AsyncSession, kind: str, wanted: str | None, project: Project | None = None) -> Choice | None:
    """An entry of one of the organization's lists, by id or name. None: there is none.

    When none is named, it is the default of the project, or else of the organization.
    """
    if wanted is None and project is not None:
        wanted = default_of(project, kind)
    entry = pick((await session.scalars(select(Setting).where(Setting.list == kind))).all(), wanted)
    return None if entry is None else Choice(id=entry.id, name=entry.name)


async def pick_settings(
    session: AsyncSession, wanted: Mapping[str, str | None], project: Project | None = None, at: str = ""
) -> tuple[dict[str, Choice], list[FieldError]]:
    """Of each of these lists its entry, see ``pick_setting``; where there is none, a fault below the path ``at``."""
    picked = {kind: await pick_setting(session, kind, named, project) for kind, named in wanted.items()}
    found = {kind: entry for kind, entry in picked.items() if entry is not None}
    return found, [unknown(kind, wanted[kind], at) for kind in picked if kind not in found]


def unknown(kind: str, wanted: str | None, at: str = "") -> FieldError:
    """That the organization has no such project, type, severity or priority; its path is below ``at``."""
    message = f"There is no {kind} “{wanted}” in this organization."
    return FieldError(field=f"{at}.{kind}" if at else kind, code="unknown", message=message)


def default_of(project: Project, kind: str) -> str | None:
    """The id of what a report into the project has as its "type", "severity" or "priority"; None: the organization's default."""
    defaults = {
        "type": project.default_type_id,
        "severity": project.default_severity_id,
        "priority": project.default_priority_id,
    }
    return defaults[kind]


def pick(entries: Sequence[Entry], wanted: str | None) -> Entry | None:
    """The entry of this id or name, however it is cased; the default one when none is named."""
    folded = None if wanted is None else wanted.casefold()
    for entry in entries:
        if entry.is_default if folded is None else (entry.id == wanted or entry.name.casefold() == folded):
            return entry
    return None
