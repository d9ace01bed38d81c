"""Passwords as NIST SP 800-63B-4 asks (3.1.1): long, of any characters, none that is easily guessed, kept by argon2id."""

import asyncio
import unicodedata
from collections.abc import Sequence
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from zxcvbn import zxcvbn

from services.kit.errors import Invalid
from workflows.domain.text import tokens

MIN_LENGTH: Final = 15
"""Characters: what the guideline asks where a password is the only factor."""
MAX_LENGTH: Final = 256
_LOOKED_AT: Final = 40
"""Characters that the guess is made of: the worst of them take most of a second, and the time grows faster than they do."""
_STRONG: Final = 3
"""What zxcvbn calls safely unguessable: more than 10^8 guesses."""
_AT_ONCE: Final = asyncio.Semaphore(4)
"""Hashes, and looks at new passwords: each takes a core, and a hash 64 MiB."""

_hasher = PasswordHasher()
_NOBODYS: Final = _hasher.hash("nobody's password")
"""What a password is compared with when there is no such account, so that the answer takes as long."""


async def check(password: str, about: Sequence[str]) -> None:
    """Refuse a password that is too short, too long or easily guessed; ``about`` is what others know of its owner.

    Raises:
        Invalid: ``password_too_short``, ``password_too_long``, ``password_guessable``.
    """
    if len(password) < MIN_LENGTH:
        raise Invalid.of("password", "password_too_short", f"Use at least {MIN_LENGTH} characters; a sentence is fine.")
    if len(password) > MAX_LENGTH:
        raise Invalid.of("password", "password_too_long", f"Use at most {MAX_LENGTH} characters.")
    # What is known of someone adds nothing that would have to be guessed.
    known = {word.text for text in ("muster", *about) for word in tokens(text) if len(word.text) > 2}
    words = [word.text for word in tokens(password)]
    unknown = " ".join(word for word in words if word not in known) if known & set(words) else password
    if not unknown or await _score(unknown[:_LOOKED_AT]) < _STRONG:
        message = "This is among the first that would be tried. A few unrelated words make a good password."
        raise Invalid.of("password", "password_guessable", message)


async def hashed(password: str) -> str:
    """The encoded argon2id hash of a password."""
    async with _AT_ONCE:
        return await asyncio.to_thread(_hasher.hash, _normalised(password))


async def matches(password: str, encoded: str | None) -> bool:
    """Whether this is the password of the hash; None is nobody's, and takes as long."""
    async with _AT_ONCE:
        right = await asyncio.to_thread(_verify, _normalised(password[: MAX_LENGTH + 1]), encoded or _NOBODYS)
    return right and encoded is not None


def outdated(encoded: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(encoded)


async def _score(password: str) -> int:
    async with _AT_ONCE:
        return int((await asyncio.to_thread(zxcvbn, password))["score"])


def _verify(password: str, encoded: str) -> bool:
    try:
        return _hasher.verify(encoded, password)
    except (Argon2Error, InvalidHashError):
        return False


def _normalised(password: str) -> str:
    # The same characters may be typed in more than one way (SP 800-63B-4, 3.1.1.2).
    return unicodedata.normalize("NFC", password)
