"""What a service is, to whoever runs it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter


@dataclass(frozen=True)
class Service:
    """One service: its routes, and what its worker offers on its task queue (none: it has no worker).

    ``lifespan`` wraps whatever else runs beside, like the relay.
    """

    name: str
    routers: Sequence[APIRouter]
    task_queue: str | None = None
    workflows: Sequence[type] = ()
    activities: Sequence[Callable[..., Any]] = ()
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
