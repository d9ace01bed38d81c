"""What pages show of a back-test (E7): the incidents with what matched, and how many there were each week."""

from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple

from pydantic import ValidationError

from services.engagement.preview import backtest
from services.engagement.preview.schemas import DAYS, BackTest, Quote, TriedRule, Week
from services.engagement.schemas import TermsBody
from services.kit.auth import Actor
from services.kit.errors import TooMany
from services.kit.routing import CurrentSession
from services.web.forms import at_fields, split
from services.web.render import Context

NOTHING: Final[Context] = {"tried": None}
"""What a page is given on which nothing was tried."""
QUOTES: Final = 3
"""How many pieces of evidence stand beside an incident."""
STEP, HEIGHT = 12, 60
"""How wide a week is in the chart, and how high the one with the most."""


class Bar(NamedTuple):
    """A week in the chart: where it begins, and how high it is."""

    label: str
    incidents: int
    x: int
    height: int


async def of_terms(session: CurrentSession, actor: Actor, terms: Sequence[str], *, saved: bool = False) -> Context:
    """Incidents in which one of these terms occurs. Where there are none and they were just ``saved``, nothing is to be told."""
    if saved and not terms:
        return NOTHING
    return await _context(backtest.of_terms(session, actor, terms, DAYS), saved)


async def of_form(session: CurrentSession, actor: Actor, text: str) -> tuple[Context, dict[str, str]]:
    """Incidents in which one of the terms occurs that a form has, one on each line; or what is wrong with them, at its field."""
    try:
        terms = TermsBody(terms=split(text, "\n")).terms
    except ValidationError as error:
        return NOTHING, at_fields(error)
    return await of_terms(session, actor, terms), {}


async def of_rule(session: CurrentSession, actor: Actor, rule: TriedRule, *, saved: bool = False) -> Context:
    """Incidents in which this rule would hold.

    Raises:
        Forbidden, Invalid: see ``backtest.of_rule``.
    """
    return await _context(backtest.of_rule(session, actor, rule, DAYS), saved)


async def _context(trying: Awaitable[BackTest], saved: bool) -> Context:
    try:
        found = await trying
    except TooMany:
        if saved:
            # That it was saved is told all the same.
            return NOTHING
        raise
    incidents = [
        dict(each) | {"quotes": [_quote(piece) for piece in each.evidence[:QUOTES]], "more": len(each.evidence[QUOTES:])}
        for each in found.incidents
    ]
    chart = {"bars": _bars(found.weeks), "width": STEP * len(found.weeks), "height": HEIGHT, "bar": STEP - 2}
    return {"tried": dict(found) | {"days": DAYS, "saved": saved, "incidents": incidents, "chart": chart}}


def _quote(piece: Quote) -> Context:
    """A piece of evidence whose value is only what stands around it."""
    start = len(piece.before)
    return dict(piece) | {"value": piece.before + piece.text + piece.after, "start": start, "end": start + len(piece.text)}


def _bars(weeks: Sequence[Week]) -> list[Bar]:
    most = max([1, *(week.count for week in weeks)])
    return [
        Bar(f"{week.begins.day} {week.begins:%b}", week.count, STEP * n, round(HEIGHT * week.count / most))
        for n, week in enumerate(weeks)
    ]
