"""The incident's workflow: one ordered mailbox of named updates, and the effects that follow from its state."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import incident as contract
    from workflows.contracts import lifecycle, notify, queues
    from workflows.contracts.incident import Answer, IncidentInput
    from workflows.definitions.engaging import FIRST_LOOK, FIRST_TRY, PATIENT, TRY, Effect, Engaging
    from workflows.definitions.first_release import RIGHT_PEOPLE, FirstEngaging
    from workflows.definitions.mailbox import Mailbox
    from workflows.domain import commands as ask
    from workflows.domain.events import Resource, ResourceKind, ResourceState
    from workflows.domain.incident import IncidentState
    from workflows.domain.lifecycle import Category

_LAST_LOOK: Final = timedelta(minutes=2)
_PARK: Final = timedelta(minutes=1)
_REOPENING: Final = timedelta(minutes=1)


@workflow.defn(name=contract.WORKFLOW)
class IncidentWorkflow:
    """From report to closure. Every change is an update; what has to be done is read off the state, never remembered apart."""

    @workflow.init
    def __init__(self, start: IncidentInput) -> None:
        self.mailbox = Mailbox(start.state)
        engaging = Engaging if workflow.patched(RIGHT_PEOPLE) else FirstEngaging
        self.engaging = engaging(self.mailbox, start.evaluated_seq)
        self.welcomed_seq = start.welcomed_seq
        self.asked = start.asked
        self.told_seq = start.told_seq
        self.history_limit = start.history_limit
        self.starting_notices = 0
        self.running: dict[str, asyncio.Task[None]] = {}

    @workflow.run
    async def run(self, start: IncidentInput) -> None:
        """Respond until the incident is over, close; and once more when it is reopened before the run has ended."""
        self.mailbox.show()
        if self.state.over:
            await self._reopen()
        while not self.state.over:
            await self._respond()
            await self._close()
            # Reopened: who was left out because the incident had ended is welcomed or told after all, or asked about again.
            self.welcomed_seq = self.told_seq = 0
            self.engaging.look_again()

    # ── phases ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _reopen(self) -> None:
        """A run that begins over waits for the update that reopens it; it comes with the start (update-with-start)."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: not self.state.over, timeout=_REOPENING, timeout_summary="waiting to be reopened"
            )
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def _respond(self) -> None:
        """While the incident is open, do what its state calls for, each effect on its own, until someone ends it."""
        while not self.state.over:
            for name, effect in self._due().items():
                self.running[name] = asyncio.create_task(self._carry_out(name, effect))
            await workflow.wait_condition(lambda: self.state.over or bool(self._due()) or self._must_roll())
            if self._must_roll() and not self.state.over:
                await self._roll()

    async def _close(self) -> None:
        """Stop what the end made pointless, hand over what was merged, and answer everyone who is still asking.

        One of them may reopen the incident.
        """
        await self._stop_effects()
        if self.state.merged_into is not None:
            await workflow.execute_activity(
                lifecycle.hand_over_merged,
                lifecycle.MergeRequest(organization=self.state.organization, incident=self.state.id, into=self.state.merged_into),
                task_queue=queues.LIFECYCLE,
                start_to_close_timeout=TRY,
                retry_policy=PATIENT,
                summary="bring the people into the other incident",
            )
        await workflow.wait_condition(workflow.all_handlers_finished)

    def _must_roll(self) -> bool:
        info = workflow.info()
        is_long = info.is_continue_as_new_suggested() or info.get_current_history_length() > self.history_limit
        return is_long or self.engaging.is_outdated

    async def _roll(self) -> None:
        """Continue as new behind a gate. Effects may be stopped anywhere: the new run finds them due again in the state."""
        self.mailbox.rolling = True
        await self._stop_effects()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self.state.over:
            self.mailbox.rolling = False
            return
        workflow.continue_as_new(
            IncidentInput(
                state=self.state,
                evaluated_seq=self.engaging.evaluated_seq,
                welcomed_seq=self.welcomed_seq,
                asked=self.asked,
                told_seq=self.told_seq,
                history_limit=self.history_limit,
            )
        )

    # ── effects ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _due(self) -> dict[str, Effect]:
        """What the state calls for and nobody is doing yet, by name."""
        due: dict[str, Effect] = {
            f"resource:{kind}": lambda kind=kind: self._make(kind)  # type: ignore[misc]
            for kind in self.state.unsettled()
        }
        if self.state.commander is None or self.state.status.category is Category.REPORTED:
            due = ({} if self.engaging.is_first_release else due) | {"open": self._open}
        else:
            due |= self.engaging.due() | self._due_to_people()
        return {name: effect for name, effect in due.items() if name not in self.running}

    def _due_to_people(self) -> dict[str, Effect]:
        due = self._due_to_participants()
        if self._question() not in {None, self.asked}:
            due["ask"] = self._ask
        if self.state.hand_over_seq > self.told_seq:
            due["tell"] = self._tell
        return due

    def _due_to_participants(self) -> dict[str, Effect]:
        # A welcome carries the links and goes out in one wave, so it waits for both; but not for a service that is down.
        if self.state.awaited() or self.engaging.is_first_look:
            return {}
        if self._unwelcomed():
            return {"welcome": self._welcome}
        return {"complete": self._complete} if not self.state.opened and not self.state.unsettled() else {}

    async def _carry_out(self, name: str, effect: Effect) -> None:
        """Run one effect; one that fails beyond its retries, or by a bug, waits and is due again, and delays only itself."""
        try:
            await effect()
        except Exception as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.exception("an effect failed; it is tried again", extra={"effect": name})
            await workflow.sleep(_PARK, summary=f"{name} failed; try again")
        finally:
            del self.running[name]

    async def _stop_effects(self) -> None:
        # To cancel the start of a child is to cancel the child: its people would never be welcomed.
        await workflow.wait_condition(lambda: self.starting_notices == 0)
        while self.running:
            tasks = list(self.running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self) -> None:
        roles = await self.engaging.roles_for_opening()
        await self.mailbox.apply(ask.Open(command_id=f"open:{self.state.id}", roles=roles))

    async def _make(self, kind: ResourceKind) -> None:
        """Make one resource. After a first failure nobody waits for it; after two minutes it has failed, until retried."""
        seq = self.state.seq
        for patience, otherwise in ((FIRST_LOOK, ResourceState.PENDING), (_LAST_LOOK, ResourceState.FAILED)):
            resource = await self._try(kind, patience, otherwise)
            command_id = f"resource:{kind}:{seq}:{resource.state}"
            await self.mailbox.apply(ask.SetResource(command_id=command_id, resource=resource))
            if resource.state is not ResourceState.PENDING:
                return

    async def _try(self, kind: ResourceKind, patience: timedelta, otherwise: ResourceState) -> Resource:
        try:
            return await workflow.execute_activity(
                lifecycle.open_resource,
                lifecycle.ResourceRequest(organization=self.state.organization, incident=self.state.id, kind=kind),
                task_queue=queues.LIFECYCLE,
                start_to_close_timeout=FIRST_TRY if patience == FIRST_LOOK else TRY,
                schedule_to_close_timeout=patience,
                summary=kind.value,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            cause = error.cause if isinstance(error.cause, FailureError) else error
            return Resource(kind=kind, state=otherwise, reason=cause.message)

    def _unwelcomed(self) -> list[str]:
        people = self.state.participants.values()
        return [p.individual for p in people if p.engaged_seq > self.welcomed_seq and p.departed is None]

    async def _welcome(self) -> None:
        """Hand everyone who is new to one notification workflow; it goes on by itself, however long a provider is away."""
        new = self._unwelcomed()
        latest = max(self.state.participants[individual].engaged_seq for individual in new)
        summary = f"Welcome {len(new)} to INC-{self.state.reference}"
        await self._notify(notify.NoticeKind.WELCOME, "engaged", new, self._wave(latest), summary)
        self.welcomed_seq = latest

    def _question(self) -> str | None:
        """The question that the commander has to be asked, with whom it is put to: a new commander is asked as well."""
        until, commander = self.engaging.question, self.state.commander
        return None if until is None or commander is None else f"{notify.question_cause(until)}:{commander}"

    async def _ask(self) -> None:
        """Ask the commander who of a crowd comes in: once, however many evaluations add to it (E7)."""
        question, until, commander = self._question(), self.engaging.question, self.state.commander
        if question is None or until is None or commander is None:
            return
        summary = f"Ask the commander of INC-{self.state.reference} who comes in"
        await self._notify(notify.NoticeKind.QUESTION, notify.question_cause(until), [commander], question, summary)
        self.asked = question

    async def _tell(self) -> None:
        """Tell whoever was handed the command, with the note: once for each hand-over (E9)."""
        seq, commander = self.state.hand_over_seq, self.state.commander
        if commander is None:
            return
        summary = f"Tell the new commander of INC-{self.state.reference}"
        await self._notify(notify.NoticeKind.HAND_OVER, notify.hand_over_cause(seq), [commander], self._wave(seq), summary)
        self.told_seq = seq

    def _wave(self, seq: int) -> str:
        """The wave of what the event ``seq`` calls for: after a reopening it is another one, since the first may be under way."""
        return str(seq if self.engaging.is_first_release else max(seq, self.state.reopened_seq))

    async def _notify(self, kind: notify.NoticeKind, cause: str, recipients: list[str], wave: str, summary: str) -> None:
        notice = notify.NoticeInput(
            organization=self.state.organization,
            incident=self.state.id,
            kind=kind,
            cause=cause,
            recipients=tuple(recipients),
        )
        self.starting_notices += 1
        try:
            # A run that takes the place of a lost one may find its wave under way; one that ended is made again.
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await workflow.start_child_workflow(
                    notify.WORKFLOW,
                    notice,
                    id=notify.workflow_id(notice, wave),
                    task_queue=queues.NOTIFY,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                    static_summary=summary,
                )
        finally:
            self.starting_notices -= 1

    async def _complete(self) -> None:
        await self.mailbox.apply(ask.Complete(command_id=f"complete:{self.state.id}"))

    # ── updates ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> IncidentState:
        """The incident as of its last event."""
        return self.mailbox.state

    @workflow.update(name="edit", description="Change title, description, type, severity, priority, tags or visibility")
    async def edit(self, command: ask.Edit) -> Answer:
        """See ``decide``; so for all that follow."""
        return await self.mailbox.apply(command)

    @edit.validator
    def _check_edit(self, command: ask.Edit) -> None:
        self.mailbox.check(command)

    @workflow.update(name="change_status", description="Move the incident to another status")
    async def change_status(self, command: ask.ChangeStatus) -> Answer:
        """Also closes, declines, cancels, merges and reopens."""
        return await self.mailbox.apply(command)

    @change_status.validator
    def _check_change_status(self, command: ask.ChangeStatus) -> None:
        self.mailbox.check(command)

    @workflow.update(name="assign_commander", description="Make a participant the commander")
    async def assign_commander(self, command: ask.AssignCommander) -> Answer:
        """The present commander again is a no-op."""
        return await self.mailbox.apply(command)

    @assign_commander.validator
    def _check_assign_commander(self, command: ask.AssignCommander) -> None:
        self.mailbox.check(command)

    @workflow.update(name="add_participant", description="Bring a person in, by hand or by joining")
    async def add_participant(self, command: ask.Add) -> Answer:
        """Also brings back someone who went."""
        return await self.mailbox.apply(command)

    @add_participant.validator
    def _check_add_participant(self, command: ask.Add) -> None:
        self.mailbox.check(command)

    @workflow.update(name="leave", description="End a person's participation")
    async def leave(self, command: ask.Leave) -> Answer:
        """Left, removed, or not relevant."""
        return await self.mailbox.apply(command)

    @leave.validator
    def _check_leave(self, command: ask.Leave) -> None:
        self.mailbox.check(command)

    @workflow.update(name="answer_engagement", description="Say who comes in of a crowd that is held")
    async def answer_engagement(self, command: ask.AnswerEngagement) -> Answer:
        """All, some or nobody; who does not is left out by every match."""
        return await self.mailbox.apply(command)

    @answer_engagement.validator
    def _check_answer_engagement(self, command: ask.AnswerEngagement) -> None:
        self.mailbox.check(command)

    @workflow.update(name="retry_resource", description="Try again to make a resource that failed")
    async def retry_resource(self, command: ask.RetryResource) -> Answer:
        """The resource is pending again."""
        return await self.mailbox.apply(command)

    @retry_resource.validator
    def _check_retry_resource(self, command: ask.RetryResource) -> None:
        self.mailbox.check(command)

    @workflow.update(name="add_note", description="Write into the timeline")
    async def add_note(self, command: ask.AddNote) -> Answer:
        """A custom timeline entry."""
        return await self.mailbox.apply(command)

    @add_note.validator
    def _check_add_note(self, command: ask.AddNote) -> None:
        self.mailbox.check(command)

    @workflow.update(name="absorb", description="Take over the people of an incident merged into this one")
    async def absorb(self, command: ask.Absorb) -> Answer:
        """Comes from the merged incident, never from a person."""
        return await self.mailbox.apply(command)

    @absorb.validator
    def _check_absorb(self, command: ask.Absorb) -> None:
        self.mailbox.check(command)

    @workflow.update(name="catch_up", description="Take in what the event log has and this workflow has not")
    async def catch_up(self) -> Answer:
        """Asked for after a crash; changes nothing else."""
        return await self.mailbox.catch_up()
