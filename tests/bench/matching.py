"""How long matching takes, by the length of the text and the number of terms, for the same number of hits."""

import random
import time
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Final

from services.engagement.repository import find_terms
from tests.bench.stocked import Size, stocked
from tests.bench.texts import HITS, text_of
from workflows.domain.engagement import match
from workflows.domain.events import Visibility

TARGET: Final = 3.0
"""The most that a text of 200 words may take with the most terms, in times of what it takes with the fewest."""
WORDS: Final = (20, 200, 2_000)
PER_PERSON: Final = 10
"""Terms of one individual."""

Times = dict[tuple[int, int], float]
"""Median seconds, by words and terms."""


async def compare(folder: Path, sizes: tuple[int, ...], repeats: int) -> Times:
    """Every text against every database, in turns."""
    prepared = {terms: await stocked(folder, Size(terms, rules=0, people=terms // PER_PERSON)) for terms in sizes}
    taken: dict[tuple[int, int], list[float]] = {(words, size): [] for words in WORDS for size in sizes}
    order = list(taken)
    try:
        for _ in range(repeats + 1):
            # What ran just before is different each time: it leaves the processor's caches in its own favour.
            random.shuffle(order)
            for words, size in order:
                place = prepared[size]
                text = text_of(words, place.severity)
                started = time.perf_counter()
                async with place.database.read(place.organization) as session:
                    terms = await find_terms(session, text, Visibility.PUBLIC)
                    found = match(text, chain.from_iterable(terms.values()))
                taken[words, size].append(time.perf_counter() - started)
                hits = sum(len(person.evidence) for person in found)
                if hits != len(HITS):
                    raise RuntimeError(f"{words} words in {size} terms: {hits} hits instead of {len(HITS)}")
    finally:
        for place in prepared.values():
            await place.database.close()
    # The first look opens connections and fills caches.
    return {key: median(seconds[1:]) for key, seconds in taken.items()}
