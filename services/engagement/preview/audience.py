"""Whom an edit or a report would bring in, and why, by the same evaluation that will do it (E7)."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.desk import permission
from services.desk.choices import SETTINGS, pick_project, pick_settings, unknown
from services.desk.lookup import Person, find_incident, people
from services.desk.schemas import IncidentEdit
from services.engagement.evaluation import evaluate
from services.engagement.preview.schemas import Addition, Audience, TriedReport
from services.engagement.preview.turns import turn
from services.engagement.roles.evaluation import choose_roles
from services.engagement.targets import PROVIDERS
from services.kit.auth import Actor
from services.kit.errors import Invalid
from services.store.organizations import Project
from workflows.contracts.engagement import EvaluationRequest
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Match, Roles, merged
from workflows.domain.events import Visibility
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Action

SHOWN: Final = 100
"""How many people are shown."""
MAX_PAGES: Final = 4
"""How many pages of an evaluation are asked for."""
UNTITLED: Final = "…"
"""The title of a report that has none yet: there is no word in it."""
_NO_ROLES: Final = Roles()
_NOBODY: Final = Audience(count=0, truncated=False, people=[], unanswered=[], asks_first=False, already_asked=0)


async def of_edit(session: AsyncSession, actor: Actor, reference: str, changes: IncidentEdit, at: str = "") -> Audience:
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
    given |= await _picked(session, changes.model_dump(include=set(SETTINGS), exclude_none=True), None, at)
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
        return await _audience(session, request, apart_from=state.participants.keys(), already_asked=asked)


async def of_report(session: AsyncSession, actor: Actor, report: TriedReport) -> Audience:
    """Whom a report would engage and the role policies choose, apart from its reporter, who is in it anyway.

    Raises:
        Invalid: something is unknown in this organization.
        TooMany: see ``turn``.
    """
    project = await pick_project(session, report.project)
    if project is None:
        raise Invalid("Some fields are not valid.", errors=[unknown("project", report.project)])
    given = report.model_dump(exclude_none=True, include={"title", "description", "tags"})
    picked = await _picked(session, report.model_dump(include=set(SETTINGS)), project)
    where = Choice(id=project.id, name=project.name)
    request = EvaluationRequest(
        organization=actor.organization,
        incident="",
        attributes=Attributes.model_validate({"title": UNTITLED} | given | picked),
        attributes_seq=0,
        project=where,
        visibility=report.visibility or Visibility.PUBLIC,
    )
    async with turn(actor):
        roles = (await choose_roles(session, request.attributes, where, request.visibility, PROVIDERS)).roles
        return await _audience(session, request, roles, apart_from=[actor.individual])


async def _audience(
    session: AsyncSession,
    request: EvaluationRequest,
    roles: Roles = _NO_ROLES,
    *,
    apart_from: Collection[str],
    already_asked: int = 0,
) -> Audience:
    chosen = [*([roles.commander] if roles.commander else []), *roles.others]
    opening = {each.individual: each for each in merged(chosen) if each.individual not in apart_from}
    waiting = list(roles.waiting)
    matches: dict[str, Match] = {}
    after: str | None = None
    for _ in range(MAX_PAGES):
        page, _record, _causes = await evaluate(session, request.model_copy(update={"after": after}), PROVIDERS)
        matches |= {each.individual: each for each in page.matches if each.individual not in apart_from}
        waiting += page.waiting
        if (after := page.after) is None:
            break
    everyone = {each.individual: each for each in merged([*opening.values(), *matches.values()])}
    # Whom a policy chose is in by the time that Muster looks for a crowd.
    crowd = matches.keys() - opening.keys()
    known = await people(session, everyone)
    names = sorted(known, key=lambda person: (known[person].name.casefold(), person))
    return Audience(
        count=len(everyone),
        truncated=after is not None,
        people=[_addition(everyone[person], known) for person in names[:SHOWN]],
        unanswered=list({each.service.id: each.service for each in waiting}.values()),
        asks_first=len(crowd) > page.limit or (already_asked > 0 and len(crowd) > 0),
        already_asked=already_asked,
    )


async def _picked(
    session: AsyncSession, wanted: Mapping[str, str | None], project: Project | None, at: str = ""
) -> dict[str, Choice]:
    picked, faults = await pick_settings(session, wanted, project, at)
    if faults:
        raise Invalid("Some fields are not valid.", errors=faults)
    return picked


def _addition(match: Match, known: Mapping[str, Person]) -> Addition:
    return Addition(individual=known[match.individual], roles=list(match.roles), evidence=list(match.evidence))
