"""The workflow of one notice: every recipient by every channel, each delivery with its own retries."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, RetryState, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import notify, queues
    from workflows.contracts.notify import NoticeInput

WINDOW: Final = 20
"""How many deliveries of one notice are under way at once."""
BATCH: Final = 200
"""How many deliveries one run makes at once, and waits for, before it continues as new: about 1,200 history events each."""

_PATIENT: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))
_BRIEF: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=3)
"""For as long as this a delivery holds its place in the window; then it makes way for those by other providers."""
_ROUND: Final = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(seconds=60), maximum_attempts=5)
"""For as long as this a late delivery is tried while others wait behind it; then it goes to the end of the queue."""
_TRY: Final = timedelta(seconds=60)
"""For one delivery: more than any channel takes, so that its attempt always ends with an entry in the ledger."""

_SILENCE: Final = timedelta(seconds=10)
"""For how long a worker that makes a delivery may say nothing before another one takes over."""


@workflow.defn(name=notify.WORKFLOW)
class NotificationWorkflow:
    """Plans a notice once, then delivers it in a bounded window.

    A provider that is away delays only its own deliveries: they leave the window after a few tries, and wait until all the
    others were made.
    """

    @workflow.run
    async def run(self, notice: NoticeInput) -> None:
        """Ends when every delivery was sent, has failed for good, or was folded."""
        deliveries = notice.deliveries
        if not deliveries and not notice.late:
            planned = await workflow.execute_activity(
                notify.plan,
                notice,
                task_queue=queues.NOTIFY,
                start_to_close_timeout=timedelta(seconds=20),
                retry_policy=_PATIENT,
                summary=f"{len(notice.recipients)} recipients",
            )
            deliveries = planned.deliveries
        window = asyncio.Semaphore(WINDOW)
        tried = deliveries[:BATCH]
        made = await asyncio.gather(*(self._deliver_soon(notice, each, window) for each in tried))
        late = notice.late + tuple(each for each, done in zip(tried, made, strict=True) if not done)
        rest = deliveries[BATCH:]
        if not rest:
            first, behind = late[:BATCH], late[BATCH:]
            tries = _ROUND if behind else _PATIENT
            made = await asyncio.gather(*(self._deliver(notice, each, tries) for each in first))
            late = behind + tuple(each for each, done in zip(first, made, strict=True) if not done)
        if rest or late:
            workflow.continue_as_new(notice.model_copy(update={"recipients": (), "deliveries": rest, "late": late}))

    async def _deliver_soon(self, notice: NoticeInput, delivery: str, window: asyncio.Semaphore) -> bool:
        async with window:
            return await self._deliver(notice, delivery, _BRIEF)

    async def _deliver(self, notice: NoticeInput, delivery: str, tries: RetryPolicy) -> bool:
        """Make one delivery; answers whether that is settled, or should be tried for longer."""
        try:
            await workflow.execute_activity(
                notify.deliver,
                notify.DeliveryRequest(organization=notice.organization, delivery=delivery, retry=notice.retry),
                task_queue=queues.NOTIFY,
                start_to_close_timeout=_TRY,
                heartbeat_timeout=_SILENCE,
                retry_policy=tries,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if error.retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED:
                return False
            # The ledger holds the failure and its reason; the other deliveries go on.
            workflow.logger.warning("a delivery failed for good", extra={"delivery": delivery})
        return True
