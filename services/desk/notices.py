"""Having a delivery made whose intent is written already."""

from services.store.deliveries import Delivery
from workflows.contracts.notify import NoticeInput, NoticeKind


def notice_of(delivery: Delivery, *, retry: bool = False) -> NoticeInput:
    """The notice that makes this one delivery; ``retry``: though it failed before."""
    return NoticeInput(
        organization=delivery.organization_id,
        incident=delivery.incident_id,
        kind=NoticeKind(delivery.kind),
        cause=delivery.cause,
        deliveries=(delivery.id,),
        retry=retry,
    )
