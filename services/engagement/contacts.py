"""Individuals and their terms (E1)."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import owners
from services.desk.lookup import Person, find_individual
from services.engagement import repository
from services.engagement.schemas import IndividualChanges, IndividualView, NewIndividual, TermView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.errors import Invalid, VersionConflict
from services.kit.ids import new_id
from services.kit.paging import Page, Pagination, decode_after, encode_after
from services.store.contacts import Individual, TermRow
from workflows.domain.policy import Action, ContactObject
from workflows.domain.text import normalise

MAX_SUGGESTIONS: Final = 10
"""How many people are suggested at once."""


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
    shown = rows[:page_size]
    following = encode_after(scope, [shown[-1].name, shown[-1].id]) if len(rows) > page_size else None
    return Page(data=await views(session, shown), pagination=Pagination(after=following, page_size=page_size))


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


async def create_individual(session: AsyncSession, actor: Actor, new: NewIndividual) -> IndividualView:
    """Add an individual with terms.

    Raises:
        Forbidden: only administrators keep the contacts.
        Invalid: ``email_taken``.
    """
    actor.require(Action.EDIT_CONTACT, ContactObject())
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
    session.add(row)
    await _keep(session)
    await _replace_terms(session, actor, row, new.terms)
    return (await views(session, [row]))[0]


async def change_individual(
    session: AsyncSession, actor: Actor, individual: str, changes: IndividualChanges, version: int | None = None
) -> IndividualView:
    """Change name, address, or whether the individual is still to be engaged.

    Raises:
        NotFound, Forbidden, VersionConflict, Invalid: see there.
        Conflict: ``last_owner``.
    """
    row = await _to_edit(session, actor, individual, version)
    new = {name: value for name, value in changes.model_dump(exclude_none=True).items() if value != getattr(row, name)}
    if new:
        await _require_contact(session, actor, row)
    if changes.active is False:
        await owners.require_another(session, row)
    if changes.email is not None:
        await _require_free(session, changes.email, row.id)
    for name, value in new.items():
        setattr(row, name, value)
    row.version += 1
    await _keep(session)
    return (await views(session, [row]))[0]


async def put_terms(
    session: AsyncSession, actor: Actor, individual: str, terms: Sequence[str], version: int | None = None
) -> IndividualView:
    """Put these terms in place of the ones before. A term that stays keeps its id; spelt differently, it gets a new version.

    A term that stays also keeps who set it: an administrator who saves an entry has not vouched for every term in it.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await _to_edit(session, actor, individual, version)
    await _replace_terms(session, actor, row, terms)
    row.version += 1
    return (await views(session, [row]))[0]


async def deactivate(session: AsyncSession, actor: Actor, individual: str, version: int | None = None) -> None:
    """Take an individual out of engagement. Their part in past incidents stays readable, so nothing is deleted.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
        Conflict: ``last_owner``.
    """
    row = await _to_edit(session, actor, individual, version)
    await _require_contact(session, actor, row)
    await owners.require_another(session, row)
    row.active = False
    row.version += 1


async def views(session: AsyncSession, rows: Sequence[Individual]) -> list[IndividualView]:
    """How individuals are shown, with their terms."""
    terms = await repository.terms_of(session, [row.id for row in rows])
    return [
        IndividualView(
            id=row.id,
            name=row.name,
            email=row.email,
            active=row.active,
            terms=[term.phrase for term in terms[row.id]],
            term_details=[TermView(id=term.id, phrase=term.phrase, version=term.version) for term in terms[row.id]],
            version=row.version,
        )
        for row in rows
    ]


async def _replace_terms(session: AsyncSession, actor: Actor, row: Individual, phrases: Sequence[str]) -> None:
    present = {term.normalised: term for term in (await repository.terms_of(session, [row.id]))[row.id]}
    wanted: dict[str, str] = {}
    for phrase in phrases:
        wanted.setdefault(normalise(phrase), phrase)
    for normalised, term in present.items():
        if normalised not in wanted:
            await session.delete(term)
        elif term.phrase != wanted[normalised]:
            term.phrase, term.version = wanted[normalised], term.version + 1
    for normalised, phrase in wanted.items():
        if normalised not in present:
            session.add(
                TermRow(
                    id=new_id(),
                    organization_id=row.organization_id,
                    individual_id=row.id,
                    phrase=phrase,
                    normalised=normalised,
                    words=len(normalised.split()),
                    self_set=not _keeps_contacts(actor),
                    version=1,
                    created_at=now(),
                )
            )
    await session.flush()


async def _to_edit(session: AsyncSession, actor: Actor, individual: str, version: int | None) -> Individual:
    row = await find_individual(session, individual)
    actor.require(Action.EDIT_TERMS, ContactObject(own=row.id == actor.individual))
    # Two who change the same person take turns, so that If-Match tells the second one.
    await session.refresh(row, with_for_update=True)
    if version is not None and version != row.version:
        raise VersionConflict
    return row


def _keeps_contacts(actor: Actor) -> bool:
    return actor.may(Action.EDIT_TERMS, ContactObject())


async def _require_contact(session: AsyncSession, actor: Actor, row: Individual) -> None:
    role = await repository.account_role(session, row.id)
    actor.require(Action.EDIT_CONTACT, ContactObject(own=row.id == actor.individual, role=role))


async def _require_free(session: AsyncSession, email: str, other_than: str | None = None) -> None:
    if await repository.email_taken(session, email, other_than):
        raise _email_taken()


async def _keep(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        # Someone else took the address a moment ago.
        raise _email_taken() from error


def _email_taken() -> Invalid:
    return Invalid.of("email", "email_taken", "Another individual has this address. Change that one instead.")
