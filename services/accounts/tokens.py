"""API tokens: people's own, and those of programs, which have accounts of their own (O3)."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.accounts.schemas import MAX_DAYS, IndividualRef, IssuedToken, NewToken, TokenChanges, TokenView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Invalid, NotFound, VersionConflict
from services.kit.ids import is_id, new_id
from services.kit.paging import Page, cut, decode_after
from services.store import audit
from services.store.accounts import Account, Token
from services.store.contacts import Individual
from services.store.secrets import new_secret
from workflows.domain.policy import Action, Role, Scope, TokenObject, grants

_HINT: Final = 4
"""How many characters of a secret are kept to tell it by."""
_CREATOR_ACCOUNT, _CREATOR = aliased(Account), aliased(Individual)


class Issued(NamedTuple):
    """A token with its account, and with who made it."""

    token: Token
    account: Account
    individual: Individual
    creator: Individual


async def list_tokens(session: AsyncSession, actor: Actor, after: str | None = None, page_size: int = 25) -> Page[TokenView]:
    """A page of the actor's own tokens, and of the services' as far as the actor manages them; the latest first.

    Raises:
        BadRequest: ``unknown_after``.
    """
    scope = f"tokens {actor.organization} {actor.account}"
    query = _tokens(actor).order_by(Token.id.desc()).limit(page_size + 1)
    if after is not None:
        query = query.where(Token.id < decode_after(scope, after, 1)[0])
    rows = [Issued(*row) for row in await session.execute(query)]
    shown, pagination = cut(rows, page_size, scope, lambda row: [row.token.id])
    return Page(data=[_view(row) for row in shown], pagination=pagination)


async def get_token(session: AsyncSession, actor: Actor, token: str) -> TokenView:
    """One token.

    Raises:
        NotFound: there is none that the actor manages.
    """
    return _view(await _find(session, actor, token))


async def create_token(session: AsyncSession, actor: Actor, new: NewToken) -> IssuedToken:
    """Make a token. Its secret is in this answer, and nowhere else.

    Raises:
        Forbidden: only administrators make those of services.
        Invalid: ``scope_not_yours``, ``expires_twice``, ``expires_too_late``, ``expires_in_past``, ``role_of_person``.
    """
    expires_at = _expiry(actor, new)
    _require_scopes(actor, new)
    account = await session.get_one(Account, actor.account)
    individual = creator = await session.get_one(Individual, actor.individual)
    if new.kind == "service":
        actor.require(Action.MANAGE_SETTINGS)
        account, individual = await _program(session, actor, new)
    token, secret = make_token(session, account, new.name, new.scopes, actor.account, expires_at)
    await session.flush()
    view = _view(Issued(token, account, individual, creator))
    told = view.model_dump(mode="json", include={"kind", "role", "scopes", "expires_at"})
    audit.record(session, actor.origin, "token.created", token.id, token.name, after=told)
    return IssuedToken(**view.model_dump(), secret=secret)


def make_token(
    session: AsyncSession, account: Account, name: str, scopes: Collection[Scope], maker: str, expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A token of an account, made by another or by itself, and its secret. Whether that is allowed was asked before."""
    secret, secret_hash = new_secret("token")
    token = Token(
        id=new_id(),
        organization_id=account.organization_id,
        account_id=account.id,
        name=name,
        scopes=sorted(scopes, key=list(Scope).index),
        secret_hash=secret_hash,
        hint=secret[-_HINT:],
        expires_at=expires_at,
        version=1,
        created_at=now(),
        created_by=maker,
    )
    session.add(token)
    return token, secret


async def rename_token(
    session: AsyncSession, actor: Actor, token: str, changes: TokenChanges, version: int | None = None
) -> TokenView:
    """Give a token another name; a service is called as its token is.

    Raises:
        NotFound, VersionConflict: see there.
    """
    row = await _to_change(session, actor, token, version)
    if row.token.name != changes.name:
        before, row.token.name = row.token.name, changes.name
        row.token.version += 1
        if row.account.kind == "service":
            row.individual.name = changes.name
            row.individual.version += 1
        told = {"before": {"name": before}, "after": {"name": changes.name}}
        audit.record(session, actor.origin, "token.renamed", row.token.id, changes.name, **told)
    return _view(row)


