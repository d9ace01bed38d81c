"""How long a whole evaluation of 200 words takes, how it grows, and how long spaCy takes to match the same terms beside it.

Peers match with spaCy's PhraseMatcher, which is built from all terms: again for each evaluation, since terms change. It is also
measured built once. It only finds terms, in memory; Muster's evaluation reads the database, judges rules and says who comes in.
"""

import importlib
import importlib.util
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import select

from services.engagement.evaluation import evaluate
from services.engagement.targets import PROVIDERS
from services.store.contacts import TermRow
from tests.bench.stocked import HOLDING, Size, Stocked, stocked
from tests.bench.texts import HITS, text_of
from workflows.contracts.engagement import EvaluationRequest
from workflows.domain.attributes import Choice
from workflows.domain.events import Visibility

TARGET: Final = 1.5
"""The most that ten times as much of everything may take, in times of what the rest takes."""
WORDS: Final = 200
GROWN: Final = 10
_REBUILDS: Final = 3


@dataclass
class Found:
    """Median seconds: of evaluations, by what there is ten times as much of; of spaCy, rebuilt and built once, if it is there."""

    evaluation: dict[str, float] = field(default_factory=dict)
    spacy: str | None = None
    rebuilt: float = 0.0
    building: float = 0.0
    built: float = 0.0


def sizes(base: Size) -> dict[str, Size]:
    """The least, and what there is ten times as much of."""
    grown = {each: getattr(base, each) * GROWN for each in ("terms", "rules", "people")}
    return {"least": base} | {each: replace(base, **{each: number}) for each, number in grown.items()} | {"all": Size(**grown)}


async def compare(folder: Path, base: Size, repeats: int) -> Found:
    """All sizes in turns; then spaCy, rebuilt with the fewest terms and built once with the most."""
    prepared = {name: await stocked(folder, size) for name, size in sizes(base).items()}
    taken: dict[str, list[float]] = {name: [] for name in prepared}
    order = list(prepared)
    try:
        for _ in range(repeats + 1):
            # What ran just before is different each time: it leaves the processor's caches in its own favour.
            random.shuffle(order)
            for name in order:
                taken[name].append(await _evaluate(prepared[name]))
        # The first look opens connections and fills caches.
        found = Found({name: median(seconds[1:]) for name, seconds in taken.items()})
        if importlib.util.find_spec("spacy") is not None:
            await _beside(found, prepared["least"], prepared["all"], repeats)
    finally:
        for place in prepared.values():
            await place.database.close()
    return found


async def _evaluate(place: Stocked) -> float:
    request = EvaluationRequest(
        organization=place.organization,
        incident="-",
        attributes=text_of(WORDS, place.severity),
        attributes_seq=1,
        project=Choice(id="-", name="-"),
        visibility=Visibility.PUBLIC,
    )
    started = time.perf_counter()
    async with place.database.read(place.organization) as session:
        found, decision, _causes = await evaluate(session, request, PROVIDERS)
    seconds = time.perf_counter() - started
    pieces = sum(len(person.evidence) for person in found.matches)
    if pieces != len(HITS) + HOLDING:
        raise RuntimeError(f"{pieces} pieces of evidence instead of {len(HITS) + HOLDING}: {decision}")
    return seconds


async def _beside(found: Found, few: Stocked, many: Stocked, repeats: int) -> None:
    text = text_of(WORDS, few.severity).description
    found.spacy = importlib.import_module("spacy").__version__
    rebuilt = []
    for _ in range(min(repeats, _REBUILDS)):
        started = time.perf_counter()
        _match(*_build(await _phrases(few)), text)
        rebuilt.append(time.perf_counter() - started)
    found.rebuilt = median(rebuilt)
    phrases = await _phrases(many)
    started = time.perf_counter()
    language, matcher = _build(phrases)
    found.building = time.perf_counter() - started
    built = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        _match(language, matcher, text)
        built.append(time.perf_counter() - started)
    found.built = median(built[1:])


async def _phrases(place: Stocked) -> list[str]:
    async with place.database.read(place.organization) as session:
        return list(await session.scalars(select(TermRow.phrase)))


def _build(phrases: Iterable[str]) -> tuple[Any, Any]:
    language = importlib.import_module("spacy").blank("en")
    matcher = importlib.import_module("spacy.matcher").PhraseMatcher(language.vocab, attr="LOWER")
    matcher.add("term", list(language.tokenizer.pipe(phrases)))
    return language, matcher


def _match(language: Any, matcher: Any, text: str) -> None:
    found = len(matcher(language.make_doc(text)))
    if found != len(HITS):
        raise RuntimeError(f"spaCy: {found} hits instead of {len(HITS)}")
