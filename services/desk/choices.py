"""What an incident's project, type, severity and priority can be picked from."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.organizations import Project, Setting
from workflows.domain.attributes import Choice

Entry = TypeVar("Entry", Project, Setting)


async def pick_project(session: AsyncSession, wanted: str | None) -> Choice | None:
    """A project by id or name; the default one when none is named. None: there is no such project."""
    return _pick((await session.scalars(select(Project))).all(), wanted)


async def pick_setting(session: AsyncSession, kind: str, wanted: str | None) -> Choice | None:
    """An entry of one of the organization's lists, by id or name; the default one when none is named. None: there is none."""
    return _pick((await session.scalars(select(Setting).where(Setting.list == kind))).all(), wanted)


def _pick(entries: Sequence[Entry], wanted: str | None) -> Choice | None:
    folded = None if wanted is None else wanted.casefold()
    for entry in entries:
        if entry.is_default if folded is None else (entry.id == wanted or entry.name.casefold() == folded):
            return Choice(id=entry.id, name=entry.name)
    return None
