"""What became of a command that was not simply done, in words for whoever gave it on a page."""

from typing import Final

from services.kit.errors import Conflict, Forbidden, Invalid, MusterError, Pending, Unavailable

REFUSALS: Final = (Conflict, Forbidden, Invalid, Pending, Unavailable)
"""What a page answers itself, so that nothing that was typed is lost."""


def in_words(error: MusterError) -> str:
    """A sentence about it."""
    if isinstance(error, Pending):
        return "Muster has passed this on and has no answer yet. Look again in a moment."
    if isinstance(error, Unavailable):
        return "This was not done: Temporal, which drives incidents, does not answer. Try again in a moment."
    return error.detail
