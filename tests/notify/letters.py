"""Accounts to write letters to, and what a letter must leave where."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import select

from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store.accounts import Account, Credential, Token
from services.store.contacts import Individual
from services.store.deliveries import Delivery, intend_letter
from services.store.secrets import new_secret
from tests.support.running import PATIENCE, Organization, RunningMuster
from workflows.contracts.notify import NoticeKind
from workflows.domain.policy import Role, Scope


@dataclass
class Addressee:
    """Somebody with an account of an organization, who gets letters."""

    database: Database
    organization: str
    slug: str
    individual: str
    account: str
    address: str
    base_url: str

    async def intend(self, kind: NoticeKind = NoticeKind.INVITATION, cause: str | None = None) -> str:
        """What accounts do when they invite, or when somebody asks for a new password; answers the delivery's id."""
        async with self.database.write(self.organization) as session:
            return await intend_letter(session, self.organization, kind, cause or new_id(), self.individual, self.address)

    async def row(self, delivery: str) -> Delivery:
        """The ledger's row."""
        async with self.database.read(self.organization) as session:
            return await session.get_one(Delivery, delivery)

    async def is_(self, delivery: str, state: str, attempts: int | None = None) -> bool:
        """Whether the ledger says so of a letter."""
        row = await self.row(delivery)
        return row.state == state and attempts in (None, row.attempts)

    async def credentials(self) -> list[Credential]:
        """What the account could be opened with."""
        async with self.database.read(self.organization) as session:
            return list(await session.scalars(select(Credential).where(Credential.account_id == self.account)))

    async def change(self, **values: Any) -> None:
        """Change the account."""
        async with self.database.write(self.organization) as session:
            row = await session.get_one(Account, self.account)
            for name, value in values.items():
                setattr(row, name, value)

    async def client(self, *scopes: Scope) -> httpx.AsyncClient:
        """A client that is this account, with a token of these scopes: all, unless said otherwise."""
        secret, secret_hash = new_secret("token")
        async with self.database.write(self.organization) as session:
            token = Token(id=new_id(), organization_id=self.organization, account_id=self.account, name="t", hint="t")
            token.scopes, token.secret_hash = [str(scope) for scope in scopes or Scope], secret_hash
            token.created_at, token.created_by = now(), self.account
            session.add(token)
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx.AsyncClient(base_url=f"{self.base_url}/api/v1/{self.slug}", headers=headers, timeout=PATIENCE)


async def addressee(muster: RunningMuster, org: Organization, role: Role = Role.MEMBER, name: str = "Ana") -> Addressee:
    """A new account that has no password yet."""
    organization = (await org.get("/me"))["organization"]["id"]
    person, account, belongs = new_id(), new_id(), {"organization_id": organization}
    address = f"{name.lower()}.{person[-6:]}@{org.slug}.example"
    database = muster.muster.database
    async with database.write(organization) as session:
        session.add(Individual(id=person, name=name, email=address, created_at=now(), **belongs))
        await session.flush()
        session.add(Account(id=account, individual_id=person, role=role, created_at=now(), **belongs))
    return Addressee(database, organization, org.slug, person, account, address, org.base_url)


def secret_in(text: str, slug: str, page: str) -> str:
    """The secret in the one link of a letter's text, which leads to a page."""
    (link,) = {str(link) for link in re.findall(r"https?://[^\s\"<]+", text)}
    found = urlsplit(link)
    assert found.path == f"/{slug}/{page}"
    return parse_qs(found.query)["secret"][0]
