"""Incidents for tests of the domain: a log in memory with a clock of its own."""

from datetime import UTC, datetime, timedelta

from tests.support.workflows import reported
from workflows.domain.commands import ChangeStatus, Command
from workflows.domain.decide import drafts
from workflows.domain.events import Event, Reported
from workflows.domain.incident import IncidentState, begin, evolve, fold

__all__ = ["INCIDENT", "ORGANIZATION", "Log", "reported"]

INCIDENT, ORGANIZATION = "incident-1", "organization-1"


class Log:
    """An incident's events, each a minute after the one before."""

    def __init__(self, report: Reported | None = None) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        first = Event(seq=1, at=self.now, command_id="report", actor="rita", body=report or reported())
        self.events = [first]
        self.state = begin(INCIDENT, ORGANIZATION, first)

    def give(self, command: Command) -> list[Event]:
        """Decide and take the events in, as the mailbox does; a command seen before does nothing."""
        if command.command_id in self.state.seen:
            return []
        made: list[Event] = []
        for draft in drafts(command, self.state):
            self.now += timedelta(minutes=1)
            event = Event(seq=self.state.seq + 1, at=self.now, **dict(draft))
            self.state = evolve(self.state, event)
            self.events.append(event)
            made.append(event)
        return made

    def move(self, to: str) -> "Log":
        """Change the status, with whatever that needs."""
        self.give(ChangeStatus(command_id=f"move-{self.state.seq}", to=to, reason="because", into="another"))
        return self

    def folded(self) -> IncidentState:
        """The state rebuilt from the log."""
        return fold(INCIDENT, ORGANIZATION, self.events)
