"""One incident, one ordered mailbox: how a command becomes events that are in the log before anyone is answered."""

import asyncio
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import lifecycle, search_attributes
    from workflows.contracts.incident import REFUSED, ROLLING_OVER, Answer
    from workflows.definitions.details import details
    from workflows.domain.commands import Command
    from workflows.domain.decide import drafts
    from workflows.domain.errors import Refused
    from workflows.domain.events import Draft
    from workflows.domain.incident import IncidentState, evolve

_APPEND_TIMEOUT: Final = timedelta(seconds=5)
_APPEND_RETRY: Final = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=5))


class Mailbox:
    """The incident's state, and the only way to change it."""

    def __init__(self, state: IncidentState) -> None:
        self.state = state
        self.rolling = False
        self._lock = asyncio.Lock()

    def check(self, command: Command) -> None:
        """Refuse at the door what ``decide`` refuses, so that a refused command leaves no history.

        Raises:
            ApplicationError: of type ``Refused`` or ``RollingOver``.
        """
        if self.rolling:
            raise ApplicationError("the incident continues as new; ask again", type=ROLLING_OVER)
        if command.command_id not in self.state.seen:
            self._decide(command)

    async def apply(self, command: Command) -> Answer:
        """Decide, append, evolve; a command that was seen before only gets its answer again.

        Raises:
            ApplicationError: of type ``Refused``.
        """
        async with self._lock:
            while command.command_id not in self.state.seen:
                events = self._decide(command)
                if not events:
                    break
                await self._append(events)
            return Answer(seq=self.state.seen.get(command.command_id, self.state.seq))

    async def catch_up(self) -> Answer:
        """Take in what the log has and this workflow has not: a worker died between appending and telling Temporal."""
        async with self._lock:
            await self._append([])
            return Answer(seq=self.state.seq)

    def show(self) -> None:
        """Say in Temporal's UI how the incident stands (I1)."""
        workflow.set_current_details(details(self.state))

    def _decide(self, command: Command) -> list[Draft]:
        try:
            return drafts(command, self.state)
        except Refused as refused:
            raise ApplicationError(refused.message, refused.code, type=REFUSED, non_retryable=True) from refused

    async def _append(self, events: list[Draft]) -> None:
        appended = await workflow.execute_local_activity(
            lifecycle.append_events,
            lifecycle.AppendRequest(
                organization=self.state.organization,
                incident=self.state.id,
                expected_seq=self.state.seq,
                drafts=tuple(events),
            ),
            start_to_close_timeout=_APPEND_TIMEOUT,
            retry_policy=_APPEND_RETRY,
            summary=", ".join(event.body.kind for event in events) or "catch up",
        )
        before = search_attributes.of(self.state)
        for event in appended.events:
            self.state = evolve(self.state, event)
        if changed := search_attributes.changed(before, search_attributes.of(self.state)):
            workflow.upsert_search_attributes(changed)
        self.show()
