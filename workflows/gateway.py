"""The only code that starts and updates workflows: ids, reuse policies, deadlines, and what each failure means."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from workflows.contracts import incident as contract
from workflows.contracts import notify, queues, search_attributes
from workflows.contracts.incident import Answer, IncidentInput, workflow_id
from workflows.definitions.details import summary
from workflows.definitions.incident import IncidentWorkflow
from workflows.domain.commands import Command
from workflows.domain.errors import Refused
from workflows.domain.incident import IncidentState

ROLLING_PAUSE: Final = 0.05
"""Seconds before a command is given again to a workflow that continues as new."""
LAST_LOOK: Final = 1.0
"""Seconds, the last of a caller's patience, for finding out whether Temporal is there at all."""


class GatewayError(Exception):
    """Temporal did not carry a command through; the subclasses say how far it came."""


class NotRunning(GatewayError):
    """Temporal knows no running workflow of this incident: not started yet, over, or lost."""


class Unanswered(GatewayError):
    """The command may have been taken, but no answer came in time. Asking again with the same command id is safe."""


class Unavailable(GatewayError):
    """Temporal cannot be reached."""


class Broken(GatewayError):
    """The workflow met an unexpected error in its handler; the incident goes on, the command did not."""


UPDATES: Final = {
    "Edit": "edit",
    "ChangeStatus": "change_status",
    "AssignCommander": "assign_commander",
    "Add": "add_participant",
    "Leave": "leave",
    "AnswerEngagement": "answer_engagement",
    "RetryResource": "retry_resource",
    "AddNote": "add_note",
    "Absorb": "absorb",
}
"""Which update takes which command."""


class IncidentGateway:
    """Starts incidents' workflows and gives them commands. ``patience`` is the longest a caller waits, in seconds."""

    def __init__(self, client: Client, patience: float = 8.0) -> None:
        self._client = client
        self._patience = patience

    async def start(self, state: IncidentState) -> None:
        """Start the workflow of an incident; one that runs, or ran to its end, is left alone. One that was terminated is not:
        the incident goes on.

        Raises:
            Unavailable: Temporal cannot be reached.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._client.start_workflow(
                    IncidentWorkflow.run,
                    IncidentInput(state=state),
                    id=workflow_id(state.id),
                    task_queue=queues.LIFECYCLE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    static_summary=summary(state),
                    search_attributes=search_attributes.typed(search_attributes.of(state)),
                    rpc_timeout=timedelta(seconds=self._patience),
                )
        except WorkflowAlreadyStartedError:
            return
        except (RPCError, RuntimeError, TimeoutError) as error:
            raise Unavailable(str(error)) from error

    async def command(self, incident: str, command: Command) -> Answer:
        """Give a command to a running incident and wait until it is in the log.

        Raises:
            Refused: the incident's state does not allow it.
            NotRunning, Unanswered, Unavailable, Broken: see there.
        """
        return await self._persist(lambda: self._update(incident, UPDATES[type(command).__name__], command))

    async def catch_up(self, incident: str) -> Answer:
        """Have a running incident take in what the log has and it has not.

        Raises:
            NotRunning, Unanswered, Unavailable, Broken: see there.
        """
        return await self._persist(lambda: self._update(incident, "catch_up", None))

    async def wake(self, state: IncidentState, command: Command) -> Answer:
        """Start a new run for an incident that is over, together with the command that reopens it or adds to its record.

        Raises:
            Refused, Unanswered, Unavailable, Broken: as ``command``.
        """

        async def update() -> Answer:
            operation: WithStartWorkflowOperation[IncidentWorkflow, None] = WithStartWorkflowOperation(
                IncidentWorkflow.run,
                IncidentInput(state=state),
                id=workflow_id(state.id),
                task_queue=queues.LIFECYCLE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                static_summary=summary(state),
                search_attributes=search_attributes.typed(search_attributes.of(state)),
            )
            answer: Answer = await self._client.execute_update_with_start_workflow(
                UPDATES[type(command).__name__],
                command,
                start_workflow_operation=operation,
                id=command.command_id,
                result_type=Answer,
                rpc_timeout=timedelta(seconds=self._patience),
            )
            return answer

        return await self._persist(update)

    async def send(self, notice: notify.NoticeInput, wave: str) -> None:
        """Start one notice outside of an incident's workflow: a letter, or a retry.

        Raises:
            Unavailable: Temporal cannot be reached.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._client.start_workflow(
                    notify.WORKFLOW,
                    notice,
                    id=notify.workflow_id(notice, wave),
                    task_queue=queues.NOTIFY,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    rpc_timeout=timedelta(seconds=self._patience),
                )
        except (RPCError, RuntimeError, TimeoutError) as error:
            raise Unavailable(str(error)) from error

    async def _update(self, incident: str, name: str, command: Command | None) -> Answer:
        handle = self._client.get_workflow_handle(workflow_id(incident))
        answer: Answer = await handle.execute_update(
            name,
            args=[] if command is None else [command],
            id=None if command is None else command.command_id,
            result_type=Answer,
            rpc_timeout=timedelta(seconds=self._patience),
        )
        return answer

    async def _persist(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Try until answered: a workflow that rolls over or ends is asked again, everything else is told apart."""
        try:
            async with asyncio.timeout(self._patience - LAST_LOOK):
                while True:
                    try:
                        return await attempt()
                    except WorkflowUpdateFailedError as failed:
                        _raise_unless_rolling(failed)
                    except RPCError as error:
                        # So the server says that a run was about to end or roll over when the update came in.
                        if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                            raise
                    await asyncio.sleep(ROLLING_PAUSE)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            if not await self._reachable():
                raise Unavailable("Temporal does not answer") from error
            raise Unanswered("no answer in time") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotRunning(error.message) from error
            if error.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED}:
                raise Unanswered(error.message) from error
            raise Unavailable(error.message) from error
        except RuntimeError as error:
            # The SDK's bridge raises it when a lazy client cannot connect.
            raise Unavailable(str(error)) from error

    async def _reachable(self) -> bool:
        try:
            async with asyncio.timeout(LAST_LOOK):
                return await self._client.service_client.check_health()
        except (RPCError, RuntimeError, TimeoutError):
            return False


def _raise_unless_rolling(failed: WorkflowUpdateFailedError) -> None:
    cause = failed.cause
    if not isinstance(cause, ApplicationError):
        # An activity of the handler failed for good.
        raise Broken(str(cause.__cause__ or cause)) from failed
    if cause.type == contract.REFUSED:
        raise Refused(str(cause.details[0]), cause.message) from failed
    if cause.type == contract.ROLLING_OVER:
        return
    if cause.type == "AcceptedUpdateCompletedWorkflow":
        raise NotRunning(cause.message) from failed
    raise Broken(cause.message) from failed
