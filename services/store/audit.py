"""The audit log: settings, access, tokens, sign-ins and exports (O5)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, String
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from services.kit.auth import Origin
from services.kit.clock import now
from services.kit.ids import new_id
from services.store.base import ID, Base, OrganizationRow, organization_of

MAX_NAME: Final = 320
"""Characters of a name that are kept: whoever is not signed in could type any number."""
MAX_ADDRESS: Final = 45
"""Characters of a network address that are kept: no real one has more, but behind a proxy it is what the proxy says."""


class AuditRow(OrganizationRow, Base):
    """One entry: who did what to what, from where, and what it was before and after. Append-only; it holds no secret."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_organization_id_id", "organization_id", "id"),
        Index("ix_audit_organization_id_action_id", "organization_id", "action", "id"),
        Index("ix_audit_organization_id_account_id_id", "organization_id", "account_id", "id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    at: Mapped[datetime]
    account_id: Mapped[str | None] = mapped_column(ID)
    who: Mapped[str] = mapped_column(String(MAX_NAME))
    via: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(MAX_ADDRESS))
    action: Mapped[str] = mapped_column(String(60))
    object_id: Mapped[str | None] = mapped_column(String(36))
    object_name: Mapped[str] = mapped_column(String(MAX_NAME))
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """Of something as it was and as it is, what is not the same; of a list, what went and what came. Both have the same names."""
    told = {name: _apart(before[name], after[name]) for name in before}
    changed = {name: (old, new) for name, (old, new) in told.items() if old != new}
    return {name: old for name, (old, _) in changed.items()}, {name: new for name, (_, new) in changed.items()}


def _apart(old: object, new: object) -> tuple[object, object]:
    """Of two lists what only one of them has; they can be long, and what changed would be hard to find."""
    if isinstance(old, list) and isinstance(new, list):
        return _without(old, new), _without(new, old)
    return old, new


def _without(entries: list[object], others: list[object]) -> list[object]:
    known = set(others)
    return [each for each in entries if each not in known]


def record(
    session: AsyncSession,
    origin: Origin,
    action: str,
    object_id: str | None,
    object_name: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write an entry in the transaction of what it is about, so that neither is kept without the other.

    ``action`` is "member.invited", "token.revoked" and the like; ``before`` and ``after`` hold what changed, as JSON.
    """
    session.add(
        AuditRow(
            id=new_id(),
            organization_id=organization_of(session),
            at=now(),
            account_id=origin.account,
            who=origin.who[:MAX_NAME],
            via=origin.via,
            address=origin.address,
            action=action,
            object_id=object_id,
            object_name=object_name[:MAX_NAME],
            before=before or {},
            after=after or {},
        )
    )
