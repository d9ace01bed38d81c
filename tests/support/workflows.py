"""The core's workflows on a real Temporal, with the activities of the services doubled in memory under the same names."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowHistory
from temporalio.worker import Worker

from services.kit.temporal import RUNNER, Target, connect, register_search_attributes, working
from workflows.contracts import engagement, lifecycle, notify, queues, search_attributes
from workflows.contracts.incident import HISTORY_LIMIT, Answer, IncidentInput, workflow_id
from workflows.definitions.details import summary
from workflows.definitions.guard import GuardInterceptor
from workflows.definitions.incident import IncidentWorkflow
from workflows.definitions.notification import NotificationWorkflow
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.commands import Command
from workflows.domain.engagement import Match, Roles, Term, Waiting, match
from workflows.domain.events import Draft, EngagementHeld, Event, Reported, Resource, ResourceKind, ResourceState
from workflows.domain.incident import IncidentState, fold
from workflows.domain.lifecycle import DEFAULT_LIFECYCLE
from workflows.gateway import IncidentGateway

PATIENCE = 30.0
"""Seconds a test waits for something that takes a moment."""
CHANNELS = ("email", "chat")
QUESTION = "question "
HAND_OVER = "hand-over "
ABOUT = {notify.NoticeKind.QUESTION: QUESTION, notify.NoticeKind.HAND_OVER: HAND_OVER}
"""What deliveries that are no welcomes begin with."""

Hook = Callable[[Any], Awaitable[None]]
"""Called with an activity's request before it does its work; what it raises is the activity's failure."""


async def nothing(_: Any) -> None:
    """The hook of a service that is well."""


def new_command() -> str:
    """A fresh command id."""
    return str(uuid.uuid4())


def reported(title: str = "Checkout is down", **more: Any) -> Reported:
    """What a report says."""
    attributes = Attributes(
        title=title,
        type=Choice(id="t1", name="Outage"),
        severity=Choice(id="s1", name="High"),
        priority=Choice(id="p1", name="Urgent"),
    )
    more = {"reference": 7, "reporter": "rita", "lifecycle": DEFAULT_LIFECYCLE} | more
    return Reported(attributes=attributes, project=Choice(id="default", name="Default"), **more)


@dataclass
class Case:
    """One incident with everything around it: its event log, its terms, its ledger, and hooks by which services fail."""

    world: "World"
    organization: str
    incident: str
    events: list[Event]
    terms: list[Term] = field(default_factory=list)
    people_a_page: int = 1_000
    limit: int = 50
    waiting: list[Waiting] = field(default_factory=list)
    on_call: dict[str, tuple[Match, ...]] = field(default_factory=dict)
    roles: Roles = field(default_factory=Roles)
    evaluations: list[engagement.EvaluationRequest] = field(default_factory=list)
    resources: list[ResourceKind] = field(default_factory=list)
    notices: list[notify.NoticeInput] = field(default_factory=list)
    ledger: dict[str, str] = field(default_factory=dict)
    delivered: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    hand_overs: Counter[str] = field(default_factory=Counter)
    asked_on_call: Counter[str] = field(default_factory=Counter)
    merges: list[lifecycle.MergeRequest] = field(default_factory=list)
    on_append: Hook = nothing
    after_append: Hook = nothing
    on_resource: Hook = nothing
    on_evaluate: Hook = nothing
    on_roles: Hook = nothing
    on_on_call: Hook = nothing
    on_recall: Hook = nothing
    on_deliver: Hook = nothing

    @property
    def state(self) -> IncidentState:
        """The fold of the log."""
        return fold(self.incident, self.organization, self.events)

    @property
    def kinds(self) -> list[str]:
        """What is in the log, in order."""
        return [event.body.kind for event in self.events]

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        """The incident's workflow, whatever its run."""
        return self.world.client.get_workflow_handle(workflow_id(self.incident))

    def append(self, expected_seq: int, drafts: Sequence[Draft]) -> list[Event]:
        """As the event log does: after ``expected_seq`` and nowhere else; who is behind learns what came meanwhile."""
        if len(self.events) > expected_seq or not drafts:
            return self.events[expected_seq:]
        assert len(self.events) == expected_seq, "the workflow knows more than the log"
        at = datetime.now(UTC)
        self.events += [
            Event(seq=expected_seq + number, at=at, command_id=draft.command_id, actor=draft.actor, body=draft.body)
            for number, draft in enumerate(drafts, start=1)
        ]
        return self.events[expected_seq:]

    def engages(self, individual: str, phrase: str) -> None:
        """Give a contact a term."""
        self.terms.append(Term(id=f"term-{individual}", version=1, individual=individual, normalised=phrase))

    def sent(self, delivery: str) -> Counter[str]:
        """Where it is counted how often a delivery was made: by what it is about."""
        if delivery.startswith(QUESTION):
            return self.questions
        return self.hand_overs if delivery.startswith(HAND_OVER) else self.delivered

    async def start(self, history_limit: int = HISTORY_LIMIT) -> None:
        """Start the workflow as the gateway does, if need be with a lower limit for its history."""
        await self.world.client.start_workflow(
            IncidentWorkflow.run,
            IncidentInput(state=self.state, history_limit=history_limit),
            id=workflow_id(self.incident),
            task_queue=queues.LIFECYCLE,
            static_summary=summary(self.state),
            search_attributes=search_attributes.typed(search_attributes.of(self.state)),
        )

    async def opened(self, history_limit: int = HISTORY_LIMIT) -> "Case":
        """Start, and wait until the opening is done."""
        await self.start(history_limit)
        await self.until(lambda: self.state.opened)
        return self

    async def give(self, command: Command) -> Answer:
        """Give the incident a command through the gateway."""
        return await self.world.gateway.command(self.incident, command)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something has come about."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.02)

    async def ended(self) -> None:
        """Wait until the present run has completed."""
        async with asyncio.timeout(PATIENCE):
            while (await self.handle.describe()).status is WorkflowExecutionStatus.RUNNING:
                await asyncio.sleep(0.02)

    async def history(self) -> WorkflowHistory:
        """The history of the latest run."""
        return await self.handle.fetch_history()

    async def history_types(self) -> list[str]:
        """The types of the events in the latest run's history, without their common beginning."""
        found = (await self.history()).events
        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in found]

    async def runs(self) -> int:
        """How many runs the incident's workflow has had so far."""
        description = await self.handle.describe()
        count, run = 1, description.run_id
        while True:
            history = await self.world.client.get_workflow_handle(workflow_id(self.incident), run_id=run).fetch_history()
            started = history.events[0].workflow_execution_started_event_attributes
            if not started.continued_execution_run_id:
                return count
            count, run = count + 1, started.continued_execution_run_id


