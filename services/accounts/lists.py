"""What an incident's project, type, severity and priority can be."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import repository
from services.accounts.schemas import Choices, ProjectChoice, SettingView
from services.store.organizations import Setting


def view(row: Setting) -> SettingView:
    """An entry of a list as it is shown."""
    return SettingView(id=row.id, name=row.name, rank=row.rank, is_default=row.is_default)


async def selectable(session: AsyncSession) -> Choices:
    """Everything a report picks from, in two queries."""
    lists: dict[str, list[SettingView]] = {"type": [], "severity": [], "priority": []}
    for row in await repository.all_settings(session):
        lists[row.list].append(view(row))
    projects = await repository.projects(session)
    return Choices(
        projects=[
            ProjectChoice(
                id=row.id,
                name=row.name,
                is_default=row.is_default,
                has_defaults=any((row.default_type_id, row.default_severity_id, row.default_priority_id)),
            )
            for row in projects
        ],
        types=lists["type"],
        severities=lists["severity"],
        priorities=lists["priority"],
    )
