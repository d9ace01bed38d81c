"""What people set for themselves: name, preferences, password, and the browsers they are signed in with (O2)."""

import re
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.accounts import passwords, repository, throttling
from services.accounts.repository import Person
from services.accounts.schemas import IndividualRef, Me, MeChanges, OrganizationView, SessionView
from services.kit.auth import Actor
from services.kit.clock import now
from services.kit.database import Database
from services.kit.errors import Invalid, NotFound, VersionConflict
from services.kit.preferences import Preferences
from services.store import audit
from services.store.accounts import Account, Credential
from services.store.contacts import Individual
from services.store.secrets import digest
from workflows.domain.policy import Scope

_BROWSERS: Final = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
"""By what each says of itself; most say that they are those further down as well."""
_SYSTEMS: Final = {
    "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Macintosh": "macOS", "Linux": "Linux",
}  # fmt: skip


async def me(session: AsyncSession, actor: Actor) -> Me:
    """Who is asking, with what they set for themselves."""
    account = await session.get_one(Account, actor.account)
    individual = await session.get_one(Individual, actor.individual)
    return Me(
        account=actor.account,
        individual=IndividualRef(id=individual.id, name=individual.name),
        email=individual.email,
        role=actor.role,
        organization=OrganizationView(id=actor.organization, slug=actor.slug, name=actor.organization_name),
        scopes=None if actor.scopes is None else [scope for scope in Scope if scope in actor.scopes],
        preferences=Preferences.model_validate(account.preferences),
        version=account.version,
    )


async def change_me(session: AsyncSession, actor: Actor, changes: MeChanges, version: int | None = None) -> Me:
    """Change one's name or preferences; of these, what is not named stays.

    Raises:
        VersionConflict: see there. Invalid: ``quiet_hours``.
    """
    account = await session.get_one(Account, actor.account, with_for_update=True)
    if version is not None and version != account.version:
        raise VersionConflict
    if changes.preferences is not None:
        account.preferences = account.preferences | changes.preferences.model_dump(mode="json", exclude_unset=True)
        if (account.preferences.get("quiet_from") is None) != (account.preferences.get("quiet_until") is None):
            missing = next(name for name in ("quiet_from", "quiet_until") if account.preferences.get(name) is None)
            raise Invalid.of(f"preferences.{missing}", "quiet_hours", "Quiet hours need a beginning and an end.")
    if changes.name is not None and changes.name != actor.name:
        individual = await session.get_one(Individual, actor.individual, with_for_update=True)
        before, individual.name = individual.name, changes.name
        individual.version += 1
        told = {"before": {"name": before}, "after": {"name": changes.name}}
        audit.record(session, actor.origin, "account.renamed", account.id, changes.name, **told)
    account.version += 1
    await session.flush()
    return await me(session, actor)


async def has_password(session: AsyncSession, actor: Actor) -> bool:
    """Whether one signs in with a password, so that changing it asks for the old one."""
    return (await session.get_one(Account, actor.account)).password_hash is not None


async def change_password(database: Database, actor: Actor, old: str, new: str) -> None:
    """Set another password, and end every other session and every link that signs in.

    Guesses at the old one count with those at signing in.

    Raises:
        Forbidden: ``session_needed``.
        Invalid: ``wrong_password``, or the new one is too short, too long or easily guessed.
        TooMany: it is not yet time for another try.
    """
    kept = _own_session(actor)
    async with database.write(actor.organization) as session:
        slows = await throttling.take_turn(session, "sign_in", actor.email)
        known = (await _present(session, actor)).account.password_hash
    right = known is None or await passwords.matches(old, known)
    if right:
        await passwords.check(new, [actor.name, actor.email, actor.organization_name, actor.slug])
    encoded = await passwords.hashed(new) if right else ""
    async with database.write(actor.organization) as session:
        person = await _present(session, actor)
        # Again, since it may have been changed while this one was compared.
        right = right and person.account.password_hash == known
        if right:
            await throttling.succeeded(session, actor.email)
            person.account.password_hash = encoded
            await repository.end(session, actor.account, "session", "link", "invitation", "password_reset", but=kept)
            audit.record(session, actor.origin, "password.changed", actor.account, actor.name)
        elif slows:
            audit.record(session, actor.origin, "sign_in.throttled", actor.account, actor.email)
    if not right:
        raise Invalid.of("old_password", "wrong_password", "This is not your present password.")


async def sessions(session: AsyncSession, actor: Actor) -> list[SessionView]:
    """The browsers one is signed in with, the latest first."""
    here = "" if actor.session is None else digest(actor.session)
    query = select(Credential).where(
        Credential.account_id == actor.account, Credential.kind == "session", Credential.expires_at > now()
    )
    return [
        SessionView(
            id=row.id,
            browser=browser(row.label),
            address=row.address,
            created_at=row.created_at,
            current=row.secret_hash == here,
        )
        for row in await session.scalars(query.order_by(Credential.id.desc()))
    ]


async def end_session(session: AsyncSession, actor: Actor, wanted: str) -> None:
    """Sign out another browser of one's own.

    Raises:
        Forbidden: ``session_needed``. NotFound: it is not one's own, or is over.
    """
    _own_session(actor)
    known = {each.id: each for each in await sessions(session, actor)}
    if wanted not in known or not await repository.spend(session, wanted):
        raise NotFound("session")
    audit.record(session, actor.origin, "session.ended", wanted, known[wanted].browser)


async def end_other_sessions(session: AsyncSession, actor: Actor) -> None:
    """Sign out every other browser of one's own.

    Raises:
        Forbidden: ``session_needed``.
    """
    await repository.end(session, actor.account, "session", but=_own_session(actor))
    audit.record(session, actor.origin, "sessions.ended", actor.account, actor.name)


def browser(label: str) -> str:
    """What a browser says of itself (its User-Agent), in two words."""
    name = next((said for mark, said in _BROWSERS.items() if re.search(rf"{mark}\w*/", label)), "A browser")
    system = next((said for mark, said in _SYSTEMS.items() if mark in label), "")
    return f"{name} on {system}" if system else name


def _own_session(actor: Actor) -> str:
    """The hash of the session that asks: how people sign in is not for tokens to change."""
    return digest(actor.require_session())


async def _present(session: AsyncSession, actor: Actor) -> Person:
    person = await repository.by_id(session, actor.account)
    if person is None:
        raise NotFound("account")
    return person
