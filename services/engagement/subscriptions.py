"""Following an incident without taking part in it (E8).

Whoever follows is no participant: the rules and terms that match may still bring them in, and when they come and go again, they
follow as before.
"""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import permission
from services.desk.lookup import Person, by_reference, find_incident
from services.kit.auth import Actor
from services.kit.clock import now
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
    """Who follows an incident and may see it today, in the order they began to.

    Raises:
        NotFound: no such incident for this actor.
    """
    state = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
    query = (
        select(Individual, Account.role)
        .join(Subscription, Subscription.individual_id == Individual.id)
        .join(Account, Account.individual_id == Individual.id)
        .where(Subscription.incident_id == state.id, Individual.active, Account.active)
        .order_by(Subscription.at, Individual.id)
    )
    return [
        Person(id=person.id, name=person.name, email=person.email)
        for person, role in await session.execute(query)
        if permission.may_see(state, person.id, Role(role))
    ]


async def _admitted(session: AsyncSession, actor: Actor, reference: str) -> IncidentState:
    state = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
    await permission.require(session, actor, Action.SUBSCRIBE, state)
    return state
