"""Making organizations, with what each begins with (O1)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from pydantic import StringConstraints
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import repository
from services.accounts.repository import Person
from services.accounts.tokens import make_token
from services.kit.auth import Actor, Origin
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import Conflict, Invalid
from services.kit.ids import new_id
from services.kit.schemas import Body, Named
from services.store import audit
from services.store.accounts import Account
from services.store.contacts import Individual
from services.store.organizations import Organization, Project, ProjectMember, Setting
from workflows.domain.attributes import Trimmed
from workflows.domain.policy import Action, Role, Scope

OPERATOR: Final = Origin(account=None, who="operator", via="command line", address="")
RESERVED: Final = frozenset({"api", "healthz", "incidents", "readyz", "sign-in", "sign-out", "slack", "static", "hooks", "new"})
"""First parts of addresses that are Muster's own."""
_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TYPES: Final = ("Customer-visible outage", "Degraded service", "Security", "Data loss", "Other")
_SEVERITIES: Final = ("Low", "Medium", "High", "Critical")
_PRIORITIES: Final = ("Low", "Medium", "High")


class NewOrganization(Body):
    """An organization to make. ``slug`` is its name in addresses."""

    slug: Annotated[Trimmed, StringConstraints(max_length=63)]
    name: Named


def check_slug(slug: str) -> None:
    """Check that this can be an organization's name in addresses.

    Raises:
        Invalid: ``slug_invalid``.
    """
    if not _SLUG.fullmatch(slug) or slug in RESERVED:
        message = "Use small letters, digits and hyphens between them; a few words are Muster's own."
        raise Invalid.of("slug", "slug_invalid", message)


class Organizations:
    """Makes organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, slug: str = "default", name: str = "Default", owner: tuple[str, str] | None = None) -> str | None:
        """Make the organization an installation begins with, and answer its owner's API token; None when there is one.

        ``owner`` is the name and address of the owner.
        """
        async with self._database.read() as session:
            if await repository.organization_by_slug(session, slug) is not None:
                return None
        new = NewOrganization(slug=slug, name=name)
        try:
            async with self._made(new, owner or ("Owner", f"owner@{slug}.example"), OPERATOR) as (session, person):
                return _owner_token(session, person)
        except Conflict:
            # Another process that begins at the same moment was first.
            return None

    async def only_one(self) -> str | None:
        """The name in addresses of the only organization there is; None if there are several, or none."""
        async with self._database.read() as session:
            slugs = await repository.slugs(session, 2)
        return slugs[0] if len(slugs) == 1 else None

    async def found(self, actor: Actor, new: NewOrganization) -> Person:
        """Make another organization, whose first owner is who asks for it.

        Raises:
            Forbidden: only owners make organizations; ``session_needed``. Invalid, Conflict: see ``create``.
        """
        actor.require(Action.CREATE_ORGANIZATION)
        # It leads to a session there, which would outlast the token.
        actor.require_session()
        # There, nothing but the name and the address is known of whoever it is. A transaction writes to one organization: were
        # this process to end between the two, the new one's own audit log would still say who made it.
        person = await self.create(new, (actor.name, actor.email), actor.origin.model_copy(update={"account": None}))
        async with self._database.write(actor.organization) as session:
            audit.record(session, actor.origin, "organization.created", person.organization.id, new.slug)
        return person

    async def create(self, new: NewOrganization, owner: tuple[str, str], origin: Origin) -> Person:
        """Make an organization with its first owner (name and address).

        Raises:
            Invalid: ``slug_invalid``. Conflict: ``slug_taken``.
        """
        async with self._made(new, owner, origin) as (_, person):
            return person

    @asynccontextmanager
    async def _made(
        self, new: NewOrganization, owner: tuple[str, str], origin: Origin
    ) -> AsyncIterator[tuple[AsyncSession, Person]]:
        """See ``create``; what the block adds is in the same transaction."""
        check_slug(new.slug)
        organization = Organization(id=new_id(), slug=new.slug, name=new.name, created_at=now())
        try:
            async with self._database.write(organization.id) as session:
                session.add(organization)
                await session.flush()
                person = await _furnish(session, organization, owner)
                audit.record(session, origin, "organization.created", organization.id, organization.name)
                yield session, person
        except IntegrityError as error:
            raise Conflict("Another organization has this name in addresses. Choose another one.", "slug_taken") from error


async def _furnish(session: AsyncSession, organization: Organization, owner: tuple[str, str]) -> Person:
    belongs = {"organization_id": organization.id}
    project = Project(id=new_id(), name="Default", is_default=True, **belongs)
    session.add(project)
    lists = (("type", _TYPES, "Other"), ("severity", _SEVERITIES, "Medium"), ("priority", _PRIORITIES, "Medium"))
    for kind, names, default in lists:
        for rank, name in enumerate(names):
            session.add(Setting(id=new_id(), list=kind, name=name, rank=rank, is_default=name == default, **belongs))
    individual = Individual(id=new_id(), name=owner[0], email=owner[1], created_at=now(), **belongs)
    session.add(individual)
    await session.flush()
    account = Account(id=new_id(), individual_id=individual.id, role=Role.OWNER, created_at=now(), **belongs)
    session.add(account)
    await session.flush()
    session.add(ProjectMember(project_id=project.id, account_id=account.id, added_at=now(), **belongs))
    await session.flush()
    return Person(account, individual, organization)


def _owner_token(session: AsyncSession, person: Person) -> str:
    token, secret = make_token(session, person.account, "owner-token", list(Scope), person.account.id)
    audit.record(session, OPERATOR, "token.created", token.id, token.name, after={"scopes": token.scopes})
    return secret
