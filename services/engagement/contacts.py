"""Individuals and their terms (E1)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import owners
from services.desk.lookup import Person, find_individual
from services.engagement import repository, terms
from services.engagement.schemas import IndividualChanges, IndividualView, NewIndividual
from services.kit.auth import Actor, enforce
from services.kit.clock import now
from services.kit.errors import Invalid, VersionConflict
from services.kit.ids import new_id
from services.kit.paging import Page, cut, decode_after
from services.store import audit
from services.store.accounts import Account, end_access
from services.store.contacts import Address, Individual, claim_addresses
from workflows.domain.policy import CONTACT_RULES, Action, ContactObject, Role, Scope, grants

MAX_SUGGESTIONS: Final = 10
"""How many people are suggested at once."""
_ACCESS: Final = frozenset({"email", "addresses", "active"})
"""What decides whether, and by which mails, somebody with an account gets in."""


async def list_individuals(
    session: AsyncSession, actor: Actor, q: str | None = None, after: str | None = None, page_size: int = 25
) -> Page[IndividualView]:
    """A page of the organization's individuals, by name."""
    scope = f"individuals {actor.organization} {q or ''}"
    position = None
    if after is not None:
        name, individual = decode_after(scope, after, 2)
        position = (name, individual)
    rows = await repository.list_individuals(session, q, position, page_size + 1)
    shown, pagination = cut(rows, page_size, scope, lambda row: [row.name, row.id])
    return Page(data=await views(session, shown), pagination=pagination)


async def suggestions(session: AsyncSession, text: str) -> list[Person]:
    """A few active people whose names or addresses have words that begin with those typed, by name."""
    rows = await repository.suggested_individuals(session, text, MAX_SUGGESTIONS)
    return [Person(id=row.id, name=row.name, email=row.email) for row in rows]


async def get_individual(session: AsyncSession, individual: str) -> IndividualView:
    """One individual.

    Raises:
        NotFound: there is none.
    """
    return (await views(session, [await find_individual(session, individual)]))[0]


async def editable(session: AsyncSession, actor: Actor, individual: str) -> frozenset[Action]:
    """What the policy lets the actor change about an individual."""
    account = await repository.account_of(session, individual)
    target = ContactObject(own=individual == actor.individual, role=None if account is None else Role(account.role))
    return frozenset(action for action in CONTACT_RULES if actor.may(action, target))


async def create_individual(session: AsyncSession, actor: Actor, new: NewIndividual) -> IndividualView:
    """Add an individual with terms.

    Raises:
        Forbidden: only administrators keep the contacts.
        Invalid: ``email_taken``.
    """
    actor.require(Action.EDIT_CONTACT, ContactObject())
    await claim_addresses(session, actor.organization, [new.email, *new.addresses])
    await _require_free(session, new.email)
    row = Individual(
        id=new_id(),
        organization_id=actor.organization,
        name=new.name,
        email=new.email,
        active=new.active,
        version=1,
        created_at=now(),
    )
    async with _unless_taken(session):
        session.add(row)
    await _put_addresses(session, row, new.addresses)
    await terms.replace(session, actor, row, new.terms)
    view = (await views(session, [row]))[0]
    audit.record(session, actor.origin, "contact.created", row.id, row.name, after=_audited(view))
    return view


async def change_individual(
    session: AsyncSession, actor: Actor, individual: str, changes: IndividualChanges, version: int | None = None
) -> IndividualView:
    """Change name, addresses, or whether the individual is still to be engaged.

    Raises:
        NotFound, Forbidden, VersionConflict, Invalid: see there.
        Conflict: ``last_owner``.
    """
    row = await _to_edit(session, actor, individual, version)
    before = (await views(session, [row]))[0]
    new = {name: value for name, value in changes.model_dump(exclude_none=True).items() if value != getattr(before, name)}
    account = await repository.account_of(session, row.id)
    _require(actor, row, account, new)
    if changes.active is False:
        await owners.require_another(session, row)
    addresses: list[str] = new.pop("addresses", before.addresses)
    await claim_addresses(session, actor.organization, [*([new["email"]] if "email" in new else []), *addresses])
    if "email" in new:
        await _require_free(session, new["email"], row.id)
    async with _unless_taken(session):
        for name, value in new.items():
            setattr(row, name, value)
        row.version += 1
    await _put_addresses(session, row, addresses)
    if account is not None and new.get("active") is False:
        await end_access(session, account.id)
    view = (await views(session, [row]))[0]
    _record(session, actor, before, view)
    return view


