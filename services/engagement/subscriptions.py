"""Following an incident without taking part in it (E8).

Whoever follows is no participant: the rules and terms that match may still bring them in, and when they come and go again, they
follow as before.
"""

from collections.abc import Sequence

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import permission
from services.desk.lookup import Person, by_reference, find_incident
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.paging import Page, cut, decode_after
from services.store.accounts import Account
from services.store.base import insert_if_new
from services.store.contacts import Individual
from services.store.incidents import Incident
from services.store.subscriptions import Subscription
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Action, Role


async def subscribe(session: AsyncSession, actor: Actor, reference: str) -> None:
    """Follow an incident; twice is once.

    Raises:
        NotFound: no such incident for this actor.
    """
    state = await _admitted(session, actor, reference)
    row = {"organization_id": actor.organization, "incident_id": state.id, "individual_id": actor.individual, "at": now()}
    await session.execute(insert_if_new(session, Subscription).values(row))


async def unsubscribe(session: AsyncSession, actor: Actor, reference: str) -> None:
    """Follow an incident no longer; twice is once. Whoever may no longer see it ends it too, and does not learn of it.

    Raises:
        NotFound: no such incident for this actor; they follow it no longer nevertheless.
    """
    if (by := by_reference(reference)) is not None:
        mine = (Subscription.individual_id == actor.individual, Subscription.incident_id.in_(select(Incident.id).where(by)))
        await session.execute(delete(Subscription).where(*mine))
        # A refusal undoes what is not kept yet.
        await session.commit()
    await _admitted(session, actor, reference)


async def subscribers(session: AsyncSession, actor: Actor, reference: str) -> list[Person]:
    """Everyone who follows an incident and may see it today, by name.

    Raises:
        NotFound: no such incident for this actor.
    """
    state = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
    return await _subscribers(session, state, None)


async def page_of_subscribers(
    session: AsyncSession, actor: Actor, reference: str, after: str | None, page_size: int
) -> Page[Person]:
    """A page of them.

    Raises:
        NotFound: no such incident for this actor.
        BadRequest: ``unknown_after``.
    """
    state = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
    scope = f"subscribers {state.id}"
    rows = await _subscribers(session, state, None if after is None else decode_after(scope, after, 2))
    shown, pagination = cut(rows, page_size, scope, lambda person: [person.name, person.id])
    return Page(data=list(shown), pagination=pagination)


async def _subscribers(session: AsyncSession, state: IncidentState, after: Sequence[str] | None) -> list[Person]:
    query = (
        select(Individual.id, Individual.name, Individual.email, Account.role)
        .join(Subscription, Subscription.individual_id == Individual.id)
        .join(Account, Account.individual_id == Individual.id)
        .where(Subscription.incident_id == state.id, Individual.active, Account.active)
        .order_by(Individual.name, Individual.id)
    )
    if after is not None:
        query = query.where(tuple_(Individual.name, Individual.id) > tuple(after))
    return [
        Person(id=identity, name=name, email=email)
        for identity, name, email, role in await session.execute(query)
        # Who may see it is for the policy to say, not for a query.
        if permission.may_see(state, identity, Role(role))
    ]


async def _admitted(session: AsyncSession, actor: Actor, reference: str) -> IncidentState:
    state = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
    await permission.require(session, actor, Action.SUBSCRIBE, state)
    return state
