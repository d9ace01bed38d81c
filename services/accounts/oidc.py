"""Signing in by the organization's OpenID Connect provider (O3): OpenID Connect Core 1.0, section 3.1, with PKCE."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from fastapi import Request
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import repository
from services.accounts.providers import Identity, IdTokenError, Metadata, ProviderFailedError, ProviderRefusedError, Providers
from services.accounts.repository import Person
from services.accounts.service import AccountsService, origin_of
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import Forbidden, MusterError, NotFound, Unavailable
from services.kit.ids import new_id
from services.store import audit
from services.store.accounts import Account, Attempt, Provider, Token, end_access
from services.store.contacts import Individual
from services.store.organizations import Organization, ProjectMember
from services.store.secrets import digest, new_secret
from workflows.domain.policy import Role

ATTEMPT_LIFE: Final = timedelta(minutes=10)
VIA: Final = "OpenID Connect"
_NOBODY: Final = "unknown"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answer:
    """With what a browser comes back from the provider (RFC 6749, 4.1.2; RFC 9207), and the secret that it kept meanwhile."""

    state: str
    code: str
    issuer: str | None
    kept: str


@dataclass(frozen=True)
class _Setting:
    """An organization that has a provider."""

    organization: Organization
    provider: Provider


class OpenIDConnect:
    """Signs people in by their organization's provider. ``base_url`` is where people reach Muster."""

    def __init__(self, database: Database, accounts: AccountsService, providers: Providers, base_url: str) -> None:
        self._database = database
        self._accounts = accounts
        self._providers = providers
        self._base_url = base_url

    def redirect_uri(self, slug: str) -> str:
        """Where the provider sends browsers back to."""
        return f"{self._base_url}/{slug}/sign-in/callback"

    async def provider_name(self, slug: str) -> str | None:
        """What the organization's provider is called; None if it has none, or there is no such organization."""
        found = await self._setting(slug)
        return None if found is None else found.provider.name

    async def begin(self, slug: str, after: str) -> tuple[str, str]:
        """Begin to sign in: where the browser goes, and the secret that it must bring back; ``after`` is the page to go on with.

        Raises:
            NotFound: there is no provider here. Unavailable: ``provider_down``.
        """
        setting = await self._setting(slug)
        if setting is None:
            raise NotFound("provider")
        organization, provider = setting.organization, setting.provider
        state, state_hash = new_secret("attempt")
        attempt = Attempt(
            id=new_id(),
            organization_id=organization.id,
            state_hash=state_hash,
            nonce=secrets.token_urlsafe(32),
            code_verifier=secrets.token_urlsafe(64),
            after=after,
            expires_at=now() + ATTEMPT_LIFE,
        )
        try:
            address = await self._providers.address(provider, attempt, state, self.redirect_uri(slug))
        except (ProviderFailedError, ProviderRefusedError) as error:
            raise _down(provider, error) from error
        async with self._database.write(organization.id) as session:
            await session.execute(delete(Attempt).where(Attempt.expires_at <= now()))
            session.add(attempt)
        return address, state

    async def finish(self, request: Request, slug: str, answer: Answer) -> tuple[str, str]:
        """Sign in whoever came back from the provider: the secret of a new session, and the page to go on with.

        Raises:
            NotFound: there is no provider here. Unavailable: ``provider_down``.
            Forbidden: the code says why they are not let in. Either is in the audit log.
        """
        setting = await self._setting(slug)
        if setting is None:
            raise NotFound("provider")
        who = _NOBODY
        try:
            attempt = await self._spend(setting, answer)
            identity = await self._identity(setting.provider, slug, attempt, answer)
            who = identity.email or identity.sub
            try:
                secret = await self._let_in(request, setting, identity)
            except IntegrityError:
                # Another window of theirs was first, at the same moment: now they are known.
                secret = await self._let_in_now(request, setting, identity)
        except (Forbidden, Unavailable) as error:
            await self._note(request, setting, who, error)
            raise
        return secret, attempt.after

    async def _setting(self, slug: str) -> _Setting | None:
        async with self._database.read() as session:
            organization = await repository.organization_by_slug(session, slug)
        if organization is None:
            return None
        async with self._database.read(organization.id) as session:
            provider = await session.get(Provider, organization.id)
        return None if provider is None else _Setting(organization, provider)

    async def _spend(self, setting: _Setting, answer: Answer) -> Attempt:
        """The attempt that the answer belongs to, which is over with this.

        Only the browser that began it has its secret: nobody can have another finish what they began, and so sign them in.
        """
        own = hmac.compare_digest(answer.state.encode(), answer.kept.encode())
        async with self._database.write(setting.organization.id) as session:
            found = select(Attempt).where(Attempt.state_hash == digest(answer.state), Attempt.expires_at > now())
            attempt = await session.scalar(found) if own else None
            ended = None
            if attempt is not None:
                ended = await session.scalar(delete(Attempt).where(Attempt.id == attempt.id).returning(Attempt.id))
        if attempt is None or ended is None:
            raise Forbidden(
                "This sign-in was begun in another browser, more than ten minutes ago, or is over already. Begin again.",
                "sign_in_not_begun",
            )
        return attempt

    async def _identity(self, provider: Provider, slug: str, attempt: Attempt, answer: Answer) -> Identity:
        try:
            metadata, _ = await self._providers.published(provider.issuer)
            _check_answer(provider, metadata, answer)
            return await self._providers.identity(provider, attempt, answer.code, self.redirect_uri(slug))
        except ProviderFailedError as error:
            raise _down(provider, error) from error
        except ProviderRefusedError as error:
            _log.warning("a provider refuses its code or its client", issuer=provider.issuer, reason=str(error))
            message = f"{provider.name} refused Muster. Begin again; if that does not help, tell an administrator of Muster."
            raise Forbidden(message, "provider_refused") from error
        except IdTokenError as error:
            _log.warning("what a provider says of somebody does not hold", issuer=provider.issuer, reason=str(error))
            message = (
                f"What {provider.name} says of you does not hold. Begin again; if that does not help, tell an administrator."
            )
            raise Forbidden(message, "identity_unproven") from error

    async def _let_in(self, request: Request, setting: _Setting, identity: Identity) -> str:
        async with self._database.write(setting.organization.id) as session:
            person = await _person(session, request, setting, identity)
            return await self._accounts.open_session(session, request, person, VIA)

    async def _let_in_now(self, request: Request, setting: _Setting, identity: Identity) -> str:
        try:
            return await self._let_in(request, setting, identity)
        except IntegrityError as error:
            message = "Somebody here has an address that is written almost as yours is. Ask an administrator."
            raise Forbidden(message, "address_taken") from error

    async def _note(self, request: Request, setting: _Setting, who: str, refusal: MusterError) -> None:
        async with self._database.write(setting.organization.id) as session:
            origin = origin_of(request, None, who[:200], VIA)
            audit.record(session, origin, "sign_in.refused", None, who[:200], after={"reason": refusal.code})


