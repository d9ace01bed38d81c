"""Accounts other than the owner's, made in the store: the API for it comes later."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import select

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.contacts import Individual
from services.store.organizations import Account, Credential
from services.store.organizations import Organization as OrganizationRow
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.domain.policy import Role


@dataclass
class Member:
    """Someone with an account, and a client that is them."""

    individual: str
    token: str
    api: httpx.AsyncClient


@asynccontextmanager
async def member(
    muster: RunningMuster, org: Organization, name: str = "Mia Member", role: Role = Role.MEMBER
) -> AsyncIterator[Member]:
    """A new account of an organization."""
    token = f"muster_token_{secrets.token_urlsafe(32)}"
    person, account = new_id(), new_id()
    database = muster.muster.database
    async with database.read() as session:
        row = (await session.scalars(select(OrganizationRow).where(OrganizationRow.slug == org.slug))).one()
    async with database.write(row.id) as session:
        session.add(Individual(id=person, organization_id=row.id, name=name, email=f"{person}@x.example", created_at=now()))
        await session.flush()
        session.add(Account(id=account, organization_id=row.id, individual_id=person, role=role, created_at=now()))
        await session.flush()
        digest = hashlib.sha256(token.encode()).hexdigest()
        session.add(
            Credential(
                id=new_id(), organization_id=row.id, account_id=account, kind="token", secret_hash=digest, created_at=now()
            )
        )
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=str(org.api.base_url), headers=headers, timeout=PATIENCE) as api:
        yield Member(person, token, api)
