"""Setting a password by the secret of a mail: who accepts an invitation, and who forgot the one they had (O3)."""

from datetime import timedelta
from typing import Final, Literal

from fastapi import Request

from services.accounts import passwords, repository, throttling
from services.accounts.repository import Person
from services.accounts.service import AccountsService, origin_of
from services.kit.clock import now
from services.kit.database import Database
from services.kit.ids import new_id
from services.store import audit
from services.store.deliveries import intend_letter
from services.store.secrets import digest

Kind = Literal["invitation", "password_reset"]
AGAIN: Final = timedelta(minutes=5)
"""How long after a mail to set a new password by another one is sent, unless the first was used."""
_ACTION: Final = {"invitation": "invitation.accepted", "password_reset": "password.reset"}


class Recovery:
    """Lets people in who hold the secret of a mail."""

    def __init__(self, database: Database, accounts: AccountsService) -> None:
        self._database = database
        self._accounts = accounts

    async def ask(self, request: Request, slug: str, email: str) -> None:
        """Send a mail to set a new password by, if there is such an account; whether there is one cannot be told from this.

        While a mail of a moment ago is good, there is no other one: it would take the place of the one that is being read.

        Raises:
            TooMany: this was asked for too often.
        """
        async with self._database.read() as session:
            organization = await repository.organization_by_slug(session, slug)
        if organization is None:
            self._accounts.nowhere.take_turn(slug, "reset", email)
            return
        async with self._database.write(organization.id) as session:
            await throttling.take_turn(session, "reset", email)
            person = await repository.by_email(session, email)
            if person is None or await repository.asked_to_reset(session, person, now(), AGAIN):
                return
            individual = person.individual
            await intend_letter(session, organization.id, "password_reset", new_id(), individual.id, individual.email)
            origin = origin_of(request, None, email, "forgotten password")
            audit.record(session, origin, "password.reset_asked", person.account.id, individual.name)

    async def holder(self, slug: str, kind: Kind, secret: str) -> Person | None:
        """Whom the secret of a mail belongs to, if it holds."""
        async with self._database.read() as session:
            found = await repository.credential_by_hash(session, digest(secret), kind, now())
            person = None if found is None else await repository.by_id(session, found.account_id)
        return person if person is not None and person.organization.slug == slug else None

    async def set_password(self, request: Request, slug: str, kind: Kind, secret: str, password: str) -> str | None:
        """Set a password, end every session and secret there was, and answer a new session's secret; None if it does not hold.

        Raises:
            Invalid: the password is too short, too long or easily guessed.
        """
        person = await self.holder(slug, kind, secret)
        if person is None:
            return None
        await passwords.check(password, [person.individual.name, person.individual.email, person.organization.name, slug])
        encoded = await passwords.hashed(password)
        async with self._database.write(person.organization.id) as session:
            found = await repository.credential_by_hash(session, digest(secret), kind, now())
            again = None if found is None else await repository.by_id(session, found.account_id)
            if found is None or again is None or not await repository.spend(session, found.id):
                return None
            again.account.password_hash = encoded
            await repository.end(session, again.account.id, "session", "link", "invitation", "password_reset")
            await throttling.succeeded(session, again.individual.email)
            origin = origin_of(request, again, again.individual.name, "mail")
            audit.record(session, origin, _ACTION[kind], again.account.id, again.individual.name)
            return await self._accounts.open_session(session, request, again, "mail")
