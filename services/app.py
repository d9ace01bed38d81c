"""The composition root: picks implementations, and mounts the chosen services."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client

from services.accounts import api as accounts_api
from services.accounts.oidc import OpenIDConnect
from services.accounts.organizations import Organizations
from services.accounts.providers import Providers
from services.accounts.recovery import Recovery
from services.accounts.service import AccountsService
from services.accounts.sign_in_provider import SignInProvider
from services.chat.builtin import BuiltinChannel
from services.desk.commands import Desk
from services.desk.views import Viewer
from services.engagement import api as engagement_api
from services.engagement.activities import EngagementActivities
from services.engagement.oncall import api as oncall_api
from services.engagement.oncall.provider import OnCallProvider
from services.engagement.preview import api as preview_api
from services.engagement.roles import api as roles_api
from services.engagement.rules import api as rules_api
from services.engagement.service import EngagementService
from services.engagement.targets import PROVIDERS
from services.engagement.teams import api as teams_api
from services.intake import api as intake_api
from services.intake.relay import Relay
from services.intake.service import IntakeService
from services.kit.database import Database
from services.kit.http import create_http
from services.kit.service import Service
from services.kit.settings import Settings
from services.kit.temporal import Target, connect, keep_working, reachable
from services.lifecycle import api as lifecycle_api
from services.lifecycle.activities import LifecycleActivities
from services.lifecycle.reconcile import nudge_in_doubt
from services.lifecycle.resources import CallProvider, ChannelProvider, ResourceProvider
from services.lifecycle.service import LifecycleService
from services.lifecycle.settings import LifecycleServiceSettings
from services.lifecycle.stream import Tail
from services.notify import api as notify_api
from services.notify.activities import NotifyActivities
from services.notify.channels.channel import Channel, ChannelName, StoredChannel
from services.notify.channels.chat import ChatChannel
from services.notify.channels.inbox import InboxChannel
from services.notify.channels.smtp import SmtpChannel
from services.notify.rendering import Renderer
from services.notify.service import NotifyService
from services.notify.settings import SmtpSettings
from services.store.answers import AnswerStore
from services.web import pages
from services.web.errors import render_problem
from services.web.static_files import static_files
from workflows.contracts import queues
from workflows.definitions.incident import IncidentWorkflow
from workflows.definitions.notification import NotificationWorkflow
from workflows.domain.events import ResourceKind
from workflows.gateway import IncidentGateway

NAMES: Final = ("accounts", "intake", "engagement", "lifecycle", "notify", "web")
"""Every service, as ``muster serve`` takes them."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Muster:
    """The services of one process, over one database and one Temporal."""

    settings: Settings
    database: Database
    client: Client
    target: Target
    relay: Relay
    tail: Tail
    accounts: AccountsService
    organizations: Organizations
    recovery: Recovery
    oidc: OpenIDConnect
    sign_in_provider: SignInProvider
    intake: IntakeService
    engagement: EngagementService
    lifecycle: LifecycleService
    notify: NotifyService
    services: dict[str, Service]


async def assemble(
    settings: Settings,
    database: Database,
    target: Target = Target(),  # noqa: B008  (immutable)
    providers: Mapping[str, OnCallProvider] = PROVIDERS,
) -> Muster:
    """Put everything together; nothing is started yet. ``target`` is Temporal, as far as the environment does not say.

    ``providers`` are those that on-call services can have.
    """
    client = await connect(target)
    gateway = IncidentGateway(client)
    desk = Desk(database, gateway)
    viewer = Viewer(settings.base_url)
    platform = BuiltinChannel(database)
    relay = Relay(database, gateway)
    tail = Tail(database)
    lifecycle = LifecycleActivities(database, gateway, _resources(platform, settings.base_url))
    services = (
        Service("accounts", accounts_api.ROUTERS),
        Service("intake", [intake_api.reports, intake_api.router], lifespan=lambda: _running(relay.run)),
        _engagement(EngagementActivities(database, providers)),
        Service(
            "lifecycle",
            [lifecycle_api.router, lifecycle_api.exports, lifecycle_api.commands],
            queues.LIFECYCLE,
            workflows=[IncidentWorkflow],
            activities=[lifecycle.append_events, lifecycle.open_resource, lifecycle.hand_over_merged],
            lifespan=lambda: _running(tail.run, lambda: nudge_in_doubt(database)),
        ),
        _notify(NotifyActivities(database, Renderer(settings.base_url), _channels())),
        Service("web", pages.ROUTERS),
    )
    accounts = AccountsService(database, secure=settings.is_secure)
    known = Providers(settings.base_url)
    oidc = OpenIDConnect(database, accounts, known, settings.base_url)
    return Muster(
        settings=settings,
        database=database,
        client=client,
        target=target,
        relay=relay,
        tail=tail,
        accounts=accounts,
        organizations=Organizations(database),
        recovery=Recovery(database, accounts),
        oidc=oidc,
        sign_in_provider=SignInProvider(database, known, oidc),
        intake=IntakeService(viewer, relay.wake),
        engagement=EngagementService(database, desk),
        lifecycle=LifecycleService(database, desk, viewer, platform),
        notify=NotifyService(gateway),
        services={service.name: service for service in services},
    )


