"""What the log of an incident says of one person at a moment: read once, and folded once (E6)."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.store import event_log
from services.store.incidents import Incident
from workflows.domain.engagement import Evidence
from workflows.domain.events import EngagementHeld, Event, OnCallResolved, ParticipantsEngaged, RolesAssigned
from workflows.domain.incident import IncidentState, begin, evolve


class Found(NamedTuple):
    """When somebody came in, or was held back, and each piece of evidence with the moment from which it counted."""

    at: datetime
    told: list[tuple[datetime, Evidence]]

    @property
    def evidence(self) -> list[Evidence]:
        """Why, in the order in which it came to be."""
        return [piece for _, piece in self.told]


class History(NamedTuple):
    """An incident at a moment, and how the person came in, if they ever did, or was held.

    ``versions`` are its states since each change of its attributes or visibility, with the moment, and ``events`` all that
    happened.
    """

    state: IncidentState
    part: Found | None
    hold: Found | None
    versions: Sequence[tuple[datetime, IncidentState]]
    events: Sequence[Event]

    def as_of(self, attributes_seq: int) -> IncidentState:
        """The incident when its attributes were those of this event."""
        return next(state for _, state in self.versions if state.attributes_seq == attributes_seq)

    def at(self, moment: datetime) -> IncidentState:
        """The incident with the attributes that it had at a moment."""
        return [state for at, state in self.versions if at <= moment][-1]

    def answers(self, since: datetime) -> Mapping[str, Sequence[str]]:
        """Whom on-call services named since a moment, by id, that were asked for what matches."""
        bodies = (event.body for event in self.events if event.at >= since)
        return {each.service.id: each.people for each in bodies if isinstance(each, OnCallResolved) and not each.by_policy}


async def read_history(session: AsyncSession, incident: Incident, individual: str, at: datetime | None) -> History | None:
    """What the log says of somebody up to a moment, or until now; None if the incident was not reported yet."""
    events = await event_log.events(session, incident.id, until=at)
    # Thousands may be in it: not on the loop that answers requests.
    return await asyncio.to_thread(_history, incident.id, incident.organization_id, events, individual) if events else None


def _history(incident: str, organization: str, events: Sequence[Event], individual: str) -> History:
    state = begin(incident, organization, events[0])
    versions = [(events[0].at, state)]
    for event in events[1:]:
        state = evolve(state, event)
        if state.attributes_seq == event.seq:
            versions.append((event.at, state))
    return History(state, _part(state, events, individual), _hold(state, events, individual), versions, events)


def _part(state: IncidentState, events: Sequence[Event], individual: str) -> Found | None:
    participant = state.participants.get(individual)
    if participant is None:
        return None
    since = [event for event in events if event.seq >= participant.engaged_seq]
    return Found(since[0].at, _told(since, individual))


def _hold(state: IncidentState, events: Sequence[Event], individual: str) -> Found | None:
    if individual not in state.held:
        return None
    event = next(event for event in events if event.seq == state.held[individual].seq)
    return Found(event.at, _told([event], individual))


def _told(events: Iterable[Event], individual: str) -> list[tuple[datetime, Evidence]]:
    bodies = [(event.at, event.body) for event in events]
    matches = [(at, body.people) for at, body in bodies if isinstance(body, ParticipantsEngaged | RolesAssigned | EngagementHeld)]
    return [
        (at, piece) for at, people in matches for match in people if match.individual == individual for piece in match.evidence
    ]
