"""Statuses and the moves between them (L1).

A status belongs to a category; what is allowed is decided by category, so an organization may name and order its own active
and learning statuses without a new rule.
"""

from enum import StrEnum
from typing import Final

from workflows.domain.errors import Refused
from workflows.domain.model import Value


class Category(StrEnum):
    """What a status means to Muster."""

    REPORTED = "reported"
    ACTIVE = "active"
    STABLE = "stable"
    LEARNING = "learning"
    CLOSED = "closed"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    MERGED = "merged"


OVER: Final = frozenset({Category.CLOSED, Category.DECLINED, Category.CANCELLED, Category.MERGED})
"""The categories in which an incident is no longer open."""

ALLOWED: Final[dict[Category, frozenset[Category]]] = {
    Category.REPORTED: frozenset({Category.ACTIVE, Category.DECLINED, Category.CANCELLED, Category.MERGED}),
    Category.ACTIVE: frozenset(
        {
            Category.ACTIVE,
            Category.STABLE,
            Category.LEARNING,
            Category.CLOSED,
            Category.DECLINED,
            Category.CANCELLED,
            Category.MERGED,
        }
    ),
    Category.STABLE: frozenset({Category.ACTIVE, Category.LEARNING, Category.CLOSED, Category.MERGED}),
    Category.LEARNING: frozenset({Category.ACTIVE, Category.LEARNING, Category.CLOSED, Category.MERGED}),
    Category.CLOSED: frozenset({Category.ACTIVE}),
    Category.DECLINED: frozenset(),
    Category.CANCELLED: frozenset(),
    Category.MERGED: frozenset(),
}
"""From each category, where an incident may go. Closed → active is reopening."""

NEEDS_REASON: Final = frozenset({Category.DECLINED, Category.CANCELLED})
"""Moves that end an incident without a response must say why."""


class Status(Value):
    """One step of the lifecycle. ``id`` is stable; ``name`` is what people read."""

    id: str
    name: str
    category: Category


class LifecycleSettings(Value):
    """The lifecycle an incident began with; it keeps this version to its end. Statuses are in their order."""

    version: int
    statuses: tuple[Status, ...]

    def status(self, status_id: str) -> Status:
        """The status of this id.

        Raises:
            Refused: ``unknown_status``.
        """
        for status in self.statuses:
            if status.id == status_id:
                return status
        known = ", ".join(status.id for status in self.statuses)
        raise Refused("unknown_status", f"There is no status “{status_id}”. Use one of: {known}.")

    def first(self, category: Category) -> Status:
        """The first status of a category, in the order of the settings.

        Raises:
            Refused: ``unknown_status``: the settings have none of this category.
        """
        for status in self.statuses:
            if status.category is category:
                return status
        raise Refused("unknown_status", f"This lifecycle has no {category} status.")

    def resolve(self, target: str) -> Status:
        """A status by its own id or by its category's name, which means the first status of that category.

        Raises:
            Refused: ``unknown_status``.
        """
        named = any(status.id == target for status in self.statuses)
        if not named and target in {category.value for category in Category}:
            return self.first(Category(target))
        return self.status(target)

    def reachable(self, status: Status) -> tuple[Status, ...]:
        """Where an incident in this status may go, in the order of the settings."""
        allowed = ALLOWED[status.category]
        return tuple(other for other in self.statuses if other.category in allowed and other.id != status.id)


DEFAULT_LIFECYCLE: Final = LifecycleSettings(
    version=1,
    statuses=(
        Status(id="reported", name="Reported", category=Category.REPORTED),
        Status(id="investigating", name="Investigating", category=Category.ACTIVE),
        Status(id="fixing", name="Fixing", category=Category.ACTIVE),
        Status(id="monitoring", name="Monitoring", category=Category.ACTIVE),
        Status(id="stable", name="Stable", category=Category.STABLE),
        Status(id="documenting", name="Documenting", category=Category.LEARNING),
        Status(id="reviewing", name="Reviewing", category=Category.LEARNING),
        Status(id="closed", name="Closed", category=Category.CLOSED),
        Status(id="declined", name="Declined", category=Category.DECLINED),
        Status(id="cancelled", name="Cancelled", category=Category.CANCELLED),
        Status(id="merged", name="Merged", category=Category.MERGED),
    ),
)
"""What an organization begins with."""


def check_transition(settings: LifecycleSettings, current: Status, target: Status, reason: str | None) -> None:
    """Refuse a move the lifecycle does not allow.

    Raises:
        Refused: ``already_in_status``, ``transition_not_allowed`` or ``reason_required``.
    """
    if target.id == current.id:
        raise Refused("already_in_status", f"The incident is already {current.name}.")
    if target.category not in ALLOWED[current.category]:
        ways = ", ".join(status.name for status in settings.reachable(current))
        then = f"It can go to: {ways}." if ways else "Nothing follows from there; report a new incident instead."
        raise Refused("transition_not_allowed", f"An incident that is {current.name} cannot become {target.name}. {then}")
    if target.category in NEEDS_REASON and not (reason or "").strip():
        raise Refused("reason_required", f"Say why the incident is {target.name.lower()}: the reason is kept with it.")