def _accounts() -> Service:
    """The service that knows who is who."""
    return Service(
        "accounts",
        [
            accounts_api.router,
            accounts_api.administered,
            accounts_api.api_tokens,
            accounts_api.audit_log,
            accounts_api.sign_in_provider,
        ],
    )


def _engagement(activities: EngagementActivities) -> Service:
    """The service that finds people."""
    return Service(
        "engagement",
        [
            engagement_api.router,
            teams_api.router,
            oncall_api.router,
            rules_api.router,
            *roles_api.ROUTERS,
            preview_api.router,
            engagement_api.commands,
        ],
        queues.ENGAGEMENT,
        activities=[activities.evaluate, activities.choose_roles, activities.resolve_on_call, activities.recall],
    )


def _notify(activities: NotifyActivities) -> Service:
    """The service that tells people."""
    return Service(
        "notify",
        [notify_api.router, notify_api.commands],
        queues.NOTIFY,
        workflows=[NotificationWorkflow],
        activities=[activities.plan, activities.deliver],
    )


def _resources(platform: BuiltinChannel, base_url: str) -> dict[ResourceKind, ResourceProvider]:
    """What makes an incident's resources."""
    made: dict[ResourceKind, ResourceProvider] = {ResourceKind.CHANNEL: ChannelProvider(platform, base_url)}
    if template := LifecycleServiceSettings().call_url_template:
        made[ResourceKind.CALL] = CallProvider(template)
    return made


def _channels() -> dict[ChannelName, Channel | StoredChannel]:
    """What takes messages to people."""
    smtp = SmtpSettings()
    return {ChannelName.EMAIL: SmtpChannel(smtp) if smtp.host else InboxChannel(), ChannelName.CHAT: ChatChannel()}


def create_app(muster: Muster, only: Sequence[str] = NAMES) -> FastAPI:
    """The HTTP application of the chosen services; while it is up, their workers run."""
    chosen = [muster.services[name] for name in only]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service in chosen:
                await stack.enter_async_context(service.lifespan())
                if service.task_queue is not None:
                    await stack.enter_async_context(_worker(muster.target, service))
            yield

    app = create_http(
        [router for service in chosen for router in service.routers],
        lifespan,
        {"database": lambda: _answers(muster.database), "temporal": lambda: reachable(muster.client)},
        render_problem if "web" in only else None,
    )
    app.state.database = muster.database
    app.state.answers = AnswerStore()
    app.state.authenticate = muster.accounts.authenticate
    app.state.settings = muster.settings
    app.state.tail = muster.tail
    for name in ("accounts", "organizations", "recovery", "oidc", "sign_in_provider", *NAMES[1:-1]):
        setattr(app.state, name, getattr(muster, name))
    if "web" in only:
        app.mount("/static", static_files())
    return app


def _worker(target: Target, service: Service) -> AbstractAsyncContextManager[None]:
    queue = service.task_queue or ""

    async def work() -> None:
        await keep_working(target, queue, service.workflows, service.activities)

    return _running(work)


@asynccontextmanager
async def _running(*jobs: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Run these beside, until the block ends."""
    tasks = [asyncio.create_task(job()) for job in jobs]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a background job ended with a fault", exc_info=error)


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(2), database.read() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError, TimeoutError):
        return False
    return True
