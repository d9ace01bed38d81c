"""What the engagement worker does for an incident's workflow."""

from collections.abc import Mapping
from datetime import datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from services.engagement import evaluation
from services.engagement.decision import DecisionRecord
from services.engagement.oncall.provider import OnCallProvider, ProviderFailed
from services.engagement.roles.evaluation import choose_late, choose_roles
from services.engagement.targets import PATIENCE, PROVIDERS, resolve
from services.kit.clock import now
from services.kit.database import Database
from services.store import event_log
from services.store.incidents import EvaluationRow, RoleDecisionRow
from services.store.matches import note_matches
from services.store.teams import OnCallService
from workflows.contracts.engagement import (
    Evaluation,
    EvaluationRequest,
    OnCall,
    OnCallRequest,
    Recalled,
    RecallRequest,
    RolesRequest,
)
from workflows.domain.engagement import Match, Roles
from workflows.domain.rules import Target, TargetKind


class EngagementActivities:
    """The activities, with the database they use, and who tells who is on call."""

    def __init__(self, database: Database, providers: Mapping[str, OnCallProvider] = PROVIDERS) -> None:
        self._database = database
        self._providers = providers

    @activity.defn(name="engagement.evaluate")
    async def evaluate(self, request: EvaluationRequest) -> Evaluation:
        """Find whom the attributes engage and who is new to the incident: a match adds only, and once (E4, E5, E7)."""
        at = now()
        async with self._database.read(request.organization) as session:
            page, record, causes = await evaluation.evaluate(session, request, self._providers, at)
        complete = page.after is None
        row = EvaluationRow(
            incident_id=request.incident,
            organization_id=request.organization,
            at=at,
            attributes_seq=request.attributes_seq,
            matched=request.found + len(page.matches),
            complete=complete,
            decision=record.model_dump(mode="json"),
        )
        async with self._database.write(request.organization) as session:
            # A repeated try is another look, with a record of its own: whichever answer counts, its evidence names the right one.
            session.add(row)
            if complete:
                await note_matches(session, request.incident, causes, at)
        return page

    @activity.defn(name="engagement.choose_roles")
    async def choose_roles(self, request: RolesRequest) -> Roles:
        """Ask the role policies who commands, and who has which role (E9)."""
        at = now()
        async with self._database.read(request.organization) as session:
            chosen = await choose_roles(session, request.attributes, request.project, request.visibility, self._providers)
        await self._keep(request.organization, request.incident, at, chosen.record)
        return chosen.roles

    @activity.defn(name="engagement.resolve_on_call")
    async def resolve_on_call(self, request: OnCallRequest) -> OnCall:
        """Ask an on-call service (E10), or the role policies that wait for it (E9).

        Raises:
            ApplicationError: ``OnCallUnknown``, it cannot tell now, for this reason; ``UnknownService``, it is no longer in use.
        """
        waiting = request.waiting
        if waiting.by_policy:
            return await self._choose_late(request)
        target = Target(kind=TargetKind.ONCALL, id=waiting.service.id)
        async with self._database.read(request.organization) as session:
            service = await session.get(OnCallService, target.id)
            if service is None or not service.active:
                message = f"The on-call service “{waiting.service.name}” is no longer in use."
                raise ApplicationError(message, type="UnknownService", non_retryable=True)
            resolved = await resolve(session, [target], now(), self._providers, PATIENCE)
        if target.id in resolved.failed:
            raise _unknown(resolved.failed[target.id])
        people = resolved.people[target]
        return OnCall(matches=tuple(Match(individual=each, evidence=waiting.evidence, roles=(waiting.role,)) for each in people))

    async def _choose_late(self, request: OnCallRequest) -> OnCall:
        at = now()
        try:
            async with self._database.read(request.organization) as session:
                on_call, record = await choose_late(session, request.incident, request.waiting, self._providers)
        except ProviderFailed as error:
            raise _unknown(error.reason) from error
        await self._keep(request.organization, request.incident, at, record)
        return on_call

    async def _keep(self, organization: str, incident: str, at: datetime, record: DecisionRecord | None) -> None:
        if record is None:
            return
        kept = record.model_dump(mode="json")
        async with self._database.write(organization) as session:
            session.add(RoleDecisionRow(organization_id=organization, incident_id=incident, at=at, decision=kept))

    @activity.defn(name="engagement.recall")
    async def recall(self, request: RecallRequest) -> Recalled:
        """Read from the log why people match who were held."""
        async with self._database.read(request.organization) as session:
            matches = await event_log.held(session, request.incident, {request.seq})
        return Recalled(matches=matches)


def _unknown(reason: str) -> ApplicationError:
    # It is expected, and asked again: no fault of Muster's that its log should tell with a traceback.
    return ApplicationError(reason, type="OnCallUnknown", category=ApplicationErrorCategory.BENIGN)