def _check_answer(provider: Provider, metadata: Metadata, answer: Answer) -> None:
    """Whether it is this provider that answers (RFC 9207), or another one, whose code is not for this one to see.

    Raises:
        IdTokenError: another one. Forbidden: this one, but without a code.
    """
    if answer.issuer != provider.issuer and (answer.issuer or metadata.authorization_response_iss_parameter_supported):
        raise IdTokenError("the answer names another issuer")
    if not answer.code:
        raise Forbidden(f"{provider.name} did not sign you in. Begin again, or sign in by password.", "provider_said_no")


def _down(provider: Provider, error: Exception) -> Unavailable:
    _log.warning("a provider does not answer as it must", issuer=provider.issuer, reason=str(error))
    return Unavailable(f"{provider.name} does not answer. Try again, or sign in by password.", "provider_down")


async def _person(session: AsyncSession, request: Request, setting: _Setting, identity: Identity) -> Person:
    """Whose account it is: known by the provider's id, or else by the address, or else let in as the organization admits.

    Raises:
        Forbidden: nobody's, or one that cannot be used.
    """
    organization, provider = setting.organization, setting.provider
    known = (await session.execute(_accounts().where(Account.oidc_subject == identity.sub))).one_or_none()
    if known is not None:
        return _usable(Person(known[1], known[0], organization))
    if identity.address is None:
        raise Forbidden(
            f"{provider.name} has not made sure of your address, so Muster cannot tell who you are. Ask an administrator.",
            "address_not_verified",
        )
    individual, account = await _by_address(session, identity.address)
    if individual is not None and account is not None:
        person = _usable(Person(account, individual, organization))
        return await _bind(session, request, person, identity)
    if not provider.admits or (individual is not None and individual.kind == "list"):
        raise Forbidden(
            "You have no account in this organization. Ask an administrator to invite you by this address: " + identity.address,
            "not_a_member",
        )
    return await _admit(session, request, setting, identity, identity.address, individual)


