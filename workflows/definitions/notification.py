"""The workflow of one notice: every recipient by every channel, each delivery with its own retries."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import notify, queues
    from workflows.contracts.notify import NoticeInput

WINDOW: Final = 20
"""How many deliveries of one notice are under way at once."""
BATCH: Final = 200
"""How many deliveries one run makes before it continues as new: about 1,200 history events."""

_RETRY: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))


@workflow.defn(name=notify.WORKFLOW)
class NotificationWorkflow:
    """Plans a notice once, then delivers it in a bounded window. A provider that is away delays only its own deliveries."""

    @workflow.run
    async def run(self, notice: NoticeInput) -> None:
        """Ends when every delivery was sent, has failed for good, or was folded."""
        deliveries = notice.deliveries
        if not deliveries:
            planned = await workflow.execute_activity(
                notify.plan,
                notice,
                task_queue=queues.NOTIFY,
                start_to_close_timeout=timedelta(seconds=20),
                retry_policy=_RETRY,
                summary=f"{len(notice.recipients)} recipients",
            )
            deliveries = planned.deliveries
        window = asyncio.Semaphore(WINDOW)
        await asyncio.gather(*(self._deliver(notice, each, window) for each in deliveries[:BATCH]))
        if rest := deliveries[BATCH:]:
            workflow.continue_as_new(notice.model_copy(update={"deliveries": rest, "recipients": ()}))

    async def _deliver(self, notice: NoticeInput, delivery: str, window: asyncio.Semaphore) -> None:
        async with window:
            try:
                await workflow.execute_activity(
                    notify.deliver,
                    notify.DeliveryRequest(organization=notice.organization, delivery=delivery, retry=notice.retry),
                    task_queue=queues.NOTIFY,
                    start_to_close_timeout=timedelta(seconds=20),
                    retry_policy=_RETRY,
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                # The ledger holds the failure and its reason; the other deliveries go on.
                workflow.logger.warning("a delivery failed for good", extra={"delivery": delivery})
