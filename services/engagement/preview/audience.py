"""Whom an edit or a report would bring in, and why, by the same evaluation that will do it (E7)."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import permission
from services.desk.choices import pick_project, pick_setting
from services.desk.lookup import Person, find_incident, people
from services.engagement.evaluation import evaluate
from services.engagement.preview.schemas import Addition, Audience, TriedChanges, TriedReport
from services.engagement.preview.turns import turn
from services.engagement.targets import PROVIDERS
from services.kit.auth import Actor
from services.kit.errors import FieldError, Invalid
from services.store.organizations import Project
from workflows.contracts.engagement import EvaluationRequest
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Match
from workflows.domain.events import Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Action

SHOWN: Final = 100
"""How many people are shown."""
MAX_PAGES: Final = 4
"""How many pages of an evaluation are asked for."""
UNTITLED: Final = "…"
"""The title of a report that has none yet: there is no word in it."""
_NOBODY: Final = Audience(count=0, truncated=False, people=[], unanswered=[], asks_first=False, already_asked=0)
_CHOSEN: Final = ("type", "severity", "priority")


async def of_edit(session: AsyncSession, actor: Actor, reference: str, changes: TriedChanges, at: str = "") -> Audience:
    """Whom an incident would engage with these changes, apart from everyone who is or was in; nobody once it is over.

    Raises:
        NotFound: no such incident for this actor. Forbidden: they may not make these changes.
        Invalid: something is unknown in this organization; below the path ``at``.
        TooMany: see ``turn``.
    """
    state = IncidentState.model_validate((await find_incident(session, actor, reference)).state)
    stays = changes.visibility in {None, state.visibility}
    await permission.require(session, actor, Action.EDIT if stays else Action.CHANGE_VISIBILITY, state)
    given = changes.model_dump(exclude_none=True, exclude={"visibility"})
    given |= await _chosen(session, changes, [name for name in _CHOSEN if name in given], at)
    if state.over:
        return _NOBODY
    request = EvaluationRequest(
        organization=actor.organization,
        incident=state.id,
        attributes=Attributes.model_validate(dict(state.attributes) | given),
        attributes_seq=state.attributes_seq,
        project=state.project,
        visibility=changes.visibility or state.visibility,
    )
    # Restricting it ends the question: whom it is asked about was found for everyone's eyes.
    asked = len(state.asked()) if stays or request.visibility is Visibility.PUBLIC else 0
    async with turn(actor):
        return await _audience(session, request, already_asked=asked)


async def of_report(session: AsyncSession, actor: Actor, report: TriedReport) -> Audience:
    """Whom a report would engage, apart from its reporter, who is in it anyway.

    Raises:
        Invalid: something is unknown in this organization.
        TooMany: see ``turn``.
    """
    project = await pick_project(session, report.project)
    if project is None:
        raise Invalid("Some fields are not valid.", errors=[_unknown("project", report.project)])
    given = report.model_dump(exclude_none=True, include={"title", "description", "tags"})
    chosen = await _chosen(session, report, _CHOSEN, "", project)
    request = EvaluationRequest(
        organization=actor.organization,
        incident="",
        attributes=Attributes.model_validate({"title": UNTITLED} | given | chosen),
        attributes_seq=0,
        project=Choice(id=project.id, name=project.name),
        visibility=report.visibility or Visibility.PUBLIC,
    )
    async with turn(actor):
        return await _audience(session, request, apart_from=actor.individual)


async def _audience(session: AsyncSession, request: EvaluationRequest, apart_from: str = "", already_asked: int = 0) -> Audience:
    matches: dict[str, Match] = {}
    after: str | None = None
    for _ in range(MAX_PAGES):
        page, _record, _causes = await evaluate(session, request.model_copy(update={"after": after}), PROVIDERS)
        matches |= {each.individual: each for each in page.matches if each.individual != apart_from}
        if (after := page.after) is None:
            break
    known = await people(session, matches)
    names = sorted(known, key=lambda person: (known[person].name.casefold(), person))
    return Audience(
        count=len(matches),
        truncated=after is not None,
        people=[_addition(matches[person], known) for person in names[:SHOWN]],
        unanswered=list({each.service.id: each.service for each in page.waiting}.values()),
        asks_first=len(matches) > page.limit or (already_asked > 0 and len(matches) > 0),
        already_asked=already_asked,
    )


async def _chosen(
    session: AsyncSession, given: TriedChanges, kinds: Sequence[str], at: str, project: Project | None = None
) -> dict[str, Choice]:
    """The entries that are named; where none is, the project's default."""
    found = {kind: await pick_setting(session, kind, getattr(given, kind), project) for kind in kinds}
    faults = [_unknown(kind, getattr(given, kind), at) for kind, entry in found.items() if entry is None]
    if faults:
        raise Invalid("Some fields are not valid.", errors=faults)
    return {kind: entry for kind, entry in found.items() if entry is not None}


def _unknown(kind: str, wanted: str | None, at: str = "") -> FieldError:
    message = f"There is no {kind} “{wanted}” in this organization."
    return FieldError(field=f"{at}.{kind}" if at else kind, code="unknown", message=message)


def _addition(match: Match, known: Mapping[str, Person]) -> Addition:
    return Addition(individual=known[match.individual], roles=list(match.roles), evidence=list(match.evidence))
