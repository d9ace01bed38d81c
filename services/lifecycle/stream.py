"""What changed, as it changes: server-sent events (WHATWG HTML, section 9.2).

One tail per process looks for all streams at once; a stream says only *what* changed, and the page asks again for it, so that
who may see what is decided in one place.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.kit.database import Database
from services.kit.errors import TooMany
from services.lifecycle import repository

_log = structlog.get_logger(__name__)

TICK: Final = 0.25
"""Seconds between looks, while anyone is watching."""
HEARTBEAT: Final = 15.0
"""Seconds after which a silent stream says that it is alive."""
MAX_STREAMS: Final = 20
"""How many streams an account has open at once, in one process."""
LONGEST: Final = 600.0
"""Seconds after which a stream ends; the browser comes back, and who it is gets checked again."""

CHANGES: Final = {
    "reported": ("incident",),
    "edited": ("incident", "timeline", "question"),
    "status_changed": ("incident", "timeline", "question"),
    "commander_changed": ("incident", "people", "timeline", "question"),
    "participants_engaged": ("incident", "people", "timeline", "question"),
    "participant_left": ("incident", "people", "timeline"),
    "roles_assigned": ("people", "timeline"),
    "roles_awaited": ("people", "timeline"),
    "roles_chosen": ("people", "timeline"),
    "on_call_awaited": ("people", "timeline"),
    "on_call_resolved": ("people", "timeline"),
    "engagement_held": ("question", "timeline"),
    "engagement_answered": ("question", "timeline"),
    "no_room": ("timeline",),
    "resource_changed": ("resources", "timeline"),
    "opened": ("incident",),
    "note_added": ("timeline",),
    "absorbed": ("timeline",),
}
"""Which parts of an incident's page an event changes; one that is not here changes the timeline."""


@dataclass(eq=False)
class _Watch:
    """One stream's view of an incident: what changed since it last said so."""

    incident: str
    account: str
    seq: int
    changed: dict[str, None] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, names: tuple[str, ...], seq: int) -> None:
        self.changed |= dict.fromkeys(names)
        self.seq = seq
        self.woken.set()


class Tail:
    """Watches the incidents that someone looks at; with nobody looking it asks nothing.

    After ``heartbeat`` seconds a silent stream says that it is alive, and its reader's right to it is looked at again.
    """

    def __init__(self, database: Database, heartbeat: float = HEARTBEAT) -> None:
        self._database = database
        self.heartbeat = heartbeat
        self._watches: dict[str, set[_Watch]] = defaultdict(set)
        self._marks: dict[str, tuple[int, str, str]] = {}
        self._watched = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Look until cancelled, whatever happens."""
        while True:
            await self._watched.wait()
            try:
                await self._look()
            except Exception:  # noqa: BLE001  (mostly a database that is away; it must not end for anything)
                _log.exception("the tail met a fault; it looks again")
            await asyncio.sleep(TICK)

    def end(self) -> None:
        """End every stream: the process stops, and browsers come back to the next one by themselves."""
        self._ended = True
        for watches in self._watches.values():
            for watch in watches:
                watch.woken.set()

    def admit(self, account: str) -> None:
        """Make sure that an account may open one more stream.

        Raises:
            TooMany: ``too_many_streams``.
        """
        if sum(watch.account == account for watches in self._watches.values() for watch in watches) >= MAX_STREAMS:
            raise TooMany(f"You follow {MAX_STREAMS} incidents already. Close some of their pages.", "too_many_streams")

    async def stream(
        self, incident: str, account: str, since: int, may_see: Callable[[], Awaitable[bool]]
    ) -> AsyncGenerator[str]:
        """Server-sent events for an incident, beginning with what changed since the event ``since``.

        ``may_see``, whether the account may still see the incident, is asked at every heartbeat; without it the stream ends.
        """
        clock = asyncio.get_running_loop().time
        with self._watching(incident, account, since) as watch:
            yield "retry: 2000\n\n"
            await self._resume(watch)
            end, beat = clock() + LONGEST, clock() + self.heartbeat
            while clock() < end and not self._ended:
                if clock() >= beat:
                    if not await may_see():
                        return
                    beat = clock() + self.heartbeat
                    yield ": alive\n\n"
                try:
                    async with asyncio.timeout_at(beat):
                        await watch.woken.wait()
                except TimeoutError:
                    continue
                watch.woken.clear()
                names, watch.changed = list(watch.changed), {}
                for name in names:
                    yield f"event: {name}\nid: {watch.seq}\ndata: {watch.seq}\n\n"

    @contextmanager
    def _watching(self, incident: str, account: str, since: int) -> Iterator[_Watch]:
        watch = _Watch(incident, account, since)
        self._watches[incident].add(watch)
        self._watched.set()
        try:
            yield watch
        finally:
            self._watches[incident].discard(watch)
            if not self._watches[incident]:
                del self._watches[incident]
                self._marks.pop(incident, None)
            if not self._watches:
                self._watched.clear()

    async def _resume(self, watch: _Watch) -> None:
        async with self._database.read() as session:
            # Taken first: what happens from here on differs from it, so the tail tells it.
            if watch.incident not in self._marks:
                self._marks |= await repository.marks(session, [watch.incident])
            kinds = await repository.event_kinds(session, watch.incident, watch.seq)
        # These have no sequence to resume from, so they may have changed.
        watch.note(("channel", "deliveries"), watch.seq)
        for seq, kind in kinds:
            watch.note(_changed_by(kind), max(seq, watch.seq))

    async def _look(self) -> None:
        async with self._database.read() as session:
            marks = await repository.marks(session, list(self._watches))
            for incident, mark in marks.items():
                before = self._marks.get(incident)
                self._marks[incident] = mark
                if before is None or before == mark:
                    continue
                kinds = await repository.event_kinds(session, incident, before[0]) if mark[0] > before[0] else []
                self._tell(incident, before, mark, kinds)

    def _tell(
        self, incident: str, before: tuple[int, str, str], mark: tuple[int, str, str], kinds: list[tuple[int, str]]
    ) -> None:
        names = tuple(name for _, kind in kinds for name in _changed_by(kind))
        names += ("channel",) if mark[1] != before[1] else ()
        names += ("deliveries",) if mark[2] != before[2] else ()
        for watch in self._watches.get(incident, ()):
            watch.note(names, mark[0])


def _changed_by(kind: str) -> tuple[str, ...]:
    return CHANGES.get(kind, ("timeline",))
