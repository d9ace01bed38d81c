"""What the accounts service asks of the store."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.contacts import Individual
from services.store.organizations import Account, Credential, Organization, Project, Setting
from workflows.domain.policy import Role

_EVERY = {"every_organization": True}


async def organization_by_slug(session: AsyncSession, slug: str) -> Organization | None:
    """An organization by its name in URLs."""
    return await session.scalar(select(Organization).where(Organization.slug == slug))


async def credential_by_hash(session: AsyncSession, secret_hash: str, kind: str, at: datetime) -> Credential | None:
    """A credential of any organization that holds at this moment. The secret is what tells the organization."""
    query = select(Credential).where(Credential.secret_hash == secret_hash, Credential.kind == kind)
    row = await session.scalar(query, execution_options=_EVERY)
    return None if row is None or (row.expires_at is not None and row.expires_at <= at) else row


async def spend(session: AsyncSession, credential: str) -> bool:
    """Delete a credential that is good for once; False when someone else has just done so."""
    done = await session.execute(
        delete(Credential).where(Credential.id == credential).returning(Credential.id), execution_options=_EVERY
    )
    return done.scalar_one_or_none() is not None


async def forget_expired(session: AsyncSession, at: datetime) -> None:
    """Delete every credential that no longer holds at this moment."""
    # Nothing of it is in the session, so there is nothing to bring in step.
    options = {**_EVERY, "synchronize_session": False}
    await session.execute(delete(Credential).where(Credential.expires_at <= at), execution_options=options)


async def account_with_person(session: AsyncSession, account: str) -> tuple[Account, Individual, Organization] | None:
    """An active account with its individual and organization."""
    query = (
        select(Account, Individual, Organization)
        .join(Individual, Individual.id == Account.individual_id)
        .join(Organization, Organization.id == Account.organization_id)
        .where(Account.id == account, Account.active, Individual.active)
    )
    row = (await session.execute(query, execution_options=_EVERY)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def owner(session: AsyncSession, organization: str) -> Account | None:
    """The organization's first owner who can sign in."""
    query = (
        select(Account)
        .join(Individual, Individual.id == Account.individual_id)
        .where(Account.role == Role.OWNER, Account.organization_id == organization, Account.active, Individual.active)
        .order_by(Account.id)
    )
    return await session.scalar(query.limit(1), execution_options=_EVERY)


async def projects(session: AsyncSession) -> Sequence[Project]:
    """The organization's projects, by name."""
    return (await session.scalars(select(Project).order_by(Project.name))).all()


async def all_settings(session: AsyncSession) -> Sequence[Setting]:
    """The entries of every one of the organization's lists, each list in its order."""
    return (await session.scalars(select(Setting).order_by(Setting.list, Setting.rank))).all()


async def settings(session: AsyncSession, kind: str) -> Sequence[Setting]:
    """One of the organization's lists, in its order."""
    return (await session.scalars(select(Setting).where(Setting.list == kind).order_by(Setting.rank))).all()
