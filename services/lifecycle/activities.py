"""What the lifecycle worker does for an incident's workflow."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.exceptions import ApplicationError

from services.kit.database import Database
from services.lifecycle.resources import ResourceProvider
from services.store import event_log
from services.store.incidents import Incident
from services.store.organizations import Organization
from workflows.contracts.lifecycle import Appended, AppendRequest, MergeRequest, ResourceRequest
from workflows.domain.commands import Absorb
from workflows.domain.engagement import Evidence, EvidenceKind, Match, Waiting
from workflows.domain.errors import Refused
from workflows.domain.events import Resource, ResourceKind, ResourceState
from workflows.domain.incident import IncidentState
from workflows.gateway import IncidentGateway, NotRunning

PAGE_PEOPLE: Final = 500
"""How many people one command hands over."""


class LifecycleActivities:
    """The activities, with what they use."""

    def __init__(
        self, database: Database, incidents: IncidentGateway, providers: Mapping[ResourceKind, ResourceProvider]
    ) -> None:
        self._database = database
        self._incidents = incidents
        self._providers = providers

    @activity.defn(name="lifecycle.append_events")
    async def append_events(self, request: AppendRequest) -> Appended:
        """Append to the log, with the projections, in one transaction; what others appended meanwhile is answered instead."""
        try:
            async with self._database.write(request.organization) as session:
                events = await event_log.append(session, request.incident, request.expected_seq, request.drafts)
        except (DataError, IntegrityError, ProgrammingError) as error:
            # It would fail every time: answer the caller, rather than block the incident.
            raise ApplicationError(
                f"the log refused the events: {type(error).__name__}", type="AppendFailed", non_retryable=True
            ) from error
        return Appended(events=tuple(events))

    @activity.defn(name="lifecycle.open_resource")
    async def open_resource(self, request: ResourceRequest) -> Resource:
        """Make one resource, or find the one that an earlier try made."""
        provider = self._providers.get(request.kind)
        if provider is None:
            return Resource(kind=request.kind, state=ResourceState.NOT_CONFIGURED)
        async with self._database.read(request.organization) as session:
            organization = await session.get_one(Organization, request.organization)
            incident = await session.get_one(Incident, request.incident)
        return await provider.open(organization.slug, IncidentState.model_validate(incident.state))

    @activity.defn(name="lifecycle.hand_over_merged")
    async def hand_over_merged(self, request: MergeRequest) -> None:
        """Bring those who are in a merged incident, or were called into it, into the other one.

        They come page by page: a thousand people are much for one command, and a page that was taken is not taken again.
        """
        async with self._database.read(request.organization) as session:
            merged = IncidentState.model_validate((await session.get_one(Incident, request.incident)).state)
            target = await _at_the_end(session, request.into)
        matches = _handed_over(merged)
        for begin in range(0, len(matches) or 1, PAGE_PEOPLE):
            command = Absorb(
                command_id=f"absorb:{merged.id}:{merged.seq}:{begin}",
                incident=merged.id,
                reference=merged.reference,
                matches=matches[begin : begin + PAGE_PEOPLE],
                waiting=_waited_for(merged),
            )
            if not await self._absorb(target, command):
                return

    async def _absorb(self, target: IncidentState, command: Absorb) -> bool:
        """Give the command; answers whether the incident can take more of them."""
        try:
            await self._incidents.command(target.id, command)
        except NotRunning:
            await self._incidents.wake(target, command)
        except Refused:
            # The other incident ended meanwhile; the merged one's record says where it went.
            activity.logger.warning("the incident merged into is over", extra={"incident": target.id})
            return False
        return True


def _handed_over(merged: IncidentState) -> tuple[Match, ...]:
    inside = sorted(person for person in merged.participants if merged.present(person))
    said = [*(("in", person) for person in inside), *(("called into", person) for person in sorted(merged.called()))]
    return tuple(Match(individual=person, evidence=_evidence(how, merged), roles=("participant",)) for how, person in said)


def _waited_for(merged: IncidentState) -> tuple[Waiting, ...]:
    """The on-call services that what matched waits for: for roles, the other incident has asked its own policies."""
    return tuple(
        each.model_copy(update={"evidence": _evidence(f"on call for {each.service.name}, awaited in", merged)})
        for each in merged.waiting
        if not each.by_policy
    )


def _evidence(how: str, merged: IncidentState) -> tuple[Evidence, ...]:
    return (Evidence(kind=EvidenceKind.MANUAL, text=f"{how} INC-{merged.reference}, which was merged into this incident"),)


async def _at_the_end(session: AsyncSession, incident: str) -> IncidentState:
    """The incident, or the one it was merged into itself meanwhile, and so on."""
    passed: set[str] = set()
    while True:
        state = IncidentState.model_validate((await session.get_one(Incident, incident)).state)
        if state.merged_into is None or state.merged_into in passed:
            return state
        passed.add(incident)
        incident = state.merged_into
