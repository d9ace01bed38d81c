"""The Temporal client and workers, the same for every service."""

import asyncio
import importlib.metadata
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, NamedTuple

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    PollerBehaviorAutoscaling,
    Worker,
    WorkerDeploymentConfig,
    WorkflowInstance,
    WorkflowInstanceDetails,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.contracts import search_attributes
from workflows.definitions.guard import GuardInterceptor

_log = structlog.get_logger(__name__)
_PAUSE: Final = 1.0
"""Seconds between attempts to start a worker."""
GRACE: Final = timedelta(seconds=10)
"""How long a worker that stops lets its activities finish."""


class _Runner(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        # Our converter treats every payload alike; to be told what each is for costs a way into the sandbox and back,
        # in all a fifth of a worker's processor time.
        instance.get_serialization_context = lambda command_info: None  # type: ignore[method-assign]
        return instance


RUNNER: Final = _Runner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows", "pydantic", "regex", "opentelemetry")
)
"""The sandbox; our pure core passes through, so that a cached incident costs kilobytes."""


class Target(NamedTuple):
    """Where Temporal is, as far as the standard ``TEMPORAL_*`` settings do not say so."""

    address: str | None = None
    namespace: str | None = None


async def connect(target: Target = Target(), *, lazy: bool = True) -> Client:  # noqa: B008  (immutable)
    """A client by the standard ``TEMPORAL_*`` settings and ``target``. Lazily, so that Muster starts without Temporal.

    Raises:
        RuntimeError: not lazy, and Temporal does not answer.
    """
    config = ClientConfig.load_client_connect_config()
    if target.address is not None:
        config["target_host"] = target.address
    if target.namespace is not None:
        config["namespace"] = target.namespace
    config.setdefault("target_host", "localhost:7233")
    return await Client.connect(
        **config,
        lazy=lazy,
        data_converter=pydantic_data_converter,
        interceptors=[TracingInterceptor()],
    )


async def register_search_attributes(client: Client) -> None:
    """Make sure that the namespace knows our search attributes; those that are there already stay."""
    wanted = {key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in search_attributes.ALL}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted), timeout=timedelta(seconds=10)
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


@asynccontextmanager
async def working(
    client: Client, task_queue: str, workflows: Sequence[type], activities: Sequence[Callable[..., Any]]
) -> AsyncIterator[Worker]:
    """A worker for one task queue, for as long as the block runs; it ends gracefully."""
    deployment = _deployment()
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=list(workflows),
        activities=list(activities),
        workflow_runner=RUNNER,
        interceptors=[GuardInterceptor()],
        # Defaults leave one poller for new workflows; a burst of reports would queue behind it.
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(minimum=2, initial=5, maximum=20),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(minimum=1, initial=5, maximum=20),
        # After a restart every incident is replayed; too many at once would trip the deadlock detector.
        max_concurrent_workflow_tasks=8,
        graceful_shutdown_timeout=GRACE,
        deployment_config=deployment,
        # Without one the SDK makes one up from every module there is, which takes seconds and blocks all else.
        build_id=None if deployment else f"muster-{importlib.metadata.version('muster')}",
    )
    async with worker:
        yield worker


async def keep_working(
    target: Target, task_queue: str, workflows: Sequence[type], activities: Sequence[Callable[..., Any]]
) -> None:
    """Run a worker until cancelled; Temporal may come late, go and come back."""
    started = _log.debug
    while True:
        try:
            client = await connect(target, lazy=False)
            await register_search_attributes(client)
            async with working(client, task_queue, workflows, activities):
                started("worker started", task_queue=task_queue)
                await asyncio.Event().wait()
        except (RPCError, RuntimeError) as error:
            _log.warning("no worker: Temporal does not answer; it is tried again", task_queue=task_queue, error=str(error))
            # News only now.
            started = _log.info
            await asyncio.sleep(_PAUSE)
        except Exception:  # noqa: BLE001  (without a worker nothing goes on, so this ends only when cancelled)
            _log.exception("a worker met a fault; it is started again", task_queue=task_queue)
            await asyncio.sleep(_PAUSE)


async def reachable(client: Client) -> bool:
    """Whether Temporal answers within two seconds."""
    try:
        async with asyncio.timeout(2):
            return await client.service_client.check_health(timeout=timedelta(seconds=2))
    except (RPCError, RuntimeError, TimeoutError):
        return False


def _deployment() -> WorkerDeploymentConfig | None:
    name, build = os.environ.get("TEMPORAL_DEPLOYMENT_NAME"), os.environ.get("TEMPORAL_WORKER_BUILD_ID")
    if not name or not build:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=name, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
