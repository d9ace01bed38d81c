"""How long matching takes, by the length of the text and the number of terms, for the same number of hits."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from services.accounts.organizations import Organizations
from services.engagement.repository import find_terms
from services.kit.clock import now
from services.kit.database import Database, sqlite_url
from services.store import schema
from workflows.domain.attributes import MAX_DESCRIPTION, Attributes, Choice
from workflows.domain.engagement import match
from workflows.domain.events import Visibility

TARGET: Final = 3.0
"""The most that a text of 200 words may take with the most terms, in times of what it takes with the fewest."""
WORDS: Final = (20, 200, 2_000)
PER_PERSON: Final = 10
"""Terms of one individual."""
HITS: Final = ("disk", "login", "payment", "certificate", "dns", "disk full", "login page", "payment gateway", "dns zone lost")
"""The terms that every text contains, each once: words alone and phrases of up to three words."""
_TELLING: Final = "disk full login page payment gateway certificate dns zone lost"
_SYLLABLES: Final = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za")

Times = dict[tuple[int, int], float]
"""Median seconds, by words and terms."""


def text_of(words: int) -> Attributes:
    """A text that contains exactly the terms of ``HITS``; its other words are the beginnings of many a term."""
    telling = _TELLING.split()
    chooser = random.Random(words)  # noqa: S311  (nothing secret)
    rest = [_word(chooser.randrange(4_096)) for _ in range(words - len(telling))]
    middle = len(rest) // 2
    description = " ".join([*rest[:middle], *telling, *rest[middle:]])
    assert len(description) <= MAX_DESCRIPTION
    other = Choice(id="-", name="-")
    return Attributes(title="-", description=description, type=other, severity=other, priority=other)


def _word(number: int) -> str:
    return "".join(_SYLLABLES[number >> shift & 15] for shift in (8, 4, 0))


async def prepare(folder: Path, terms: int) -> tuple[Database, str]:
    """A database with this many terms; answers it with its organization."""
    path = folder / f"terms-{terms}.db"
    database = Database(sqlite_url(path))
    await schema.upgrade(database)
    await Organizations(database).begin()
    # The journal can be changed only while nobody else is connected; Muster changes it back.
    await database.engine.dispose()
    organization = await asyncio.to_thread(_fill, path, terms)
    return database, organization


def _fill(path: Path, terms: int) -> str:
    """In the order of the indexes, without waiting for the disk: a million terms take seconds."""
    with sqlite3.connect(path) as connection:
        for pragma in ("journal_mode=MEMORY", "synchronous=OFF", "cache_size=-200000"):
            connection.execute(f"PRAGMA {pragma}")
        organization = str(connection.execute("SELECT id FROM organizations").fetchone()[0])
        made = now().isoformat(sep=" ")
        connection.executemany(
            "INSERT INTO individuals"
            " (id, organization_id, name, email, email_folded, words, created_at, kind, active, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'person', 1, 1)",
            (
                (_id(number), organization, name := f"Person {number:07}", email := f"{number}@example.org", email, name, made)
                for number in range(-(-terms // PER_PERSON))
            ),
        )
        connection.executemany(
            "INSERT INTO terms (id, organization_id, individual_id, phrase, normalised, words, self_set, version, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, 1, ?)",
            (
                (_id(number), organization, _id(number // PER_PERSON), phrase, phrase, phrase.count(" ") + 1, made)
                for number, phrase in enumerate(_phrases(terms))
            ),
        )
    return organization


def _phrases(terms: int) -> Iterator[str]:
    """The telling ones here and there among others, which begin with words of the texts but end with a number."""
    hits = iter(HITS)
    for number in range(terms):
        if number % (terms // len(HITS)) == 0 and (hit := next(hits, None)) is not None:
            yield hit
        else:
            yield f"{_word(number >> 8 & 4_095)} {_word(number >> 4 & 4_095)} {number}"


def _id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"


async def compare(folder: Path, sizes: tuple[int, ...], repeats: int) -> Times:
    """Every text against every database, in turns."""
    prepared = {size: await prepare(folder, size) for size in sizes}
    texts = {words: text_of(words) for words in WORDS}
    taken: dict[tuple[int, int], list[float]] = {(words, size): [] for words in WORDS for size in sizes}
    order = list(taken)
    try:
        for _ in range(repeats + 1):
            # What ran just before is different each time: it leaves the processor's caches in its own favour.
            random.shuffle(order)
            for words, size in order:
                database, organization = prepared[size]
                started = time.perf_counter()
                async with database.read(organization) as session:
                    found = match(texts[words], await find_terms(session, texts[words], Visibility.PUBLIC))
                taken[words, size].append(time.perf_counter() - started)
                hits = sum(len(person.evidence) for person in found)
                if hits != len(HITS):
                    raise RuntimeError(f"{words} words in {size} terms: {hits} hits instead of {len(HITS)}")
    finally:
        for database, _ in prepared.values():
            await database.close()
    # The first look opens connections and fills caches.
    return {key: median(seconds[1:]) for key, seconds in taken.items()}
