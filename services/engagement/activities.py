"""What the engagement worker does for an incident's workflow."""

import asyncio
from collections.abc import Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from services.engagement import repository
from services.kit.clock import now
from services.kit.database import Database
from services.store.incidents import EvaluationRow
from workflows.contracts.engagement import Evaluation, EvaluationRequest
from workflows.domain.attributes import Attributes
from workflows.domain.engagement import Match, Term, match

PAGE_PEOPLE: Final = 500
PAGE_BYTES: Final = 250_000
"""How large a page may become: the event that engages it has to pass through Temporal, which takes two megabytes."""


class EngagementActivities:
    """The activities, with the database they use."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="engagement.evaluate")
    async def evaluate(self, request: EvaluationRequest) -> Evaluation:
        """Find whom the attributes engage. Those who are or were in are left out: a match adds only, and once (E4, E5)."""
        async with self._database.read(request.organization) as session:
            terms = await repository.find_terms(session, request.attributes, request.visibility, request.after or "")
            known = await repository.participant_ids(session, request.incident) if terms else set()
        terms = [term for term in terms if term.individual not in known]
        page = await asyncio.to_thread(_page, request.attributes, terms)
        if page.after is None:
            async with self._database.write(request.organization) as session:
                await _note(session, request, request.found + len(page.matches))
        return page


def _page(attributes: Attributes, terms: Iterable[Term]) -> Evaluation:
    people: dict[str, list[Term]] = {}
    for term in terms:
        people.setdefault(term.individual, []).append(term)
    first = sorted(people)[:PAGE_PEOPLE]
    matches = match(attributes, (term for person in first for term in people[person]))
    fitting = matches[: _fitting(matches)]
    return Evaluation(matches=tuple(fitting), after=fitting[-1].individual if len(fitting) < len(people) else None)


def _fitting(matches: list[Match]) -> int:
    size = 0
    for number, person in enumerate(matches):
        size += len(person.model_dump_json().encode())
        if size > PAGE_BYTES:
            return number
    return len(matches)


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
