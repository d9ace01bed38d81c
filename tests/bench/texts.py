"""What an incident says, with the same few terms in it however long it is."""

import random
from typing import Final

from workflows.domain.attributes import MAX_DESCRIPTION, Attributes, Choice

HITS: Final = ("disk", "login", "payment", "certificate", "dns", "disk full", "login page", "payment gateway", "dns zone lost")
"""The terms that every text contains, each once: words alone and phrases of up to three words."""
TAG: Final = "telling"
_TELLING: Final = "disk full login page payment gateway certificate dns zone lost"
_SYLLABLES: Final = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za")


def text_of(words: int, severity: Choice) -> Attributes:
    """A text that contains exactly the terms of ``HITS``; its other words are the beginnings of many a term."""
    telling = _TELLING.split()
    chooser = random.Random(words)  # noqa: S311  (nothing secret)
    rest = [word(chooser.randrange(4_096)) for _ in range(words - len(telling))]
    middle = len(rest) // 2
    description = " ".join([*rest[:middle], *telling, *rest[middle:]])
    assert len(description) <= MAX_DESCRIPTION
    other = Choice(id="-", name="-")
    return Attributes(title="-", description=description, type=other, severity=severity, priority=other, tags=(TAG,))


def word(number: int) -> str:
    """One of 4,096 words."""
    return "".join(_SYLLABLES[number >> shift & 15] for shift in (8, 4, 0))


def phrase(number: int) -> str:
    """A term that begins with words of the texts but ends with a number, so that it occurs in none."""
    return f"{word(number >> 8 & 4_095)} {word(number >> 4 & 4_095)} {number}"
