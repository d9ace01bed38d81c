"""What teams and on-call services have in common: they are listed by name, changed in turns, and engage by terms (E1)."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement.repository import OWNED_BY
from services.kit.auth import Actor
from services.kit.errors import Invalid, NotFound, VersionConflict
from services.kit.ids import is_id
from services.kit.paging import Pagination, cut, decode_after
from services.store.contacts import Individual, is_contact, matching_term
from services.store.teams import OnCallService, Team
from workflows.domain.policy import Action, ContactObject

Contact = TypeVar("Contact", Team, OnCallService)

_WORDS = {Team: "team", OnCallService: "on-call service"}


async def list_by_name(
    session: AsyncSession, actor: Actor, kind: type[Contact], q: str | None, after: str | None, page_size: int
) -> tuple[Sequence[Contact], Pagination]:
    """A page of them; the words of ``q`` begin words of the name, or of one term.

    Raises:
        BadRequest: ``unknown_after``.
    """
    scope = f"{kind.__tablename__} {actor.organization} {q or ''}"
    query = select(kind).order_by(kind.name, kind.id).limit(page_size + 1)
    if q:
        having = select(OWNED_BY[kind]).where(matching_term(q))
        query = query.where(or_(kind.matching(q), kind.id.in_(having)))
    if after is not None:
        name, identity = decode_after(scope, after, 2)
        query = query.where(tuple_(kind.name, kind.id) > (name, identity))
    rows = (await session.scalars(query)).all()
    return cut(rows, page_size, scope, lambda row: [row.name, row.id])


async def find(session: AsyncSession, kind: type[Contact], identity: str) -> Contact:
    """The one of this id.

    Raises:
        NotFound: there is none.
    """
    row = await session.scalar(select(kind).where(kind.id == identity)) if is_id(identity) else None
    if row is None:
        raise NotFound(_WORDS[kind])
    return row


async def to_change(session: AsyncSession, actor: Actor, kind: type[Contact], identity: str, version: int | None) -> Contact:
    """The same, to be changed: its version counts the change.

    Raises:
        NotFound, Forbidden, VersionConflict: see there.
    """
    row = await find(session, kind, identity)
    require_editor(actor)
    # Two who change the same one take turns, so that If-Match tells the second one.
    await session.refresh(row, with_for_update=True)
    if version is not None and version != row.version:
        raise VersionConflict
    row.version += 1
    return row


def require_editor(actor: Actor) -> None:
    """Go on only for those who keep the contacts.

    Raises:
        Forbidden: this is not one.
    """
    actor.require(Action.EDIT_CONTACT, ContactObject(), "page")


async def require_free_name(session: AsyncSession, kind: type[Contact], name: str, other_than: str | None = None) -> None:
    """Make sure that no other one has this name.

    Raises:
        Invalid: ``name_taken``.
    """
    query = select(kind).where(kind.name_folded == name.casefold(), kind.id != (other_than or ""))
    if (other := await session.scalar(query)) is not None:
        raise name_taken(kind, inactive=not other.active)


async def keep(session: AsyncSession, row: Contact) -> None:
    """Write a new or renamed one.

    Raises:
        Invalid: ``name_taken``, by someone else a moment ago.
    """
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise name_taken(type(row)) from error


def name_taken(kind: type[Contact], *, inactive: bool = False) -> Invalid:
    """What to raise for a name that another one has."""
    hint = "It is not active: make it active again, or choose another name." if inactive else "Choose another name."
    return Invalid.of("name", "name_taken", f"Another {_WORDS[kind]} is called that. {hint}")


async def require_people(session: AsyncSession, members: Sequence[str], field: str) -> list[Individual]:
    """The people of these ids, in this order, each once.

    Raises:
        Invalid: ``unknown``, at the place of the first who is nobody's.
    """
    wanted = [member for member in members if is_id(member)]
    rows = await session.scalars(select(Individual).where(Individual.id.in_(wanted), is_contact()))
    known = {row.id: row for row in rows}
    for number, member in enumerate(members):
        if member not in known:
            raise Invalid.of(f"{field}.{number}", "unknown", "There is no such individual. Give the id of one of the contacts.")
    return [known[member] for member in dict.fromkeys(members)]
