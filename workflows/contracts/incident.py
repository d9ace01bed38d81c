"""How an incident's workflow is addressed, started and answered."""

from typing import Final

from workflows.domain.incident import IncidentState
from workflows.domain.model import Value

WORKFLOW: Final = "Incident"
"""The workflow type."""

REFUSED: Final = "Refused"
"""The type of an ApplicationError that carries a domain refusal; its first detail is the refusal's code."""
ROLLING_OVER: Final = "RollingOver"
"""The type of the error by which a workflow asks for a moment, while it continues as new."""
INTERNAL: Final = "InternalError"
"""The type of the error that stands for an unexpected exception in a handler."""


def workflow_id(incident: str) -> str:
    """The one workflow id of an incident."""
    return f"incident:{incident}"


HISTORY_LIMIT: Final = 2_000
"""Continue as new at this many history events, well before Temporal suggests it: replays stay short."""


class IncidentInput(Value):
    """What an incident's workflow starts from: the folded state, and how far its effects have come.

    ``evaluated_seq``: the ``attributes_seq`` engagement was last evaluated for. ``welcomed_seq``: everyone engaged up to this
    event was handed to notification. ``asked`` and ``told_seq``: the latest question to a commander, and the latest hand-over,
    that were. After a loss all are as if nothing had been done, and repeating is harmless: evaluation adds only, and the
    delivery ledger keeps one intent a person. ``history_limit`` is part of the input, since a run must be replayed with the
    limit it began with.
    """

    state: IncidentState
    evaluated_seq: int = 0
    welcomed_seq: int = 0
    asked: str | None = None
    told_seq: int = 0
    history_limit: int = HISTORY_LIMIT


class Answer(Value):
    """What a command came to: the incident's last event once it was done."""

    seq: int
