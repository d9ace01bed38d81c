"""Recognises who is asking, and lets people in and out (O2, O3)."""

from datetime import timedelta
from typing import Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import passwords, repository, throttling
from services.accounts.repository import Person
from services.kit.auth import Actor, Elsewhere, Origin, session_cookie, session_secrets
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import FieldError, Invalid, NotFound, NotSignedIn
from services.kit.preferences import Preferences
from services.store import audit
from services.store.accounts import Token, issue
from services.store.secrets import digest
from workflows.domain.policy import Role, Scope

SESSION_LIFE: Final = timedelta(days=14)
LINK_LIFE: Final = timedelta(hours=24)
_USED: Final = timedelta(minutes=1)
"""How exactly it is kept when a token was last used: each note of it is a write."""
_UNKNOWN: Final = "This address and this password do not go together here."


class AccountsService:
    """Sessions, and the ways to get one. ``secure``: people come by HTTPS. ``nowhere``: tries in organizations there are not."""

    def __init__(self, database: Database, *, secure: bool) -> None:
        self._database = database
        self._secure = secure
        self.nowhere = throttling.Nowhere()

    async def authenticate(self, request: Request, slug: str) -> Actor:
        """The actor of a request for an organization, by token or session.

        Raises:
            NotSignedIn: no credential holds; ``unknown_token`` if there was a token.
            NotFound: it holds, but for another organization; whether this one exists is not told.
        """
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and value:
            actor = await self._by_token(request, value.strip())
            if actor is None:
                said = "This token is not known: it was revoked, has expired, or was not copied whole. Send one that holds."
                raise NotSignedIn(said, "unknown_token")
            if actor.slug != slug:
                raise NotFound("organization")
        else:
            actor = next((found for found in await self.sessions(request) if found.slug == slug), None)
        if actor is None:
            raise NotSignedIn
        return actor

    def cookie(self, slug: str) -> str:
        """The name of the cookie with this browser's session in an organization."""
        return session_cookie(slug, secure=self._secure)

    async def sessions(self, request: Request) -> list[Actor]:
        """Whoever is signed in with this browser, in each organization, by its name."""
        secrets = {digest(secret): secret for secret in session_secrets(request, secure=self._secure)}
        if not secrets:
            return []
        async with self._database.read() as session:
            found = await repository.by_sessions(session, list(secrets), now())
        people = sorted(found.items(), key=lambda entry: entry[1].organization.name.casefold())
        others = {
            key: Elsewhere(slug=who.organization.slug, organization_name=who.organization.name, name=who.individual.name)
            for key, who in people
        }
        return [
            _actor(who, origin_of(request, who, who.individual.name, "session")).model_copy(
                update={"session": secrets[key], "elsewhere": tuple(other for at, other in others.items() if at != key)}
            )
            for key, who in people
        ]

    async def sign_in(self, request: Request, slug: str, email: str, password: str) -> str:
        """The secret of a new session for whoever knows this password. That there is no such account looks like a wrong one.

        Raises:
            Invalid: ``missing``. NotSignedIn: ``wrong_password``. TooMany: it is not yet time for another try.
        """
        given = {"email": email, "password": password}
        if missing := [FieldError(field=name, code="missing", message="This is needed.") for name in given if not given[name]]:
            raise Invalid("Give both the address and the password.", "missing", missing)
        async with self._database.read() as session:
            organization = await repository.organization_by_slug(session, slug)
        if organization is None:
            self.nowhere.take_turn(slug, "sign_in", email)
            await passwords.matches(password, None)
            raise NotSignedIn(_UNKNOWN, "wrong_password")
        async with self._database.write(organization.id) as session:
            slows = await throttling.take_turn(session, "sign_in", email)
            person = await repository.by_email(session, email)
        known = None if person is None else person.account.password_hash
        right = await passwords.matches(password, known)
        rehashed = await passwords.hashed(password) if right and known and passwords.outdated(known) else None
        async with self._database.write(organization.id) as session:
            # Again, since an account can be deactivated, and a password changed, while this one is compared.
            person = await repository.by_email(session, email)
            if person is None or not right or person.account.password_hash != known:
                origin = origin_of(request, None, email, "password")
                audit.record(session, origin, "sign_in.refused", None, email)
                if slows:
                    audit.record(session, origin, "sign_in.throttled", None, email)
                secret = None
            else:
                await throttling.succeeded(session, email)
                person.account.password_hash = rehashed or known
                secret = await self.open_session(session, request, person, "password")
        if secret is None:
            raise NotSignedIn(_UNKNOWN, "wrong_password")
        return secret

    async def sign_in_by_link(self, request: Request, secret: str) -> tuple[str, str] | None:
        """Spend a one-time link: the secret of a new session, and the organization's slug. None when the link does not hold."""
        async with self._database.write() as session:
            link = await repository.credential_by_hash(session, digest(secret), "link", now())
            if link is None or not await repository.spend(session, link.id):
                return None
            organization = link.organization_id
            account = link.account_id
        async with self._database.write(organization) as session:
            person = await repository.by_id(session, account)
            if person is None:
                return None
            return await self.open_session(session, request, person, "link"), person.organization.slug

    async def open_session(self, session: AsyncSession, request: Request, person: Person, via: str) -> str:
        """The secret of a new session; the one this browser had in the organization ends.

        ``via`` says how they proved who they are.
        """
        await repository.forget_expired(session, now())
        await self._end(session, request, person.organization.slug)
        origin = origin_of(request, person, person.individual.name, via)
        browser = request.headers.get("user-agent", "")[:200]
        secret = issue(session, person.account, "session", SESSION_LIFE, label=browser, address=origin.address)
        audit.record(session, origin, "sign_in", person.account.id, person.individual.name)
        return secret

    async def sign_out(self, request: Request, actor: Actor) -> None:
        """End the session of this browser in one organization."""
        async with self._database.write(actor.organization) as session:
            await self._end(session, request, actor.slug)
            audit.record(session, actor.origin, "sign_out", actor.account, actor.name)

    async def owned(self, slug: str = "default") -> bool:
        """Whether an owner of the organization has a password, or is known at its provider."""
        async with self._database.read() as session:
            organization = await repository.organization_by_slug(session, slug)
            return organization is not None and await repository.has_proven_owner(session, organization.id)

    async def issue_link(self, slug: str = "default") -> str:
        """The secret of a new one-time sign-in link for the organization's owner; one that was issued before holds no longer.

        Raises:
            NotFound: no such organization, or it has no owner.
        """
        async with self._database.read() as session:
            organization = await repository.organization_by_slug(session, slug)
            owner = None if organization is None else await repository.first_owner(session, organization.id)
        if owner is None:
            raise NotFound("organization")
        async with self._database.write(owner.organization.id) as session:
            await repository.end(session, owner.account.id, "link")
            secret = issue(session, owner.account, "link", LINK_LIFE)
            origin = Origin(account=None, who="operator", via="command line", address="")
            audit.record(session, origin, "sign_in_link.issued", owner.account.id, owner.individual.name)
        return secret

    async def _end(self, session: AsyncSession, request: Request, slug: str) -> None:
        secret = request.cookies.get(self.cookie(slug))
        row = None if secret is None else await repository.credential_by_hash(session, digest(secret), "session", now())
        if row is not None:
            await repository.spend(session, row.id)

    async def _by_token(self, request: Request, secret: str) -> Actor | None:
        async with self._database.read() as session:
            found = await repository.by_token(session, digest(secret), now())
        if found is None:
            return None
        person, token = found
        await self._note_use(token)
        actor = _actor(person, origin_of(request, person, person.individual.name, f"token “{token.name}”"))
        return actor.model_copy(update={"scopes": frozenset(Scope(scope) for scope in token.scopes), "until": token.expires_at})

    async def _note_use(self, token: Token) -> None:
        if token.last_used_at is not None and token.last_used_at > now() - _USED:
            return
        async with self._database.write(token.organization_id) as session:
            row = await session.get(Token, token.id)
            if row is not None:
                row.last_used_at = now()


def origin_of(request: Request, person: Person | None, who: str, via: str) -> Origin:
    """Where a request comes from, for the audit log."""
    address = "" if request.client is None else request.client.host[: audit.MAX_ADDRESS]
    return Origin(account=None if person is None else person.account.id, who=who, via=via, address=address)


def _actor(person: Person, origin: Origin) -> Actor:
    account, individual, organization = person
    return Actor(
        organization=organization.id,
        slug=organization.slug,
        organization_name=organization.name,
        account=account.id,
        individual=individual.id,
        name=individual.name,
        email=individual.email,
        role=Role(account.role),
        preferences=Preferences.model_validate(account.preferences),
        origin=origin,
    )
