"""That an organization never runs out of owners: by a change of an account, or of the contact behind it (O4)."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.errors import Conflict
from services.store.accounts import Account
from services.store.contacts import Individual
from workflows.domain.policy import Role

_OWNERS = select(Account).where(Account.role == Role.OWNER, Account.kind == "person", Account.active).order_by(Account.id)


async def take_turns(session: AsyncSession) -> None:
    """Wait until no other transaction changes who owns the organization, and keep others waiting until this one is kept.

    Whoever also locks an account takes turns first; in any other order two could wait for each other.
    """
    await session.execute(_OWNERS.with_for_update())


async def require_another(session: AsyncSession, person: Individual) -> None:
    """Make sure that somebody else could sign in as an owner.

    Raises:
        Conflict: ``last_owner``.
    """
    await take_turns(session)
    able = _OWNERS.join(Individual, Individual.id == Account.individual_id).where(Individual.active)
    if [account.individual_id for account in await session.scalars(able)] == [person.id]:
        raise Conflict(
            f"{person.name} is the last owner: without one, nobody could sign in. Name another owner first.", "last_owner"
        )