async def revoke_token(session: AsyncSession, actor: Actor, token: str, version: int | None = None) -> TokenView:
    """End a token at once, and the account of its service; what it did keeps its name. Answers what it was.

    Raises:
        NotFound, VersionConflict: see there.
    """
    row = await _to_change(session, actor, token, version)
    view = _view(row)
    if row.account.kind == "service":
        row.account.active = row.individual.active = False
    await session.delete(row.token)
    audit.record(session, actor.origin, "token.revoked", view.id, view.name, before=view.model_dump(include={"kind", "scopes"}))
    return view


def _tokens(actor: Actor) -> Select[Token, Account, Individual, Individual]:
    """What the actor manages, as the policy has it: see ``Action.MANAGE_TOKEN``."""
    managed = [role for role in Role if actor.may(Action.MANAGE_TOKEN, TokenObject(role=role))]
    return (
        select(Token, Account, Individual, _CREATOR)
        .join(Account, Account.id == Token.account_id)
        .join(Individual, Individual.id == Account.individual_id)
        .join(_CREATOR_ACCOUNT, _CREATOR_ACCOUNT.id == Token.created_by)
        .join(_CREATOR, _CREATOR.id == _CREATOR_ACCOUNT.individual_id)
        .where(or_(Token.account_id == actor.account, (Account.kind == "service") & Account.role.in_(managed)))
    )


async def _find(session: AsyncSession, actor: Actor, token: str) -> Issued:
    row = (await session.execute(_tokens(actor).where(Token.id == token))).one_or_none() if is_id(token) else None
    if row is None:
        raise NotFound("token")
    return Issued(*row)


async def _to_change(session: AsyncSession, actor: Actor, token: str, version: int | None) -> Issued:
    row = await _find(session, actor, token)
    # Two who change the same token take turns; the second may find that it is gone.
    locked = select(Token).where(Token.id == token).with_for_update().execution_options(populate_existing=True)
    if await session.scalar(locked) is None:
        raise NotFound("token")
    if version is not None and version != row.token.version:
        raise VersionConflict
    return row


async def _program(session: AsyncSession, actor: Actor, new: NewToken) -> tuple[Account, Individual]:
    ids = {"organization_id": actor.organization, "created_at": now()}
    program = new_id()
    # Nobody can ever be reached there (RFC 2606, section 2).
    individual = Individual(id=program, kind="service", name=new.name, email=f"{program}@service.invalid", **ids)
    session.add(individual)
    await session.flush()
    account = Account(id=new_id(), individual_id=program, kind="service", role=new.role, **ids)
    session.add(account)
    await session.flush()
    return account, individual


def _require_scopes(actor: Actor, new: NewToken) -> None:
    role = new.role if new.kind == "service" else actor.role
    if new.kind == "personal" and "role" in new.model_fields_set:
        raise Invalid.of("role", "role_of_person", "Your own token has your own role; only a service is given one.")
    if Scope.ADMIN in new.scopes and role is Role.MEMBER:
        raise Invalid.of("scopes", "scope_not_yours", "The scope “admin” needs the role of an administrator.")
    if missing := [scope for scope in new.scopes if not grants(actor.scopes, scope).allowed]:
        message = f"A token cannot give more than it has itself, and this one was not given “{missing[0]}”."
        raise Invalid.of("scopes", "scope_not_yours", message)


def _expiry(actor: Actor, new: NewToken) -> datetime | None:
    latest = now() + timedelta(days=MAX_DAYS)
    if new.expires_in is not None and new.expires_at is not None:
        raise Invalid.of("expires_at", "expires_twice", "Give either the days or the moment.")
    wanted = new.expires_at if new.expires_in is None else now() + timedelta(days=new.expires_in)
    if wanted is not None and wanted <= now():
        raise Invalid.of("expires_at", "expires_in_past", "This moment is over. Give one to come.")
    if wanted is not None and wanted > latest:
        raise Invalid.of("expires_at", "expires_too_late", "A token that expires does so within a year.")
    if actor.until is not None and (wanted is None or wanted > actor.until):
        message = "A token cannot make one that holds longer than it does itself. Give an earlier moment."
        raise Invalid.of("expires_at", "expires_too_late", message)
    return wanted


def _view(row: Issued) -> TokenView:
    token = row.token
    return TokenView(
        id=token.id,
        name=token.name,
        kind="service" if row.account.kind == "service" else "personal",
        role=Role(row.account.role),
        scopes=[Scope(scope) for scope in token.scopes],
        hint=token.hint,
        expires_at=token.expires_at,
        expired=token.expires_at is not None and token.expires_at <= now(),
        last_used_at=token.last_used_at,
        created_at=token.created_at,
        created_by=IndividualRef(id=row.creator.id, name=row.creator.name),
        version=token.version,
    )
