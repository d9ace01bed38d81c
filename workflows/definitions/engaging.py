"""Who is brought into an incident by Muster: roles, evaluations, whoever is on call, and the storm guard's question."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import engagement, queues
    from workflows.definitions.mailbox import Mailbox
    from workflows.domain import commands as ask
    from workflows.domain.engagement import Match, Roles, Waiting
    from workflows.domain.incident import IncidentState

Effect = Callable[[], Awaitable[None]]
"""Something that the state calls for. It may be stopped anywhere, and is then due again."""

TRY: Final = timedelta(seconds=15)
"""How long one try of an activity may take: also how long a worker that died is waited for."""
PATIENT: Final = RetryPolicy(maximum_interval=timedelta(minutes=1))
FIRST_LOOK: Final = timedelta(seconds=10)
"""For how long the rest of the opening waits for one thing; what takes longer, or fails, delays only itself."""
FIRST_TRY: Final = timedelta(seconds=4)
"""How long each try within the first look may take: one that is lost with its worker leaves time for another."""
ANSWER_WITHIN: Final = timedelta(minutes=10)
"""For how long people are held back; then everyone comes in."""
_PACE: Final = timedelta(seconds=1)
"""The first change is evaluated at once, those that follow it within this time together: a burst never waits for its end, nor
does it lead to more than one evaluation in this time."""


class Engaging:
    """The effects by which people come in. ``evaluated_seq`` is the ``attributes_seq`` that was evaluated last.

    ``is_outdated``: a run that began with the first release has to make way for a new one.
    """

    is_first_release: ClassVar = False

    def __init__(self, mailbox: Mailbox, evaluated_seq: int) -> None:
        self.evaluated_seq = evaluated_seq
        self.is_outdated = False
        self._mailbox = mailbox
        self._late = False
        self._storm = False
        # An evaluation that held people may have been stopped between two pages, when the run before ended.
        self._names_missing = self._state.held_until is not None and evaluated_seq < self._state.attributes_seq
        self._began: datetime | None = None

    @property
    def is_first_look(self) -> bool:
        """Whether welcomes still wait for the first evaluation: for one that is late they do not."""
        return self.evaluated_seq == 0 and not self._late

    @property
    def question(self) -> datetime | None:
        """Until when the commander is asked who comes in, once all who are held are known: it is asked once, with all names."""
        return self._state.held_until if not self._names_missing or self._late else None

    def due(self) -> dict[str, Effect]:
        """What the state of an incident that is open calls for, by name."""
        due: dict[str, Effect] = {}
        if self._state.roles_awaited:
            due["roles"] = self._assign_roles
        if self.evaluated_seq < self._state.attributes_seq:
            due["evaluate"] = self._evaluate
        for waiting in self._state.waiting:
            due[f"oncall:{waiting.key}"] = lambda waiting=waiting: self._resolve(waiting)  # type: ignore[misc]
        if self._state.held_until is not None:
            due["answer"] = self._await_answer
        if self._state.called():
            due["bring in"] = self._bring_in
        return due

    def look_again(self) -> None:
        """Whoever was left out because the incident had ended is found anew."""
        self.evaluated_seq = 0

    # ── roles ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def roles_for_opening(self) -> Roles | None:
        """Whom the role policies choose; None when they do not answer in time."""
        try:
            return await self._choose_roles(FIRST_LOOK)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return None

    async def _assign_roles(self) -> None:
        roles = await self._choose_roles(None)
        await self._mailbox.apply(ask.AssignRoles(command_id=f"roles:{self._state.id}", roles=roles))

    async def _choose_roles(self, patience: timedelta | None) -> Roles:
        return await workflow.execute_activity(
            engagement.choose_roles,
            engagement.RolesRequest(
                organization=self._state.organization,
                incident=self._state.id,
                attributes=self._state.attributes,
                project=self._state.project,
                visibility=self._state.visibility,
            ),
            task_queue=queues.ENGAGEMENT,
            start_to_close_timeout=TRY if patience is None else FIRST_TRY,
            schedule_to_close_timeout=patience,
            retry_policy=PATIENT,
            summary="who is commander",
        )

    # ── evaluation ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _evaluate(self) -> None:
        """Find whom the present attributes engage, and add them (E4). Changes that come meanwhile lead to one more look."""
        await self._keep_pace()
        request = self._request()
        self._storm = False
        try:
            found = await self._look_patiently(request)
            while await self._take_in(request, found):
                request = request.model_copy(update={"after": found.after, "found": request.found + len(found.matches)})
                found = await self._look_patiently(request)
        finally:
            self._names_missing = False

    async def _take_in(self, request: engagement.EvaluationRequest, found: engagement.Evaluation) -> bool:
        """Do what a page says; answers whether the next one is wanted."""
        visibility = request.visibility
        if visibility is not self._state.visibility:
            # It may have been restricted meanwhile: what was found does not hold, and it is due to be looked at again.
            return False
        command_id = f"await:{self._state.seq}"
        await self._mailbox.apply(ask.AwaitOnCall(command_id=command_id, waiting=found.waiting, found_for=visibility))
        self._storm = self._storm or self._is_storm(found)
        if self._storm:
            self._names_missing = True
            until = workflow.now() + ANSWER_WITHIN
            command_id = f"hold:{self._state.seq}"
            await self._mailbox.apply(
                ask.Hold(command_id=command_id, matches=found.matches, found_for=visibility, limit=found.limit, until=until)
            )
        else:
            command_id = f"engage:{self._state.seq}"
            await self._mailbox.apply(ask.Engage(command_id=command_id, matches=found.matches, found_for=visibility))
        if found.after is not None:
            return True
        self._late = False
        self.evaluated_seq = request.attributes_seq
        return False

    def _request(self) -> engagement.EvaluationRequest:
        return engagement.EvaluationRequest(
            organization=self._state.organization,
            incident=self._state.id,
            attributes=self._state.attributes,
            attributes_seq=self._state.attributes_seq,
            project=self._state.project,
            visibility=self._state.visibility,
        )

    async def _keep_pace(self) -> None:
        if self._began is not None and (pause := self._began + _PACE - workflow.now()) > timedelta(0):
            await workflow.sleep(pause, summary="changes that come together are evaluated together")
        self._began = workflow.now()

    def _is_storm(self, found: engagement.Evaluation) -> bool:
        """Whether so many would come in at once that it is asked first; while it is asked, whoever else is found waits too."""
        known = self._state.participants.keys() | self._state.held.keys()
        new = sum(person.individual not in known for person in found.matches) + found.further
        return new > found.limit or (new > 0 and self._state.held_until is not None)

    async def _look_patiently(self, request: engagement.EvaluationRequest) -> engagement.Evaluation:
        try:
            return await self._look(request, FIRST_LOOK)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._late = True
            return await self._look(request, None)

    async def _look(self, request: engagement.EvaluationRequest, patience: timedelta | None) -> engagement.Evaluation:
        return await workflow.execute_activity(
            engagement.evaluate,
            request,
            task_queue=queues.ENGAGEMENT,
            start_to_close_timeout=FIRST_TRY if patience == FIRST_LOOK else TRY,
            schedule_to_close_timeout=patience,
            retry_policy=PATIENT,
            summary=f"attributes as of event {request.attributes_seq}",
        )

    # ── on call ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _resolve(self, waiting: Waiting) -> None:
        """Ask one on-call service for as long as it takes, and is wanted; it delays nobody else (E10)."""
        asking = workflow.start_activity(
            engagement.resolve_on_call,
            engagement.OnCallRequest(organization=self._state.organization, incident=self._state.id, waiting=waiting),
            task_queue=queues.ENGAGEMENT,
            start_to_close_timeout=TRY,
            retry_policy=PATIENT,
            summary=f"on call for {waiting.service.name}",
        )
        try:
            await workflow.wait_condition(lambda: asking.done() or waiting not in self._state.waiting)
        except asyncio.CancelledError:
            # Not in ``finally``: a workflow that is put out of memory cannot wait.
            await _give_up(asking)
            raise
        if waiting not in self._state.waiting:
            await _give_up(asking)
            return
        matches, reason = _answer(asking)
        await self._mailbox.apply(
            ask.ResolveOnCall(
                command_id=f"oncall:{waiting.key}:{self._state.seq}",
                service=waiting.service,
                role=waiting.role,
                by_policy=waiting.by_policy,
                matches=matches,
                reason=reason,
            )
        )

    # ── the storm guard ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _await_answer(self) -> None:
        """Wait for the commander's answer, until the deadline: without one everyone comes in (E7)."""
        until = self._state.held_until
        if until is None:
            return
        left = max(until - workflow.now(), timedelta(0))
        try:
            await workflow.wait_condition(
                lambda: self._state.held_until != until, timeout=left, timeout_summary="nobody answered: bring them in"
            )
        except TimeoutError:
            command_id = f"no answer:{until.isoformat()}"
            await self._mailbox.apply(ask.AnswerEngagement(command_id=command_id, bring_in="all"))

    async def _bring_in(self) -> None:
        """Those who were held and are to come in do, with the evidence that is in the log."""
        for seq in sorted(set(self._state.called().values())):
            recalled = await workflow.execute_activity(
                engagement.recall,
                engagement.RecallRequest(organization=self._state.organization, incident=self._state.id, seq=seq),
                task_queue=queues.ENGAGEMENT,
                start_to_close_timeout=TRY,
                retry_policy=PATIENT,
                summary=f"who was held by event {seq}",
            )
            await self._mailbox.apply(ask.BringIn(command_id=f"bring in:{self._state.seq}", matches=recalled.matches))

    @property
    def _state(self) -> IncidentState:
        return self._mailbox.state


async def _give_up(asking: "asyncio.Task[engagement.OnCall]") -> None:
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


def _answer(asking: "asyncio.Task[engagement.OnCall]") -> tuple[tuple[Match, ...], str | None]:
    """Who is on call, and why the service is not to be asked again, if it did not say so itself.

    Raises:
        ActivityError: it failed, but not as the service's answer.
    """
    try:
        return asking.result().matches, asking.result().reason
    except ActivityError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.non_retryable:
            return (), error.cause.message
        raise
