"""Accounts, and everything by which somebody shows who they are (O3)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.base import ID, Base, OrganizationRow
from services.store.secrets import new_secret


class Account(OrganizationRow, Base):
    """Someone who can sign in to an organization. Every account is also an individual, so it can be engaged and act.

    ``kind`` is "person" or "service": a program that only has API tokens. ``password_hash`` is argon2id's encoded form;
    ``oidc_subject`` is the person's id at the organization's provider. With neither, the invitation was not accepted yet.
    ``preferences`` is a ``Preferences`` of the accounts service.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("individual_id"),
        UniqueConstraint("organization_id", "oidc_subject"),
        Index("ix_accounts_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    individual_id: Mapped[str] = mapped_column(ID, ForeignKey("individuals.id"))
    kind: Mapped[str] = mapped_column(String(20), default="person")
    role: Mapped[str] = mapped_column(String(20))
    active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    oidc_subject: Mapped[str | None] = mapped_column(String(255))
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    @property
    def proven(self) -> bool:
        """Whether somebody has shown that the account is theirs."""
        return self.password_hash is not None or self.oidc_subject is not None


class Credential(OrganizationRow, Base):
    """What proves who someone is for a while: a browser session, or the secret of a one-time link. Only the hash is kept.

    ``kind`` is "session", "link" (signs in), "invitation" or "password_reset"; a session has a ``label``, what its browser says
    of itself, and the network ``address`` it was begun from.
    """

    __tablename__ = "credentials"
    __table_args__ = (
        Index("ix_credentials_account_id_kind", "account_id", "kind"),
        Index("ix_credentials_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account_id: Mapped[str] = mapped_column(ID, ForeignKey("accounts.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(200), default="")
    address: Mapped[str] = mapped_column(String(45), default="")
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Token(OrganizationRow, Base):
    """An API token: named, limited by scopes, shown once and kept as its hash. ``hint`` is its end, to tell it by."""

    __tablename__ = "tokens"
    __table_args__ = (Index("ix_tokens_account_id", "account_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    account_id: Mapped[str] = mapped_column(ID, ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]]
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(8))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(ID)


class Throttle(OrganizationRow, Base):
    """Failed tries to sign in as someone, whether or not there is such a person (NIST SP 800-63B, 3.2.2). ``key`` is a hash."""

    __tablename__ = "throttles"
    __table_args__ = (Index("ix_throttles_organization_id_until", "organization_id", "until"),)

    organization_id: Mapped[str] = mapped_column(ID, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    until: Mapped[datetime]


class Provider(OrganizationRow, Base):
    """The organization's OpenID Connect provider. ``admits``: who has no account yet gets one as a member on first sign-in."""

    __tablename__ = "providers"

    organization_id: Mapped[str] = mapped_column(ID, ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    issuer: Mapped[str] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(300))
    client_secret: Mapped[str] = mapped_column(String(500))
    admits: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=1)


class Attempt(OrganizationRow, Base):
    """A sign-in by OpenID Connect that is under way.

    ``state_hash`` is of the secret that the browser and the provider both hold. ``after`` is the page it goes on to.
    """

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_expires_at", "expires_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    state_hash: Mapped[str] = mapped_column(String(64), unique=True)
    nonce: Mapped[str] = mapped_column(String(64))
    code_verifier: Mapped[str] = mapped_column(String(128))
    after: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]


def issue(session: AsyncSession, account: Account, kind: str, life: timedelta, *, label: str = "", address: str = "") -> str:
    """The secret of a new credential of an account; ``label`` and ``address`` tell a session by its browser and network."""
    secret, secret_hash = new_secret(kind)
    session.add(
        Credential(
            id=new_id(),
            organization_id=account.organization_id,
            account_id=account.id,
            kind=kind,
            secret_hash=secret_hash,
            label=label,
            address=address,
            expires_at=now() + life,
            created_at=now(),
        )
    )
    return secret


async def end_access(session: AsyncSession, account: str) -> None:
    """End everything by which somebody is in or could come in: sessions, links, invitations, resets, and API tokens."""
    await session.execute(delete(Credential).where(Credential.account_id == account))
    await session.execute(delete(Token).where(Token.account_id == account))
