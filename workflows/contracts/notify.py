"""The activities of the notify service, and how its workflow is started."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from temporalio import activity

from workflows.domain.model import Value

WORKFLOW: Final = "Notification"
"""The workflow type."""


class NoticeKind(StrEnum):
    """What a notice is about. Invitation and password reset are letters: mail that belongs to no incident."""

    WELCOME = "welcome"
    QUESTION = "question"
    HAND_OVER = "hand_over"
    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105  (a kind of notice)


class NoticeInput(Value):
    """One notice: one kind and cause with all its recipients (individuals' ids).

    ``incident`` is None for a letter. ``cause`` makes the ledger's intents unique: a person is welcomed once an incident, so a
    welcome's cause is constant; for others see ``question_cause`` and ``hand_over_cause``. ``deliveries`` are intents that were
    written already (a letter's, a retry, or what is left after continuing as new); ``late`` are those that a few tries could not
    make, and that wait for their provider; ``retry`` also tries those that have failed for good.
    """

    organization: str
    incident: str | None
    kind: NoticeKind
    cause: str
    recipients: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    retry: bool = False


class Planned(Value):
    """The deliveries of a notice that are still to be made."""

    deliveries: tuple[str, ...]


class DeliveryRequest(Value):
    """One delivery to make."""

    organization: str
    delivery: str
    retry: bool = False


class DeliveryOutcome(Value):
    """The state in the ledger after the try: sent, failed or folded."""

    state: str


def workflow_id(notice: NoticeInput, wave: str) -> str:
    """The id of the workflow for one wave of a notice: a letter's begins with its organization, any other's with its incident."""
    return f"notice:{notice.incident or notice.organization}:{notice.kind}:{wave}"


def question_cause(until: datetime) -> str:
    """What causes a question to the commander: a crowd that is held until then, however many events and evaluations hold it."""
    return f"held until {until.isoformat()}"


def hand_over_cause(seq: int) -> str:
    """What causes the notice to a new commander: the event that made them one."""
    return f"handed over by event {seq}"


@activity.defn(name="notify.plan")
async def plan(notice: NoticeInput) -> Planned:
    """Write the intents of a notice into the ledger, once each."""
    raise NotImplementedError


@activity.defn(name="notify.deliver")
async def deliver(request: DeliveryRequest) -> DeliveryOutcome:
    """Make one delivery, unless the ledger says that it was made or is no longer wanted."""
    raise NotImplementedError
