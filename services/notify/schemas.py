"""What the notify API shows."""

from datetime import datetime

from pydantic import BaseModel

from services.kit.paging import Filter


class RecipientView(BaseModel):
    """Whom a delivery is for, and where it goes."""

    id: str
    name: str
    address: str


class DeliveryView(BaseModel):
    """One line of the ledger. ``provider`` is who carried it; ``in_doubt``: an earlier attempt may have gone out as well.

    A letter, which is mail about an account, belongs to no incident.
    """

    id: str
    incident: str | None
    incident_reference: str | None
    incident_title: str | None
    kind: str
    recipient: RecipientView
    channel: str
    provider: str | None
    state: str
    reason: str | None
    in_doubt: bool
    attempts: int
    provider_id: str | None
    inbox_message: str | None
    intended_at: datetime
    sent_at: datetime | None


class InboxMessageView(BaseModel):
    """A message of the built-in inbox.

    It shows what was sent and nothing of the incident as it is now, which its recipient may no longer see.
    """

    id: str
    delivery: str
    incident: str | None
    incident_reference: str | None
    recipient: RecipientView
    channel: str
    subject: str
    text: str
    html: str
    at: datetime


class DeliveryQuery(BaseModel):
    """How to narrow the ledger. ``incident`` by id or reference; ``q`` is looked for in recipients' names and addresses."""

    incident: Filter | None = None
    recipient: Filter | None = None
    state: Filter | None = None
    channel: Filter | None = None
    kind: Filter | None = None
    q: Filter | None = None
