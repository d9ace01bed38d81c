"""A bug in an update handler answers its caller; it does not hang the incident."""

from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import (
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from workflows.contracts.incident import INTERNAL


class _Guard(WorkflowInboundInterceptor):
    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: ANN401  (the SDK's own signature)
        try:
            return await super().handle_update_handler(input)
        except FailureError:
            raise
        except Exception as error:
            # An exception that is no failure would fail the workflow task again and again, and every caller with it.
            raise ApplicationError(f"{type(error).__name__}: {error}", type=INTERNAL, non_retryable=True) from error


class GuardInterceptor(Interceptor):
    """Turns an unexpected exception of an update handler into an ApplicationError of type ``InternalError``."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor] | None:
        """The guard, for every workflow."""
        return _Guard
