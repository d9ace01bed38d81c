"""The organization's OpenID Connect provider, as a setting (O3).

Whoever chooses the provider decides who everybody is, the owners too. So administrators see it, and owners change it.
"""

from typing import Annotated, Any, Final

import structlog
from pydantic import AfterValidator, StringConstraints
from sqlalchemy import delete, update

from services.accounts.oidc import OpenIDConnect
from services.accounts.providers import ProviderFailedError, ProviderRefusedError, Providers
from services.accounts.schemas import ProviderView
from services.kit.auth import Actor
from services.kit.database import Database
from services.kit.errors import Invalid, NotFound, VersionConflict
from services.kit.schemas import Body
from services.store import audit
from services.store.accounts import Account, Attempt, Provider
from workflows.domain.attributes import Trimmed
from workflows.domain.policy import AccountObject, Action, Role

_UNUSABLE: Final = "This address does not answer as an OpenID Connect provider. Muster’s log says what is amiss."
_log = structlog.get_logger(__name__)


def _one_word(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError("has spaces in it, or characters that cannot be seen")
    return text


class ProviderBody(Body):
    """The provider to sign in by. ``client_secret`` is kept as it is when it is left out."""

    name: Annotated[Trimmed, StringConstraints(min_length=1, max_length=100)]
    issuer: Annotated[Trimmed, StringConstraints(min_length=1, max_length=500), AfterValidator(_one_word)]
    client_id: Annotated[Trimmed, StringConstraints(min_length=1, max_length=300)]
    client_secret: Annotated[Trimmed, StringConstraints(min_length=1, max_length=500)] | None = None
    admits: bool = False


class SignInProvider:
    """Shows and changes which provider an organization has."""

    def __init__(self, database: Database, providers: Providers, oidc: OpenIDConnect) -> None:
        self._database = database
        self._providers = providers
        self._oidc = oidc

    async def get(self, actor: Actor) -> ProviderView | None:
        """The provider, without its secret; None when there is none.

        Raises:
            Forbidden: not an administrator.
        """
        actor.require(Action.MANAGE_SETTINGS)
        async with self._database.read(actor.organization) as session:
            row = await session.get(Provider, actor.organization)
        return None if row is None else self._view(actor, row)

    async def put(self, actor: Actor, body: ProviderBody, version: int | None) -> ProviderView:
        """Set or change it, once the provider has answered. Another issuer counts people anew: nobody is known to it yet.

        ``version`` is the one that the change is meant for, 0 for there being none; None is any.

        Raises:
            Forbidden: not an owner. VersionConflict.
            Invalid: ``issuer`` does not answer as a provider must, or ``client_secret`` is missing.
        """
        actor.require(Action.MANAGE_ACCOUNT, AccountObject(role=Role.OWNER))
        try:
            await self._providers.published(body.issuer, fresh=True)
        except (ProviderFailedError, ProviderRefusedError) as error:
            # What is amiss is for the log alone: it would tell what listens where in the network that Muster runs in.
            _log.warning("a provider cannot be set", issuer=body.issuer, reason=str(error))
            raise Invalid.of("issuer", "provider_unusable", _UNUSABLE) from error
        async with self._database.write(actor.organization) as session:
            row = await session.get(Provider, actor.organization, with_for_update=True)
            if version is not None and version != (0 if row is None else row.version):
                raise VersionConflict
            before = {} if row is None else _told(row)
            fields = body.model_dump() | {"client_secret": body.client_secret or _kept(row, body.issuer)}
            if row is None:
                row = Provider(organization_id=actor.organization, version=1, **fields)
                session.add(row)
            else:
                row.version += 1
                for name, value in fields.items():
                    setattr(row, name, value)
            # What was begun with the provider as it was would end with another one.
            await session.execute(delete(Attempt))
            if before.get("issuer") != row.issuer:
                await session.execute(update(Account).values(oidc_subject=None))
            after = _told(row) | {"client_secret_set": body.client_secret is not None}
            audit.record(session, actor.origin, "sign_in_provider.set", actor.organization, row.name, before=before, after=after)
        return self._view(actor, row)

    async def delete(self, actor: Actor, version: int | None = None) -> None:
        """Have no provider any more; people sign in by password then, and nobody is known to the next provider.

        Raises:
            Forbidden: not an owner. NotFound: there is none. VersionConflict: it is not at ``version``.
        """
        actor.require(Action.MANAGE_ACCOUNT, AccountObject(role=Role.OWNER))
        async with self._database.write(actor.organization) as session:
            row = await session.get(Provider, actor.organization, with_for_update=True)
            if row is None:
                raise NotFound("provider")
            if version is not None and version != row.version:
                raise VersionConflict
            await session.delete(row)
            await session.execute(delete(Attempt))
            await session.execute(update(Account).values(oidc_subject=None))
            audit.record(session, actor.origin, "sign_in_provider.removed", actor.organization, row.name, before=_told(row))

    def _view(self, actor: Actor, row: Provider) -> ProviderView:
        return ProviderView(**_told(row), version=row.version, redirect_uri=self._oidc.redirect_uri(actor.slug))


def _kept(row: Provider | None, issuer: str) -> str:
    """The client secret that is kept: for the issuer that gave it, since another one must not come to know it."""
    if row is None or row.issuer != issuer:
        raise Invalid.of("client_secret", "missing", "This is needed: the secret that the provider gave you for Muster.")
    return row.client_secret


def _told(row: Provider) -> dict[str, Any]:
    """What may be shown of it: all but the secret."""
    return {"name": row.name, "issuer": row.issuer, "client_id": row.client_id, "admits": row.admits}
