"""Accounts other than the owner's, made in the store, where a test is about something else than how they come to be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import select

from services.accounts import passwords
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.accounts import Account, Token
from services.store.contacts import Individual
from services.store.organizations import Organization as OrganizationRow
from services.store.organizations import Project, ProjectMember
from services.store.secrets import new_secret
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.domain.policy import Role, Scope

PASSWORD = "seven quiet herons wait"
"""A good one."""


@dataclass
class Member:
    """Someone with an account, and a client that is them."""

    individual: str
    account: str
    email: str
    token: str
    api: httpx.AsyncClient


@asynccontextmanager
async def member(
    muster: RunningMuster,
    org: Organization,
    name: str = "Mia Member",
    role: Role = Role.MEMBER,
    *,
    in_project: bool = True,
    password: str | None = None,
) -> AsyncIterator[Member]:
    """A new account of an organization, which is or is not a member of its default project, with a token of every scope."""
    encoded = None if password is None else await passwords.hashed(password)
    token, token_hash = new_secret("token")
    person, account = new_id(), new_id()
    database = muster.muster.database
    async with database.read() as session:
        row = (await session.scalars(select(OrganizationRow).where(OrganizationRow.slug == org.slug))).one()
    belongs = {"organization_id": row.id}
    async with database.write(row.id) as session:
        session.add(Individual(id=person, name=name, email=f"{person}@x.example", created_at=now(), **belongs))
        await session.flush()
        session.add(Account(id=account, individual_id=person, role=role, password_hash=encoded, created_at=now(), **belongs))
        await session.flush()
        session.add(
            Token(
                id=new_id(),
                account_id=account,
                name="test",
                scopes=list(Scope),
                secret_hash=token_hash,
                hint=token[-4:],
                created_at=now(),
                created_by=account,
                **belongs,
            )
        )
        if in_project:
            project = (await session.scalars(select(Project).where(Project.is_default))).one()
            session.add(ProjectMember(project_id=project.id, account_id=account, added_at=now(), **belongs))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=str(org.api.base_url), headers=headers, timeout=PATIENCE) as api:
        yield Member(person, account, f"{person}@x.example", token, api)
