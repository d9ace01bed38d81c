"""What the accounts service asks of the store to recognise people; each part of it asks the rest itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.accounts import Account, Credential, Token
from services.store.contacts import Individual, reached_at
from services.store.deliveries import Delivery
from services.store.organizations import Organization, Project, Setting
from workflows.domain.policy import Role

EVERY = {"every_organization": True}


class Person(NamedTuple):
    """An account with everything that says who it is."""

    account: Account
    individual: Individual
    organization: Organization


_PEOPLE = (
    select(Account, Individual, Organization)
    .join(Individual, Individual.id == Account.individual_id)
    .join(Organization, Organization.id == Account.organization_id)
    .where(Account.active, Individual.active)
)


async def organization_by_slug(session: AsyncSession, slug: str) -> Organization | None:
    """An organization by its name in URLs."""
    return await session.scalar(select(Organization).where(Organization.slug == slug), execution_options=EVERY)


async def slugs(session: AsyncSession, limit: int) -> Sequence[str]:
    """The names in addresses of some organizations."""
    query = select(Organization).order_by(Organization.id).limit(limit)
    return [row.slug for row in await session.scalars(query, execution_options=EVERY)]


async def credential_by_hash(session: AsyncSession, secret_hash: str, kind: str, at: datetime) -> Credential | None:
    """A credential of any organization that holds at this moment. The secret is what tells the organization."""
    query = select(Credential).where(Credential.secret_hash == secret_hash, Credential.kind == kind, Credential.expires_at > at)
    return await session.scalar(query, execution_options=EVERY)


async def by_sessions(session: AsyncSession, hashes: Sequence[str], at: datetime) -> dict[str, Person]:
    """Whose browser sessions these are, by their hashes."""
    query = (
        _PEOPLE.add_columns(Credential.secret_hash)
        .join(Credential, Credential.account_id == Account.id)
        .where(Credential.secret_hash.in_(hashes), Credential.kind == "session", Credential.expires_at > at)
    )
    rows = await session.execute(query, execution_options=EVERY)
    return {row[3]: Person(row[0], row[1], row[2]) for row in rows}


async def by_token(session: AsyncSession, secret_hash: str, at: datetime) -> tuple[Person, Token] | None:
    """Whose API token this is."""
    query = (
        _PEOPLE.add_columns(Token)
        .join(Token, Token.account_id == Account.id)
        .where(Token.secret_hash == secret_hash, (Token.expires_at.is_(None)) | (Token.expires_at > at))
    )
    row = (await session.execute(query, execution_options=EVERY)).one_or_none()
    return None if row is None else (Person(row[0], row[1], row[2]), row[3])


async def by_id(session: AsyncSession, account: str) -> Person | None:
    """An account that can sign in."""
    row = (await session.execute(_PEOPLE.where(Account.id == account), execution_options=EVERY)).one_or_none()
    return None if row is None else Person(*row)


async def by_email(session: AsyncSession, email: str) -> Person | None:
    """A person of the session's organization who can sign in, by any of their addresses, however it is cased."""
    query = _PEOPLE.where(reached_at(email), Account.kind == "person")
    row = (await session.execute(query.limit(1))).one_or_none()
    return None if row is None else Person(*row)


async def first_owner(session: AsyncSession, organization: str) -> Person | None:
    """The organization's first owner who can sign in."""
    query = _PEOPLE.where(Account.role == Role.OWNER, Account.kind == "person", Account.organization_id == organization)
    row = (await session.execute(query.order_by(Account.id).limit(1), execution_options=EVERY)).one_or_none()
    return None if row is None else Person(*row)


async def asked_to_reset(session: AsyncSession, person: Person, at: datetime, within: timedelta) -> bool:
    """Whether a mail to set a new password by was asked for so shortly before, and is under way, or is good and not used yet."""
    kind, since = "password_reset", at - within
    unused = select(Credential.id).where(Credential.account_id == person.account.id, Credential.kind == kind)
    unused = unused.where(Credential.created_at > since, Credential.expires_at > at)
    under_way = select(Delivery.id).where(Delivery.recipient_id == person.individual.id, Delivery.kind == kind)
    under_way = under_way.where(Delivery.intended_at > since, Delivery.state == "pending")
    found = [await session.scalar(query.limit(1)) for query in (unused, under_way)]
    return any(found)


async def has_proven_owner(session: AsyncSession, organization: str) -> bool:
    """Whether an owner of the organization can sign in without a link; see ``Account.proven``."""
    query = _PEOPLE.where(Account.role == Role.OWNER, Account.organization_id == organization)
    rows = await session.execute(query, execution_options=EVERY)
    return any(Person(*row).account.proven for row in rows)


async def spend(session: AsyncSession, credential: str) -> bool:
    """Delete a credential that is good for once; False when someone else has just done so."""
    done = await session.execute(
        delete(Credential).where(Credential.id == credential).returning(Credential.id), execution_options=EVERY
    )
    return done.scalar_one_or_none() is not None


async def end(session: AsyncSession, account: str, *kinds: str, but: str = "") -> None:
    """Delete an account's credentials of these kinds, but for one of this hash."""
    gone = delete(Credential).where(Credential.account_id == account, Credential.kind.in_(kinds), Credential.secret_hash != but)
    await session.execute(gone, execution_options=EVERY | {"synchronize_session": False})


async def forget_expired(session: AsyncSession, at: datetime) -> None:
    """Delete every credential that no longer holds at this moment."""
    # Nothing of it is in the session, so there is nothing to bring in step.
    options = EVERY | {"synchronize_session": False}
    await session.execute(delete(Credential).where(Credential.expires_at <= at), execution_options=options)


async def default_project(session: AsyncSession) -> Project:
    """The project that everyone belongs to unless somebody says otherwise."""
    return (await session.scalars(select(Project).where(Project.is_default))).one()


async def projects(session: AsyncSession) -> Sequence[Project]:
    """The organization's projects, by name."""
    return (await session.scalars(select(Project).order_by(Project.name))).all()


async def all_settings(session: AsyncSession) -> Sequence[Setting]:
    """The entries of every one of the organization's lists, each list in its order."""
    return (await session.scalars(select(Setting).order_by(Setting.list, Setting.rank))).all()


async def settings(session: AsyncSession, kind: str) -> Sequence[Setting]:
    """One of the organization's lists, in its order."""
    return (await session.scalars(select(Setting).where(Setting.list == kind).order_by(Setting.rank))).all()
