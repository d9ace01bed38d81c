"""What an organization sets for all its incidents."""

from typing import Annotated, Final

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.auth import Actor
from services.kit.errors import VersionConflict
from services.kit.schemas import Body
from services.store import audit
from services.store.organizations import Organization
from workflows.domain.policy import Action

MAX_STORM_LIMIT: Final = 10_000
StormLimit = Annotated[int, Field(strict=True, ge=1, le=MAX_STORM_LIMIT)]


class OrganizationSettings(BaseModel):
    """The settings. ``storm_limit`` is how many people come into an incident at once without asking its commander (E7)."""

    storm_limit: int
    version: int


class SettingsChanges(Body):
    """What is to change about them; what is left out stays."""

    storm_limit: StormLimit | None = None


async def get_settings(session: AsyncSession, actor: Actor) -> OrganizationSettings:
    """The settings.

    Raises:
        Forbidden: not an administrator.
    """
    actor.require(Action.MANAGE_SETTINGS)
    return _view(await session.get_one(Organization, actor.organization))


async def change_settings(
    session: AsyncSession, actor: Actor, changes: SettingsChanges, version: int | None = None
) -> OrganizationSettings:
    """Change them. It holds from the next evaluation on: who is asked about already stays so.

    Raises:
        Forbidden: not an administrator. VersionConflict: they are not at ``version``.
    """
    actor.require(Action.MANAGE_SETTINGS)
    # Two who change them at once take turns, so that If-Match tells the second one.
    query = select(Organization).where(Organization.id == actor.organization).with_for_update()
    row = (await session.scalars(query, execution_options={"populate_existing": True})).one()
    if version not in {None, row.version}:
        raise VersionConflict
    if changes.storm_limit not in {None, row.storm_limit}:
        before, after = {"storm_limit": row.storm_limit}, changes.model_dump()
        row.storm_limit = changes.storm_limit
        row.version += 1
        audit.record(session, actor.origin, "settings.changed", row.id, row.name, before=before, after=after)
    return _view(row)


def _view(row: Organization) -> OrganizationSettings:
    return OrganizationSettings(storm_limit=row.storm_limit, version=row.version)
