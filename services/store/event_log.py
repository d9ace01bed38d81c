"""The event log: append-only, hash-chained, written with its projections in one transaction."""

import asyncio
import json
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.kit.clock import now, rfc3339
from services.store.base import organization_of
from services.store.incidents import EventRow, Incident
from services.store.projections import project
from workflows.domain.engagement import Match
from workflows.domain.events import Draft, EngagementHeld, Event
from workflows.domain.incident import IncidentState, begin, evolve
from workflows.domain.record import GENESIS, RecordedEvent, commit, link


async def begin_incident(session: AsyncSession, incident: str, report: Draft) -> IncidentState:
    """Write the first event of a new incident, with its projections."""
    event, event_row = _record(session, incident, report, seq=1, previous=GENESIS, at=now())
    state = begin(incident, organization_of(session), event)
    row = Incident(id=incident, organization_id=organization_of(session))
    await project(session, row, state, [event])
    session.add(row)
    await session.flush()
    session.add(event_row)
    await session.flush()
    return state


async def append(session: AsyncSession, incident: str, expected_seq: int, drafts: Sequence[Draft]) -> list[Event]:
    """Append after ``expected_seq``, and answer with every event after it.

    When the log has gone on already, nothing is written: the caller learns what it did not know.
    """
    # The row is the incident's lock: two writers take turns here.
    query = (
        select(Incident, EventRow)
        .outerjoin(EventRow, and_(EventRow.incident_id == Incident.id, EventRow.seq == expected_seq))
        .where(Incident.id == incident)
        .with_for_update(of=Incident)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise LookupError(f"there is no incident {incident}")
    row, last = found[0], found[1]
    if row.seq > expected_seq or not drafts:
        return await events(session, incident, after=expected_seq)
    if last is None:
        raise LookupError(f"the log of {incident} ends before event {expected_seq}")
    state, previous, at = IncidentState.model_validate(row.state), last.hash, max(now(), _moment(last.at))
    written: list[Event] = []
    for draft in drafts:
        event, event_row = _record(session, incident, draft, seq=state.seq + 1, previous=previous, at=at)
        session.add(event_row)
        state, previous = evolve(state, event), event_row.hash
        written.append(event)
    await project(session, row, state, written)
    return written


async def events(session: AsyncSession, incident: str, after: int = 0, until: datetime | None = None) -> list[Event]:
    """The events of an incident in their order, from behind ``after`` up to a moment."""
    query = select(EventRow).where(EventRow.incident_id == incident, EventRow.seq > after).order_by(EventRow.seq)
    if until is not None:
        query = query.where(EventRow.at <= rfc3339(until))
    rows = (await session.scalars(query)).all()
    # There can be thousands of people in them: not on the loop that answers requests.
    return await asyncio.to_thread(lambda: [_event(row) for row in rows])


async def latest(session: AsyncSession, incident: str, before: int | None, limit: int) -> list[Event]:
    """The last events of an incident (before ``before``), the newest first."""
    query = select(EventRow).where(EventRow.incident_id == incident).order_by(EventRow.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(EventRow.seq < before)
    return [_event(row) for row in await session.scalars(query)]


async def event(session: AsyncSession, incident: str, seq: int) -> Event:
    """One event of an incident."""
    query = select(EventRow).where(EventRow.incident_id == incident, EventRow.seq == seq)
    return _event((await session.scalars(query)).one())


async def held(session: AsyncSession, incident: str, seqs: Collection[int]) -> tuple[Match, ...]:
    """Everyone who was held back by these events, with the evidence."""
    query = select(EventRow).where(EventRow.incident_id == incident, EventRow.seq.in_(seqs)).order_by(EventRow.seq)
    bodies = [_event(row).body for row in await session.scalars(query)]
    return tuple(person for body in bodies if isinstance(body, EngagementHeld) for person in body.people)


async def recorded(session: AsyncSession, incident: str) -> list[RecordedEvent]:
    """The events as they are exported, with salts, commitments and hashes."""
    rows = await session.scalars(select(EventRow).where(EventRow.incident_id == incident).order_by(EventRow.seq))
    return [
        RecordedEvent(seq=row.seq, at=row.at, payload=row.payload, salt=row.salt, commitment=row.commitment, hash=row.hash)
        for row in rows
    ]


def _record(
    session: AsyncSession, incident: str, draft: Draft, *, seq: int, previous: str, at: datetime
) -> tuple[Event, EventRow]:
    payload: dict[str, JsonValue] = json.loads(draft.model_dump_json())
    salt, stamp = secrets.token_hex(32), rfc3339(at)
    commitment = commit(salt, payload)
    row = EventRow(
        organization_id=organization_of(session),
        incident_id=incident,
        seq=seq,
        kind=draft.body.kind,
        at=stamp,
        payload=payload,
        salt=salt,
        commitment=commitment,
        hash=link(previous, seq, stamp, commitment),
    )
    return _event(row), row


def _event(row: EventRow) -> Event:
    # Redaction keeps the body's shape, so that every payload in the log can be read.
    return Event.model_validate({"seq": row.seq, "at": row.at, **(row.payload or {})})


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
