"""Organizations, accounts and what proves who someone is (O1, and the beginnings of O3)."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import repository
from services.accounts.schemas import Choices, ProjectView, SettingView
from services.kit.auth import SESSION_COOKIE, Actor
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import NotFound, NotSignedIn
from services.kit.ids import new_id
from services.store.contacts import Individual
from services.store.organizations import Account, Credential, Organization, Project, Setting
from workflows.domain.policy import Role

TOKEN, SESSION, LINK = "token", "session", "link"
LINK_LIFE: Final = timedelta(hours=24)
SESSION_LIFE: Final = timedelta(days=14)

_TYPES = ("Customer-visible outage", "Degraded service", "Security", "Data loss", "Other")
_SEVERITIES = ("Low", "Medium", "High", "Critical")
_PRIORITIES = ("Low", "Medium", "High")


class AccountsService:
    """Recognises who is asking, and makes what a new installation begins with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authenticate(self, request: Request, slug: str) -> Actor:
        """The actor of a request for an organization, by token or session.

        Raises:
            NotSignedIn: no credential holds.
            NotFound: it holds, but for another organization; whether this one exists is not told.
        """
        kind, secret = _presented(request)
        if secret is None:
            raise NotSignedIn
        async with self._database.read() as session:
            actor = await self._recognise(session, kind, secret)
        if actor is None:
            raise NotSignedIn
        if actor.slug != slug:
            raise NotFound("organization")
        return actor

    async def signed_in(self, request: Request) -> Actor | None:
        """Whoever is signed in with this browser, in whatever organization."""
        secret = request.cookies.get(SESSION_COOKIE)
        if secret is None:
            return None
        async with self._database.read() as session:
            return await self._recognise(session, SESSION, secret)

    async def sign_in_by_link(self, request: Request, secret: str) -> tuple[str, str] | None:
        """Spend a one-time link: the secret of a new session, and the organization's slug. None when the link does not hold.

        The session this browser had before ends.
        """
        async with self._database.write() as session:
            link = await repository.credential_by_hash(session, _hash(secret), LINK, now())
            if link is None or not await repository.spend(session, link.id):
                return None
            found = await repository.account_with_person(session, link.account_id)
            if found is None:
                return None
            account, _, organization = found
            await self._end_session(session, request)
            return await self._issue(session, account, SESSION, SESSION_LIFE), organization.slug

    async def sign_out(self, request: Request) -> None:
        """End the session of this browser."""
        async with self._database.write() as session:
            await self._end_session(session, request)

    async def choices(self, session: AsyncSession) -> Choices:
        """What an incident's project, type, severity and priority can be."""
        lists: dict[str, list[SettingView]] = {"type": [], "severity": [], "priority": []}
        for row in await repository.all_settings(session):
            lists[row.list].append(SettingView(id=row.id, name=row.name, rank=row.rank, is_default=row.is_default))
        projects = await repository.projects(session)
        return Choices(
            projects=[ProjectView(id=row.id, name=row.name, is_default=row.is_default) for row in projects],
            types=lists["type"],
            severities=lists["severity"],
            priorities=lists["priority"],
        )

    async def issue_link(self, slug: str = "default") -> str:
        """The secret of a new one-time sign-in link for the organization's owner.

        Raises:
            NotFound: no such organization, or it has no owner.
        """
        async with self._database.write() as session:
            organization = await repository.organization_by_slug(session, slug)
            owner = None if organization is None else await repository.owner(session, organization.id)
            if owner is None:
                raise NotFound("organization")
            return await self._issue(session, owner, LINK, LINK_LIFE)

    async def begin(self, slug: str = "default", name: str = "Default", owner: tuple[str, str] | None = None) -> str | None:
        """Make the organization an installation begins with, and answer its owner's API token; None when there is one.

        ``owner`` is the name and address of the owner.
        """
        async with self._database.write() as session:
            if await repository.organization_by_slug(session, slug) is not None:
                return None
            organization = Organization(id=new_id(), slug=slug, name=name, created_at=now(), next_reference=1)
            session.add(organization)
            await session.flush()
            account = await self._furnish(session, organization.id, owner or ("Owner", f"owner@{slug}.example"))
            return await self._issue(session, account, TOKEN, None)

    async def _furnish(self, session: AsyncSession, organization: str, owner: tuple[str, str]) -> Account:
        session.add(Project(id=new_id(), organization_id=organization, name="Default", is_default=True))
        lists = (("type", _TYPES, "Other"), ("severity", _SEVERITIES, "Medium"), ("priority", _PRIORITIES, "Medium"))
        for kind, names, default in lists:
            for rank, name in enumerate(names):
                entry = Setting(id=new_id(), organization_id=organization, list=kind, name=name, rank=rank)
                entry.is_default = name == default
                session.add(entry)
        person = Individual(
            id=new_id(), organization_id=organization, name=owner[0], email=owner[1], active=True, version=1, created_at=now()
        )
        session.add(person)
        await session.flush()
        account = Account(
            id=new_id(), organization_id=organization, individual_id=person.id, role=Role.OWNER, active=True, created_at=now()
        )
        session.add(account)
        await session.flush()
        return account

    async def _issue(self, session: AsyncSession, account: Account, kind: str, life: timedelta | None) -> str:
        await repository.forget_expired(session, now())
        secret = f"muster_{kind}_{secrets.token_urlsafe(32)}"
        session.add(
            Credential(
                id=new_id(),
                organization_id=account.organization_id,
                account_id=account.id,
                kind=kind,
                secret_hash=_hash(secret),
                expires_at=None if life is None else now() + life,
                created_at=now(),
            )
        )
        return secret

    async def _end_session(self, session: AsyncSession, request: Request) -> None:
        secret = request.cookies.get(SESSION_COOKIE)
        row = None if secret is None else await repository.credential_by_hash(session, _hash(secret), SESSION, now())
        if row is not None:
            await repository.spend(session, row.id)

    async def _recognise(self, session: AsyncSession, kind: str, secret: str) -> Actor | None:
        credential = await repository.credential_by_hash(session, _hash(secret), kind, now())
        found = None if credential is None else await repository.account_with_person(session, credential.account_id)
        if found is None:
            return None
        account, person, organization = found
        return Actor(
            organization=organization.id,
            slug=organization.slug,
            organization_name=organization.name,
            account=account.id,
            individual=person.id,
            name=person.name,
            role=Role(account.role),
            session=secret if kind == SESSION else None,
        )


def _presented(request: Request) -> tuple[str, str | None]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return TOKEN, value.strip()
    return SESSION, request.cookies.get(SESSION_COOKIE)


def _hash(secret: str) -> str:
    # Secrets are 256 random bits, so a plain hash is as good as a slow one.
    return hashlib.sha256(secret.encode()).hexdigest()
