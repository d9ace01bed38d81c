"""How words are compared (E2): as whole words, with case, width and punctuation ignored, by Unicode's rules.

A text is taken apart into grapheme clusters, each is normalised (NFKC, casefold, NFKC again), and words are runs of letters,
marks and digits. A token remembers where it stood in the text as it was written, so that evidence can point at it.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

import regex

MAX_PHRASE_WORDS: Final = 8
"""The longest phrase that can be a term, in words."""

_CLUSTER = regex.compile(r"\X")
# Underscore is punctuation to people ("credential_leak"), although \w takes it for a letter.
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
# Soft hyphens, joiners and the like are never seen, so they never part a word.
_INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")


class Token(NamedTuple):
    """One word: as it is compared, and the half-open span ``[start, end)`` of it in the original text."""

    text: str
    start: int
    end: int


class Phrase(NamedTuple):
    """Neighbouring words joined by one space, and the span they cover in the original text."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The words of a text, in order."""
    if text.isascii():
        return [Token(found.group(), found.start(), found.end()) for found in _WORD.finditer(text.lower())]
    folded: list[str] = []
    origin: list[tuple[int, int]] = []
    for cluster in _CLUSTER.finditer(text):
        plain = _fold(cluster.group())
        folded.append(plain)
        origin.extend([cluster.span()] * len(plain))
    return [
        Token(found.group(), origin[found.start()][0], origin[found.end() - 1][1]) for found in _WORD.finditer("".join(folded))
    ]


def normalise(text: str) -> str:
    """The form in which a phrase is stored and looked up; empty when the text has no word in it."""
    return " ".join(token.text for token in tokens(text))


def phrases(text: str, longest: int) -> Iterator[Phrase]:
    """Every run of one to ``longest`` neighbouring words of a text."""
    words = tokens(text)
    for first in range(len(words)):
        joined = ""
        for word in words[first : first + longest]:
            joined = f"{joined} {word.text}" if joined else word.text
            yield Phrase(joined, words[first].start, word.end)


def _fold(cluster: str) -> str:
    visible = _INVISIBLE.sub("", cluster)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