async def _by_address(session: AsyncSession, address: str) -> tuple[Individual | None, Account | None]:
    """Who has this address, and their account. Only A to Z may be cased otherwise: “ß” and “ss” are folded to the same."""
    found = (await session.execute(_accounts().where(Individual.email_folded == address.casefold()))).one_or_none()
    # The case of bytes is that of ASCII alone.
    if found is None or found[0].email.encode().lower() != address.encode().lower():
        return None, None
    return found[0], found[1]


def _accounts() -> Select[Individual, Account]:
    return select(Individual, Account).outerjoin(Account, Account.individual_id == Individual.id)


def _usable(person: Person) -> Person:
    if person.account.kind != "person" or not person.account.active or not person.individual.active:
        raise Forbidden("Your account was deactivated. Ask an administrator.", "deactivated")
    return person


async def _bind(session: AsyncSession, request: Request, person: Person, identity: Identity) -> Person:
    """From now on the account is known by the provider's id, and every other way into it is over, the password too.

    The provider has proven who this is; whoever had the account until now has proven no more than an address, or less.
    """
    account, name = person.account.id, person.individual.name
    had_password = person.account.password_hash is not None
    free = update(Account).where(Account.id == account, Account.oidc_subject.is_(None))
    bound = free.values(oidc_subject=identity.sub, password_hash=None, version=Account.version + 1).returning(Account.id)
    if await session.scalar(bound) is None:
        # Their own already if another window of theirs was first, and then nothing is left to end.
        if await session.scalar(select(Account.oidc_subject).where(Account.id == account)) == identity.sub:
            return person
        message = "The account with your address is someone else's at your provider. Ask an administrator."
        raise Forbidden(message, "bound_to_another")
    tokens = await session.scalar(select(func.count()).select_from(Token).where(Token.account_id == account))
    await end_access(session, account)
    after = {"password_ended": had_password, "tokens_ended": tokens}
    audit.record(session, origin_of(request, person, name, VIA), "account.bound", account, name, after=after)
    return person


async def _admit(
    session: AsyncSession, request: Request, setting: _Setting, identity: Identity, email: str, individual: Individual | None
) -> Person:
    """A new account, as a member; the contact with this address, if there is one, is who it is."""
    organization = setting.organization
    belongs = {"organization_id": organization.id}
    if individual is None:
        individual = Individual(id=new_id(), name=identity.name or email, email=email, active=True, created_at=now(), **belongs)
        session.add(individual)
        await session.flush()
    account = Account(
        id=new_id(),
        individual_id=individual.id,
        kind="person",
        role=Role.MEMBER,
        active=True,
        oidc_subject=identity.sub,
        preferences={},
        created_at=now(),
        **belongs,
    )
    person = _usable(Person(account, individual, organization))
    session.add(account)
    await session.flush()
    project = await repository.default_project(session)
    session.add(ProjectMember(project_id=project.id, account_id=account.id, added_at=now(), **belongs))
    after = {"email": email, "role": Role.MEMBER}
    origin = origin_of(request, person, individual.name, VIA)
    audit.record(session, origin, "member.admitted", account.id, individual.name, after=after)
    return person
