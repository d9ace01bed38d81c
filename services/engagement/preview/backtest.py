"""Which incidents of the last days terms or a rule would have matched (E7).

Incidents are compared by what they say now: nobody wants to know what a typo that was corrected would have led to.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.desk.lookup import visible_to
from services.engagement.conditions.naming import Resolver, names
from services.engagement.preview.schemas import BackTest, MatchedIncident, PartView, Quote, TriedRule, Week
from services.engagement.preview.turns import in_thread, turn
from services.engagement.rules import evaluation
from services.kit.auth import Actor
from services.kit.clock import now
from services.store.incidents import Incident
from workflows.domain.attributes import Attributes, Choice
from workflows.domain.engagement import Evidence, Term, match
from workflows.domain.events import Visibility
from workflows.domain.policy import Action, ContactObject
from workflows.domain.rules import Attribute, Conditional, Facts, Part, judge, when_in_words
from workflows.domain.text import normalise

MAX_INCIDENTS: Final = 10_000
"""How many incidents are compared at most, the newest first."""
PATIENCE: Final = 5.0
"""For how many seconds further ones are compared: very long descriptions take their time."""
SHOWN: Final = 50
"""How many of those that match are shown."""
_BATCH: Final = 200
_AROUND: Final = 80
"""How many characters are shown around what matched."""


class _Past(NamedTuple):
    """An incident as it is compared."""

    id: str
    reference: int
    reported_at: datetime
    attributes: dict[str, Any]
    project: dict[str, Any]
    visibility: str


Compare = Callable[[_Past], MatchedIncident | None]
"""Answers how an incident is shown that would have matched."""


async def of_terms(
    session: AsyncSession, actor: Actor, phrases: Sequence[str], days: int, limit: int = MAX_INCIDENTS
) -> BackTest:
    """The incidents in which one of these terms occurs.

    A term that somebody sets for themselves opens no restricted incident, so to whoever is no administrator none counts.

    Raises:
        TooMany: see ``turn``.
    """
    vouched = actor.may(Action.EDIT_CONTACT, ContactObject())
    terms = [Term(id="", version=0, individual="", normalised=each) for each in dict.fromkeys(map(normalise, phrases))]

    def compare(past: _Past) -> MatchedIncident | None:
        if past.visibility == Visibility.RESTRICTED and not vouched:
            return None
        attributes = Attributes.model_validate(past.attributes)
        found = match(attributes, terms)
        return _shown(past, [_quote(piece, attributes) for piece in found[0].evidence], []) if found else None

    async with turn(actor):
        return await _back_test(session, actor, days, compare, limit)


async def of_rule(
    session: AsyncSession, actor: Actor, rule: TriedRule, days: int, at: str = "", limit: int = MAX_INCIDENTS
) -> BackTest:
    """The incidents in which a rule would hold, in today's order of severities and priorities.

    Raises:
        Forbidden: only administrators keep rules.
        Invalid: something it names is unknown, or it is too large to be read; paths begin with ``at``.
        TooMany: see ``turn``.
    """
    actor.require(Action.MANAGE_SETTINGS)
    resolver = Resolver(session)
    group = await resolver.when(rule.when, f"{at}when")
    await resolver.targets(rule.engage or [], f"{at}engage")
    resolver.require()
    called = await names(session, [group], ())
    tried = Conditional(id="", version=0, name="", when=group)
    ranks = await evaluation.ranks(session)

    def compare(past: _Past) -> MatchedIncident | None:
        attributes = Attributes.model_validate(past.attributes)
        facts = Facts.of(attributes, Choice.model_validate(past.project), Visibility(past.visibility), ranks)
        judged = judge(tried, facts)
        return _shown(past, [], [_part(each, called) for each in judged.parts]) if judged.holds else None

    async with turn(actor):
        return await _back_test(session, actor, days, compare, limit)


def _compare_until(end: float, pasts: Sequence[_Past], compare: Compare) -> tuple[int, list[MatchedIncident]]:
    """How many of these were compared by then, and those that match."""
    found: list[MatchedIncident] = []
    for number, past in enumerate(pasts):
        if monotonic() > end:
            return number, found
        if (shown := compare(past)) is not None:
            found.append(shown)
    return len(pasts), found


async def _back_test(session: AsyncSession, actor: Actor, days: int, compare: Compare, limit: int) -> BackTest:
    since = now() - timedelta(days=days)
    shown: list[MatchedIncident] = []
    weeks: Counter[date] = Counter()
    looked_at, end = 0, monotonic() + PATIENCE
    async for batch in _newest(session, actor, since, limit):
        compared, found = await in_thread(partial(_compare_until, end, batch, compare))
        looked_at += compared
        shown += found[: SHOWN - len(shown)]
        weeks.update(_week(each.reported_at) for each in found)
        if compared < len(batch):
            break
    return BackTest(
        since=since,
        looked_at=looked_at,
        truncated=await _is_more(session, actor, since, looked_at),
        count=weeks.total(),
        incidents=shown,
        weeks=[Week(begins=monday, count=weeks[monday]) for monday in _mondays(since, now())],
    )


async def _newest(session: AsyncSession, actor: Actor, since: datetime, limit: int) -> AsyncIterator[list[_Past]]:
    """The incidents since a moment that someone may see, the newest first, a batch at a time."""
    # Of the state only what is compared: that of a large incident has everyone in it.
    state = Incident.state
    query = (
        select(Incident.id, Incident.reference, Incident.reported_at, state["attributes"], state["project"], Incident.visibility)
        .where(visible_to(actor), Incident.reported_at >= since)
        .order_by(Incident.reported_at.desc(), Incident.id.desc())
    )
    position: tuple[datetime, str] | None = None
    while limit > 0:
        following = query if position is None else query.where(tuple_(Incident.reported_at, Incident.id) < position)
        batch = [_Past(*row) for row in await session.execute(following.limit(min(_BATCH, limit)))]
        if not batch:
            return
        yield batch
        limit -= len(batch)
        position = (batch[-1].reported_at, batch[-1].id)


async def _is_more(session: AsyncSession, actor: Actor, since: datetime, looked_at: int) -> bool:
    query = select(Incident.id).where(visible_to(actor), Incident.reported_at >= since)
    return await session.scalar(query.order_by(Incident.reported_at.desc()).offset(looked_at).limit(1)) is not None


def _shown(past: _Past, evidence: list[Quote], conditions: list[PartView]) -> MatchedIncident:
    return MatchedIncident(
        id=past.id,
        reference=f"INC-{past.reference}",
        title=past.attributes["title"],
        reported_at=past.reported_at,
        evidence=evidence,
        conditions=conditions,
    )


def _quote(piece: Evidence, attributes: Attributes) -> Quote:
    start, end = piece.start or 0, piece.end or 0
    text = next(text for name, text in attributes.texts() if name == piece.attribute and text[start:end].startswith(piece.text))
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    given = piece.model_dump() | {"id": None, "version": None}
    return Quote(
        **given,
        before=f"…{before}" if start > _AROUND else before,
        after=f"{after}…" if len(text) > end + _AROUND else after,
    )


def _part(part: Part, called: dict[str, str]) -> PartView:
    matched = [each for each in part.found if _makes_it_hold(each, part)]
    return PartView(
        asked=when_in_words(part.condition, called),
        found=[called.get(each, each) for each in part.found],
        matched=[called.get(each, each) for each in matched],
        holds=part.holds,
    )


def _makes_it_hold(found: str, part: Part) -> bool:
    """Whether this is what makes it hold: of several tags only those that are asked for."""
    return part.holds and (part.condition.attribute is not Attribute.TAG or normalise(found) in part.condition.values)


def _mondays(begin: datetime, end: datetime) -> Iterator[date]:
    first = _week(begin)
    for week in range((_week(end) - first).days // 7 + 1):
        yield first + timedelta(weeks=week)


def _week(moment: datetime) -> date:
    """The Monday of its week, in UTC."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())