async def put_terms(
    session: AsyncSession, actor: Actor, individual: str, phrases: Sequence[str], version: int | None = None
) -> IndividualView:
    """Put these terms in place of the ones before; see ``terms.replace``.

    What people set for themselves is their own affair, and opens no restricted incident: it is not in the audit log.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await _to_edit(session, actor, individual, version)
    before = (await views(session, [row]))[0]
    await terms.replace(session, actor, row, phrases)
    row.version += 1
    view = (await views(session, [row]))[0]
    if actor.may(Action.EDIT_CONTACT, ContactObject()):
        _record(session, actor, before, view)
    return view


async def deactivate(session: AsyncSession, actor: Actor, individual: str, version: int | None = None) -> None:
    """Take an individual out of engagement. Their part in past incidents stays readable, so nothing is deleted.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Conflict: ``last_owner``.
    """
    await change_individual(session, actor, individual, IndividualChanges(active=False), version)


async def views(session: AsyncSession, rows: Sequence[Individual]) -> list[IndividualView]:
    """How individuals are shown, with their addresses, teams and terms."""
    ids = [row.id for row in rows]
    addresses = await repository.addresses_of(session, ids)
    teams = await repository.teams_of(session, ids)
    kept = await repository.terms_of(session, ids)
    return [
        IndividualView(
            id=row.id,
            name=row.name,
            email=row.email,
            active=row.active,
            addresses=[address.email for address in addresses[row.id]],
            teams=teams[row.id],
            terms=[term.phrase for term in kept[row.id]],
            term_details=terms.views(kept[row.id]),
            version=row.version,
        )
        for row in rows
    ]


def _record(session: AsyncSession, actor: Actor, before: IndividualView, view: IndividualView) -> None:
    """Write what is not as it was before into the audit log."""
    was, is_ = audit.difference(_audited(before), _audited(view))
    if was:
        audit.record(session, actor.origin, "contact.changed", view.id, view.name, before=was, after=is_)


def _audited(view: IndividualView) -> dict[str, object]:
    return view.model_dump(include={"name", "email", "addresses", "terms", "active"})


async def _put_addresses(session: AsyncSession, row: Individual, emails: Sequence[str]) -> None:
    """Put these further addresses in place of the ones before; the main one is none of them."""
    for number, email in enumerate(emails):
        await _require_free(session, email, row.id, f"addresses.{number}")
    present = {address.email_folded: address for address in (await repository.addresses_of(session, [row.id]))[row.id]}
    wanted = {email.casefold(): email for email in emails if email.casefold() != row.email.casefold()}
    async with _unless_taken(session):
        for folded in present.keys() - wanted.keys():
            await session.delete(present[folded])
        for folded, email in wanted.items():
            if folded not in present:
                session.add(Address(id=new_id(), organization_id=row.organization_id, individual_id=row.id, email=email))


async def _to_edit(session: AsyncSession, actor: Actor, individual: str, version: int | None) -> Individual:
    row = await find_individual(session, individual)
    actor.require(Action.EDIT_TERMS, ContactObject(own=row.id == actor.individual))
    # Two who change the same person take turns, so that If-Match tells the second one.
    await session.refresh(row, with_for_update=True)
    if version is not None and version != row.version:
        raise VersionConflict
    return row


def _require(actor: Actor, row: Individual, account: Account | None, new: Mapping[str, object]) -> None:
    """Whether the policy lets the actor change this; what lets somebody in takes more, and of a token the scope for it."""
    target = ContactObject(own=row.id == actor.individual, role=None if account is None else Role(account.role))
    if new:
        actor.require(Action.EDIT_CONTACT, target)
    if new.keys() & _ACCESS:
        actor.require(Action.EDIT_ADDRESS, target)
        if account is not None:
            enforce(grants(actor.scopes, Scope.ADMIN), "individual")


async def _require_free(session: AsyncSession, email: str, other_than: str | None = None, field: str = "email") -> None:
    if await repository.email_taken(session, email, other_than):
        raise _email_taken(field)


@asynccontextmanager
async def _unless_taken(session: AsyncSession) -> AsyncIterator[None]:
    """Keep what the block changes, unless someone else took the address a moment ago; what was done before it stays."""
    try:
        async with session.begin_nested():
            yield
    except IntegrityError as error:
        raise _email_taken() from error


def _email_taken(field: str = "email") -> Invalid:
    return Invalid.of(field, "email_taken", "Another individual has this address. Change that one instead.")
