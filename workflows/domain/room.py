"""How much an incident has room for: its state passes through Temporal, which takes two megabytes at once (E7)."""

from collections.abc import Collection, Sequence
from typing import Final

from workflows.domain import events as did
from workflows.domain.engagement import Match, taken_on
from workflows.domain.incident import IncidentState

MAX_PEOPLE: Final = 5_000
"""How many people an incident knows: those who are or were in, are held, or were left out."""
MAX_ROLES: Final = 1_000
"""How many roles its people take on in all."""
MAX_SERVICES: Final = 50
"""How many on-call services it waits for."""


def is_known(state: IncidentState, individual: str) -> bool:
    """Whether an incident has a place for this person already."""
    return individual in state.participants or individual in state.held


def is_full(state: IncidentState) -> bool:
    """Whether nobody has room whom the incident does not know."""
    return len(state.participants) + len(state.held) >= MAX_PEOPLE


def within(state: IncidentState, bodies: Sequence[did.Body]) -> list[did.Body]:
    """These events with no more people, roles and on-call services than there is room for, and what there is none for.

    There always is for whoever becomes the commander.
    """
    if not any(isinstance(body, _GROWING) for body in bodies):
        return list(bodies)
    room = _Room(state, {body.after for body in bodies if isinstance(body, did.CommanderChanged)})
    fitting = [fits for body in bodies if (fits := room.fitting(body)) is not None]
    return [*fitting, room.lacking] if room.lacking != did.NoRoom() else fitting


_GROWING: Final = (did.ParticipantsEngaged, did.EngagementHeld, did.RolesAssigned, did.OnCallAwaited)


class _Room:
    """What is left, and what it is ``lacking`` for."""

    def __init__(self, state: IncidentState, leads: Collection[str]) -> None:
        self._state = state
        self._leads = leads
        self._people = MAX_PEOPLE - len(state.participants) - len(state.held)
        self._roles = MAX_ROLES - sum(len(person.roles) for person in state.participants.values())
        self._services = MAX_SERVICES - len(state.waiting)
        self.lacking = did.NoRoom()

    def fitting(self, body: did.Body) -> did.Body | None:
        """As much of the event as there is room for."""
        match body:
            case did.OnCallAwaited():
                waiting = body.waiting[: max(self._services, 0)]
                self._lack(services=len(body.waiting) - len(waiting))
                return body.model_copy(update={"waiting": waiting}) if waiting else None
            case did.EngagementHeld():
                people = self._seated(body.people)
            case did.ParticipantsEngaged():
                people = tuple(self._with_roles(person)[0] for person in self._seated(body.people))
            case did.RolesAssigned():
                people = tuple(person for person, lacks in map(self._with_roles, body.people) if not lacks)
            case _:
                return body
        return body.model_copy(update={"people": people}) if people else None

    def _seated(self, people: tuple[Match, ...]) -> tuple[Match, ...]:
        seated = []
        for person in people:
            is_new = not is_known(self._state, person.individual)
            if is_new and self._people <= 0 and person.individual not in self._leads:
                self._lack(people=1)
                continue
            self._people -= is_new
            seated.append(person)
        return tuple(seated)

    def _with_roles(self, person: Match) -> tuple[Match, bool]:
        """The person, without the roles that are new if there is no room for them; and whether there was none."""
        before = self._state.participants[person.individual].roles if self._state.present(person.individual) else ()
        new = set(taken_on(person.roles)) - set(before)
        if len(new) <= self._roles:
            self._roles -= len(new)
            return person, False
        self._lack(roles=len(new))
        return person.model_copy(update={"roles": tuple(role for role in person.roles if role not in new)}), True

    def _lack(self, *, people: int = 0, roles: int = 0, services: int = 0) -> None:
        before = self.lacking
        self.lacking = did.NoRoom(people=before.people + people, roles=before.roles + roles, services=before.services + services)
