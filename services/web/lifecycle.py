"""An incident's way through its lifecycle, as its page shows it: how far it is, and where it can go."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel

from services.desk.views import IncidentView
from workflows.domain.lifecycle import OVER, Category, Status

_NOTES: Final = {
    Category.CLOSED: "Says that it is over",
    Category.DECLINED: "It is not an incident",
    Category.CANCELLED: "It should not have been reported",
    Category.MERGED: "Its people join the other one",
}


class Step(BaseModel):
    """A status on the track."""

    name: str
    category: Category
    state: Literal["done", "current", "ahead"]
    at: datetime | None


class Move(BaseModel):
    """A status to go to. ``confirm``: it is asked before, on a page of its own."""

    to: str
    label: str
    note: str = ""
    confirm: bool = False


class Moves(BaseModel):
    """The one obvious next move, and every other."""

    next: Move | None = None
    others: list[Move] = []


def track(incident: IncidentView) -> list[Step]:
    """The statuses the incident was in, the present one, and those that are ahead."""
    entered = {stamp.status.id: stamp.at for stamp in incident.status_times}
    ahead = {Category.ACTIVE, Category.STABLE, Category.CLOSED}
    if incident.status.category is Category.LEARNING:
        ahead.add(Category.LEARNING)
    steps: list[Step] = []
    passed = True
    for status in incident.statuses:
        step = Step(name=status.name, category=status.category, state="done", at=entered.get(status.id))
        if status.id == incident.status.id:
            steps.append(step.model_copy(update={"state": "current"}))
            passed = False
        elif passed and status.id in entered and status.category not in OVER:
            steps.append(step)
        elif not passed and status.category in ahead and incident.closed_at is None:
            steps.append(step.model_copy(update={"state": "ahead", "at": None}))
    return steps


def moves(incident: IncidentView) -> Moves:
    """Where the incident can go, with the words of each button."""
    following = _following(incident)
    if incident.status.category is Category.CLOSED:
        return Moves(next=_move(incident, following) if following else None)
    others = [_move(incident, status) for status in incident.next_statuses if status != following]
    return Moves(next=_move(incident, following) if following else None, others=others)


def _following(incident: IncidentView) -> Status | None:
    category = incident.status.category
    if category is Category.CLOSED:
        return next(iter(incident.next_statuses), None)
    if category not in {Category.ACTIVE, Category.STABLE, Category.LEARNING}:
        return None
    here = incident.statuses.index(incident.status)
    same = next((status for status in incident.statuses[here + 1 :] if status.category is category), None)
    if same is not None:
        return same
    wanted = Category.STABLE if category is Category.ACTIVE else Category.CLOSED
    return next((status for status in incident.next_statuses if status.category is wanted), None)


def _move(incident: IncidentView, status: Status) -> Move:
    return Move(
        to=status.id, label=_label(incident, status), note=_NOTES.get(status.category, ""), confirm=status.category in OVER
    )


def _label(incident: IncidentView, status: Status) -> str:
    if incident.status.category is Category.CLOSED:
        return "Reopen"
    fixed = {
        Category.STABLE: "Mark stable",
        Category.CLOSED: "Close incident",
        Category.DECLINED: "Decline",
        Category.CANCELLED: "Cancel",
        Category.MERGED: "Merge into another",
    }
    back = incident.statuses.index(status) < incident.statuses.index(incident.status)
    return fixed.get(status.category) or f"{'Back' if back else 'Move'} to {status.name}"