@dataclass
class World:
    """Workers for all queues, and the cases they work on (each has an organization of its own)."""

    client: Client
    gateway: IncidentGateway
    cases: dict[str, Case] = field(default_factory=dict)

    def case(self, title: str = "Checkout is down", **more: Any) -> Case:
        """A new incident that is in the log and whose workflow was not started."""
        organization, incident = f"org-{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
        first = Event(command_id=new_command(), actor="rita", body=reported(title, **more), seq=1, at=datetime.now(UTC))
        case = Case(self, organization, incident, [first])
        self.cases[organization] = case
        return case


class Doubles:
    """The activities of all services, each working on the case of its organization."""

    def __init__(self, cases: dict[str, Case]) -> None:
        self._cases = cases

    @activity.defn(name="lifecycle.append_events")
    async def append_events(self, request: lifecycle.AppendRequest) -> lifecycle.Appended:
        case = self._cases[request.organization]
        await case.on_append(request)
        events = case.append(request.expected_seq, request.drafts)
        await case.after_append(request)
        return lifecycle.Appended(events=tuple(events))

    @activity.defn(name="lifecycle.open_resource")
    async def open_resource(self, request: lifecycle.ResourceRequest) -> Resource:
        case = self._cases[request.organization]
        case.resources.append(request.kind)
        await case.on_resource(request)
        return Resource(kind=request.kind, state=ResourceState.READY, url=f"https://example.org/{request.kind}")

    @activity.defn(name="lifecycle.hand_over_merged")
    async def hand_over_merged(self, request: lifecycle.MergeRequest) -> None:
        self._cases[request.organization].merges.append(request)

    @activity.defn(name="engagement.evaluate")
    async def evaluate(self, request: engagement.EvaluationRequest) -> engagement.Evaluation:
        case = self._cases[request.organization]
        case.evaluations.append(request)
        await case.on_evaluate(request)
        known = case.state.participants.keys() | case.state.held.keys()
        found = [person for person in match(request.attributes, case.terms) if person.individual not in known]
        found = [person for person in found if person.individual > (request.after or "")]
        page = found[: case.people_a_page]
        after = page[-1].individual if len(page) < len(found) else None
        return engagement.Evaluation(
            matches=tuple(page), after=after, further=len(found) - len(page), waiting=tuple(case.waiting), limit=case.limit
        )

    @activity.defn(name="engagement.choose_roles")
    async def choose_roles(self, request: engagement.RolesRequest) -> Roles:
        case = self._cases[request.organization]
        await case.on_roles(request)
        return case.roles

    @activity.defn(name="engagement.resolve_on_call")
    async def resolve_on_call(self, request: engagement.OnCallRequest) -> engagement.OnCall:
        case = self._cases[request.organization]
        case.asked_on_call[request.waiting.key] += 1
        await case.on_on_call(request)
        return engagement.OnCall(matches=case.on_call[request.waiting.key])

    @activity.defn(name="engagement.recall")
    async def recall(self, request: engagement.RecallRequest) -> engagement.Recalled:
        case = self._cases[request.organization]
        await case.on_recall(request)
        held = case.events[request.seq - 1].body
        assert isinstance(held, EngagementHeld)
        return engagement.Recalled(matches=held.people)

    @activity.defn(name="notify.plan")
    async def plan(self, notice: notify.NoticeInput) -> notify.Planned:
        case = self._cases[notice.organization]
        case.notices.append(notice)
        about = f"{ABOUT[notice.kind]}{notice.cause}/" if notice.kind in ABOUT else ""
        intents = [f"{about}{person}/{channel}" for person in notice.recipients for channel in CHANNELS]
        case.ledger = dict.fromkeys(intents, "pending") | case.ledger
        return notify.Planned(deliveries=tuple(intent for intent in intents if case.ledger[intent] == "pending"))

    @activity.defn(name="notify.deliver")
    async def deliver(self, request: notify.DeliveryRequest) -> notify.DeliveryOutcome:
        case = self._cases[request.organization]
        if case.ledger.get(request.delivery) != "sent":
            await case.on_deliver(request)
            case.sent(request.delivery)[request.delivery] += 1
            case.ledger[request.delivery] = "sent"
        return notify.DeliveryOutcome(state="sent")

    def queues(self, incidents: type[IncidentWorkflow]) -> dict[str, tuple[list[type], list[Callable[..., Any]]]]:
        """What the worker of each queue offers: workflows and activities."""
        return {
            queues.LIFECYCLE: ([incidents], [self.append_events, self.open_resource, self.hand_over_merged]),
            queues.ENGAGEMENT: ([], [self.evaluate, self.choose_roles, self.resolve_on_call, self.recall]),
            queues.NOTIFY: ([NotificationWorkflow], [self.plan, self.deliver]),
        }


@asynccontextmanager
async def working_world(target: Target, incidents: type[IncidentWorkflow] = IncidentWorkflow) -> AsyncIterator[World]:
    """Workers as in production, but for what their activities touch; and, if need be, the workflow of another release."""
    world = await _world(target)
    async with AsyncExitStack() as workers:
        for queue, (workflows, activities) in Doubles(world.cases).queues(incidents).items():
            await workers.enter_async_context(working(world.client, queue, workflows, activities))
        yield world


@asynccontextmanager
async def forgetful_world(target: Target) -> AsyncIterator[World]:
    """Workers that keep no workflow in memory: every task replays the whole history before it goes on."""
    world = await _world(target)
    async with AsyncExitStack() as workers:
        for queue, (workflows, activities) in Doubles(world.cases).queues(IncidentWorkflow).items():
            worker = Worker(
                world.client,
                task_queue=queue,
                workflows=workflows,
                activities=activities,
                workflow_runner=RUNNER,
                interceptors=[GuardInterceptor()],
                max_cached_workflows=0,
            )
            await workers.enter_async_context(worker)
        yield world


async def _world(target: Target) -> World:
    client = await connect(target, lazy=False)
    await register_search_attributes(client)
    return World(client, IncidentGateway(client, PATIENCE))
