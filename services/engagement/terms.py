"""The terms of an individual, a team or an on-call service (E1)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.engagement import repository
from services.engagement.repository import OWNED_BY, TermOwner
from services.engagement.schemas import TermView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.contacts import PastTerm, TermRow
from workflows.domain.policy import Action, ContactObject
from workflows.domain.text import normalise


async def replace(session: AsyncSession, actor: Actor, owner: TermOwner, phrases: Sequence[str]) -> None:
    """Put these terms in place of the ones before. A term that stays keeps its id; spelt differently, it gets a new version.

    A term that stays also keeps who set it: an administrator who saves an entry has not vouched for every term in it. What is no
    longer in force is kept as a past term.
    """
    present = {term.normalised: term for term in (await repository.terms_of(session, [owner.id], type(owner)))[owner.id]}
    wanted: dict[str, str] = {}
    for phrase in phrases:
        wanted.setdefault(normalise(phrase), phrase)
    at = now()
    for normalised, term in present.items():
        if wanted.get(normalised) == term.phrase:
            continue
        await _end(session, owner, term, at)
        if normalised in wanted:
            term.phrase, term.version = wanted[normalised], term.version + 1
        else:
            await session.delete(term)
    for normalised, phrase in wanted.items():
        if normalised not in present:
            session.add(
                TermRow(
                    id=new_id(),
                    organization_id=owner.organization_id,
                    phrase=phrase,
                    normalised=normalised,
                    words=len(normalised.split()),
                    self_set=not actor.may(Action.EDIT_CONTACT, ContactObject()),
                    version=1,
                    created_at=at,
                    **{OWNED_BY[type(owner)].key: owner.id},
                )
            )
    await session.flush()


def views(terms: Sequence[TermRow]) -> list[TermView]:
    """How terms are shown."""
    return [TermView(id=term.id, phrase=term.phrase, version=term.version) for term in terms]


async def _end(session: AsyncSession, owner: TermOwner, term: TermRow, at: datetime) -> None:
    """Keep the present version of a term as one that ends now; it began when the one before ended."""
    before = await session.scalar(select(func.max(PastTerm.valid_until)).where(PastTerm.term_id == term.id))
    session.add(
        PastTerm(
            term_id=term.id,
            version=term.version,
            organization_id=owner.organization_id,
            owner_id=owner.id,
            phrase=term.phrase,
            normalised=term.normalised,
            self_set=term.self_set,
            valid_from=before or term.created_at,
            valid_until=at,
        )
    )
