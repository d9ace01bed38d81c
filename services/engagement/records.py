"""How often terms matched, and were right: for those who keep them (E3, E8).

That a term matched tells of an incident, which may be restricted. So whoever may not change a term learns nothing of it, and
whoever is no administrator only of the incidents that they see.
"""

from typing import Final

from sqlalchemy import Subquery, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import visible_to
from services.engagement.health import FigureColumns, Figures, Health, does, health_of
from services.engagement.repository import OWNED_BY, TermOwner
from services.engagement.schemas import MAX_TERMS, TermOwnerView, TermRecord
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.paging import Page, cut, decode_after
from services.store.contacts import Individual, TermMatch, TermRow
from services.store.incidents import Incident
from services.store.teams import OnCallService, Team
from workflows.domain.policy import Action, ContactObject
from workflows.domain.rules import TargetKind

_KINDS: Final[dict[TargetKind, type[TermOwner]]] = {
    TargetKind.INDIVIDUAL: Individual,
    TargetKind.TEAM: Team,
    TargetKind.ONCALL: OnCallService,
}


async def of_owner(session: AsyncSession, actor: Actor, owner: str) -> list[TermRecord]:
    """How all terms of one individual, team or on-call service do; nothing for whoever may not change them."""
    if not actor.may(Action.EDIT_TERMS, ContactObject(own=owner == actor.individual)):
        return []
    return (await list_terms(session, actor, owner, page_size=MAX_TERMS)).data


async def list_terms(
    session: AsyncSession,
    actor: Actor,
    owner: str | None = None,
    health: Health | None = None,
    after: str | None = None,
    page_size: int = 25,
) -> Page[TermRecord]:
    """A page of the terms of everybody, or of one individual, team or on-call service, the oldest first.

    To administrators every match counts, to anyone else those in incidents that they see.

    Raises:
        Forbidden: only administrators keep the terms of others.
        BadRequest: ``unknown_after``.
    """
    actor.require(Action.EDIT_TERMS, ContactObject(own=owner == actor.individual))
    at = now()
    scope = f"terms {actor.organization} {owner or ''} {health or ''}"
    active = func.coalesce(*(kind.active for kind in _KINDS.values()))
    counted = FigureColumns(TermRow.matches, TermRow.not_relevant, TermRow.last_match_at)
    seen = None if actor.may(Action.EDIT_TERMS, ContactObject()) else _seen_by(actor)
    if seen is not None:
        counted = FigureColumns(func.coalesce(seen.c.matches, 0), func.coalesce(seen.c.not_relevant, 0), seen.c.last_match_at)
    query = select(TermRow, *counted, active, *(column for kind in _KINDS.values() for column in (kind.id, kind.name)))
    if seen is not None:
        query = query.outerjoin(seen, seen.c.term_id == TermRow.id)
    for kind in _KINDS.values():
        query = query.outerjoin(kind, kind.id == OWNED_BY[kind])
    if owner is not None:
        query = query.where(or_(*(column == owner for column in OWNED_BY.values())))
    if health is not None:
        query = query.where(does(health, counted, TermRow.created_at, active.is_(True), at))
    if after is not None:
        query = query.where(TermRow.id > decode_after(scope, after, 1)[0])
    found = (await session.execute(query.order_by(TermRow.id).limit(page_size + 1))).all()
    shown, pagination = cut(found, page_size, scope, lambda row: [row[0].id])
    data = []
    for row, matches, not_relevant, last_match_at, in_force, *owners in shown:
        figures = Figures(matches, not_relevant, last_match_at)
        named = zip(_KINDS, owners[::2], owners[1::2], strict=True)
        whose = next(TermOwnerView(kind=kind, id=identity, name=name) for kind, identity, name in named if identity is not None)
        data.append(
            TermRecord(
                id=row.id,
                phrase=row.phrase,
                version=row.version,
                owner=whose,
                **figures._asdict(),
                health=health_of(figures, row.created_at if in_force else None, at),
            )
        )
    return Page(data=data, pagination=pagination)


def _seen_by(actor: Actor) -> Subquery:
    """The figures of somebody's own terms, by ``term_id``, of the incidents that they see."""
    return (
        select(
            TermMatch.term_id,
            func.count().label("matches"),
            func.count().filter(TermMatch.not_relevant).label("not_relevant"),
            func.max(TermMatch.at).label("last_match_at"),
        )
        .join(TermRow, TermRow.id == TermMatch.term_id)
        .join(Incident, Incident.id == TermMatch.incident_id)
        .where(TermRow.individual_id == actor.individual, visible_to(actor))
        .group_by(TermMatch.term_id)
        .subquery()
    )
