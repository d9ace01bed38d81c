"""What the engagement worker does for an incident's workflow."""

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from services.engagement import repository
from services.kit.clock import now
from services.kit.database import Database
from services.store.incidents import EvaluationRow
from workflows.contracts.engagement import Evaluation, EvaluationRequest


class EngagementActivities:
    """The activities, with the database they use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="engagement.evaluate")
    async def evaluate(self, request: EvaluationRequest) -> Evaluation:
        """Find whom the attributes engage. Those who are or were in are left out: a match adds only, and once (E4, E5)."""
        async with self._database.read(request.organization) as session:
            matches = await repository.find_matches(session, request.attributes)
            known = await repository.participant_ids(session, request.incident) if matches else set()
        new = tuple(person for person in matches if person.individual not in known)
        async with self._database.write(request.organization) as session:
            await _note(session, request, len(new))
        return Evaluation(matches=new)


async def _note(session: AsyncSession, request: EvaluationRequest, matched: int) -> None:
    row = EvaluationRow(
        incident_id=request.incident,
        organization_id=request.organization,
        attributes_seq=request.attributes_seq,
        at=now(),
        matched=matched,
    )
    # A repeated try replaces its own note.
    await session.merge(row)
