"""How words are compared (E2): as whole words, with case, width and punctuation ignored, by Unicode's rules.

A text is taken apart into grapheme clusters, each is normalised (NFKC, casefold, NFKC again), and words are runs of letters,
marks and digits. A token remembers where it stood in the text as it was written, so that evidence can point at it.
"""

import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import regex

MAX_PHRASE_WORDS: Final = 8
"""The longest phrase that can be a term, in words."""

_MAX_MARKS: Final = 30
"""As many marks as any language puts on a letter (the limit of Unicode's stream-safe text); sorting thousands takes seconds."""

_MAX_GROWN: Final = 20_000
"""By how many characters a text gets longer at most: some stand for eighteen, and a row of them would take as long as a book."""

_CLUSTER = regex.compile(r"\X")
# The last two are letters that turn into marks.
_EXCESS = regex.compile(rf"([\p{{M}}ﾞﾟ]{{{_MAX_MARKS}}})[\p{{M}}ﾞﾟ]+")
# The letters of flags are symbols, never part of a word; a long row of them is very slow to take apart into clusters.
_FLAGS: Final = dict.fromkeys(range(0x1F1E6, 0x1F200), " ")
# Underscore is punctuation to people ("credential_leak"), although \w takes it for a letter. And a word does not begin with
# a mark: the accents that people use as quotes (´leak´) come apart into a space and a mark.
_WORD = regex.compile(r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*")
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
    grown = 0
    for cluster in _CLUSTER.finditer(text.translate(_FLAGS)):
        plain = _fold(cluster.group())
        if (more := len(plain) - len(cluster.group())) > 0 and (grown := grown + more) > _MAX_GROWN:
            # What is ordinary still counts, however many of these stand before it.
            plain = " "
        folded.append(plain)
        origin.extend([cluster.span()] * len(plain))
    return [
        # Again, since what an invisible character kept apart is together now.
        Token(_compose(found.group()), origin[found.start()][0], origin[found.end() - 1][1])
        for found in _WORD.finditer("".join(folded))
    ]


def normalise(text: str) -> str:
    """The form in which a phrase is stored and looked up; empty when the text has no word in it."""
    return " ".join(token.text for token in tokens(text))


def phrases(text: str, longest: int) -> Iterator[Phrase]:
    """Every run of one to ``longest`` neighbouring words of a text.

    One character can stand for two words (½ is "1 2"); a phrase holds both or neither, so that its span reads as the phrase.
    """
    words = tokens(text)
    starts_apart = [True, *(word.start >= before.end for before, word in pairwise(words))]
    ends_apart = [*starts_apart[1:], True]
    for first in range(len(words)):
        joined = ""
        for last in range(first, min(first + longest, len(words))):
            joined = f"{joined} {words[last].text}" if joined else words[last].text
            if starts_apart[first] and ends_apart[last]:
                yield Phrase(joined, words[first].start, words[last].end)


def _fold(cluster: str) -> str:
    visible = _INVISIBLE.sub("", cluster)
    return _compose(_compose(visible).casefold())


def _compose(text: str) -> str:
    return unicodedata.normalize("NFKC", _EXCESS.sub(r"\1", text))
