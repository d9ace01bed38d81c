"""However many match, an incident can continue as new: Temporal takes two megabytes, and there is room for so many (E7)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.kit.ids import new_id
from tests.support.workflows import reported
from tests.workflows.domain.incidents import Log
from workflows.contracts.incident import IncidentInput
from workflows.domain import commands as ask
from workflows.domain.attributes import MAX_DESCRIPTION, MAX_TAG, MAX_TAGS, AttributeChanges, Choice
from workflows.domain.engagement import COMMANDER, MAX_QUOTE, Evidence, EvidenceKind, Match, Roles, Waiting
from workflows.domain.errors import Refused
from workflows.domain.events import Departure, NoRoom
from workflows.domain.incident import SEEN_LIMIT
from workflows.domain.room import MAX_PEOPLE, MAX_ROLES, MAX_SERVICES

pytestmark = pytest.mark.feature("E7")

MEGABYTE = 1_000_000
PAGE = 500
UNTIL = datetime.now(UTC) + timedelta(minutes=10)
WIDE = "😀"
"""A character of the largest size."""
RULE = Evidence(kind=EvidenceKind.RULE, text="Payments", id="rule-1", version=1)


def opened(roles: Roles | None = Roles()) -> Log:  # noqa: B008  (immutable)
    log = Log(reported(reporter=new_id()))
    log.give(ask.Open(command_id=new_id(), roles=roles))
    return log


def crowd(count: int, *roles: str) -> Iterator[tuple[Match, ...]]:
    """So many people, page by page."""
    for begin in range(0, count, PAGE):
        number = min(PAGE, count - begin)
        yield tuple(Match(individual=new_id(), evidence=(RULE,), roles=roles) for _ in range(number))


def engage(log: Log, count: int, *roles: str) -> Log:
    for page in crowd(count, *roles):
        log.give(ask.Engage(command_id=new_id(), matches=page))
    return log


def hold(log: Log, count: int, *roles: str) -> Log:
    for page in crowd(count, *roles):
        log.give(ask.Hold(command_id=new_id(), matches=page, limit=50, until=UNTIL))
    return log


def lacking(log: Log) -> NoRoom:
    """All that there was no room for."""
    told = [event.body for event in log.events if isinstance(event.body, NoRoom)]
    return NoRoom(
        people=sum(body.people for body in told),
        roles=sum(body.roles for body in told),
        services=sum(body.services for body in told),
    )


def size(log: Log) -> int:
    return len(IncidentInput(state=log.state).model_dump_json().encode())


def test_no_more_come_in_than_there_is_room_for_and_the_timeline_says_how_many_do_not() -> None:
    log = engage(opened(), MAX_PEOPLE + 200)
    assert len(log.state.participants) == MAX_PEOPLE
    assert lacking(log) == NoRoom(people=201)
    assert size(log) < MEGABYTE


def test_no_more_are_asked_about_than_there_is_room_for() -> None:
    log = hold(opened(), MAX_PEOPLE + 200)
    assert len(log.state.asked()) == MAX_PEOPLE - 1
    assert lacking(log) == NoRoom(people=201)
    log.give(ask.AnswerEngagement(command_id=new_id(), bring_in="all"))
    assert len(log.events[-1].body.model_dump_json()) < MEGABYTE / 2
    log.give(ask.BringIn(command_id=new_id(), matches=tuple(Match(individual=each, evidence=()) for each in log.state.called())))
    assert (len(log.state.participants), log.state.called()) == (MAX_PEOPLE, {})
    # Nobody is asked about nobody.
    hold(log, 100)
    assert (lacking(log).people, log.state.held_until) == (301, None)


@pytest.mark.feature("E5", "E8")
def test_who_is_added_by_hand_is_refused_when_it_is_full_unless_they_were_in_before() -> None:
    log = engage(opened(), MAX_PEOPLE)
    someone = list(log.state.participants)[-1]
    log.give(ask.Leave(command_id=new_id(), individual=someone, how=Departure.LEFT))
    with pytest.raises(Refused) as refused:
        log.give(ask.Add(command_id=new_id(), match=Match(individual=new_id(), evidence=())))
    assert refused.value.code == "incident_full"
    log.give(ask.Add(command_id=new_id(), match=Match(individual=someone, evidence=())))
    assert log.state.present(someone)


@pytest.mark.feature("E9")
def test_there_is_room_for_whom_the_role_policies_choose_as_commander() -> None:
    log = engage(opened(None), MAX_PEOPLE)
    ana, ben = (Match(individual=name, evidence=(RULE,), roles=(role,)) for name, role in (("ana", COMMANDER), ("ben", "scribe")))
    log.give(ask.AssignRoles(command_id=new_id(), roles=Roles(commander=ana, others=(ben,))))
    assert (log.state.commander, log.state.present("ana"), log.state.present("ben")) == ("ana", True, False)


@pytest.mark.feature("L1")
def test_a_merge_brings_along_as_many_as_there_is_room_for() -> None:
    log = engage(opened(), MAX_PEOPLE - 101)
    (people,) = crowd(300)
    log.give(ask.Absorb(command_id=new_id(), incident="other", reference=3, matches=people))
    assert [event.body.kind for event in log.events[-3:]] == ["absorbed", "participants_engaged", "no_room"]
    assert (len(log.state.participants), lacking(log)) == (MAX_PEOPLE, NoRoom(people=200))


@pytest.mark.feature("E10")
def test_no_more_services_are_waited_for_than_there_is_room_for() -> None:
    log, waiting = opened(), tuple(service() for _ in range(MAX_SERVICES + 3))
    log.give(ask.AwaitOnCall(command_id=new_id(), waiting=waiting))
    assert (len(log.state.waiting), lacking(log)) == (MAX_SERVICES, NoRoom(services=3))


def service() -> Waiting:
    """What an on-call service is waited for with, as large as it can be."""
    piece = Evidence(
        kind=EvidenceKind.TERM, text=WIDE * MAX_QUOTE, id=new_id(), version=99, attribute="description", start=0, end=20_000
    )
    return Waiting(service=Choice(id=new_id(), name=WIDE * 200), evidence=(piece,) * 3, role=WIDE * 60, reason=WIDE * 200)


def test_the_largest_incident_there_can_be_passes_through_temporal() -> None:
    log = opened()
    wide = AttributeChanges(
        description=WIDE * MAX_DESCRIPTION, tags=tuple(f"{n:02}{WIDE * (MAX_TAG - 2)}" for n in range(MAX_TAGS))
    )
    log.give(ask.Edit(command_id=new_id(), changes=wide))
    log.give(ask.AwaitOnCall(command_id=new_id(), waiting=tuple(service() for _ in range(MAX_SERVICES))))
    engage(log, MAX_PEOPLE // 2, f"{WIDE * 59}1")
    hold(log, MAX_PEOPLE, f"{WIDE * 59}2")
    log.give(ask.AnswerEngagement(command_id=new_id(), bring_in="all"))
    people = tuple(Match(individual=each, evidence=(RULE,), roles=(f"{WIDE * 59}2",)) for each in log.state.called())
    log.give(ask.BringIn(command_id=new_id(), matches=people))
    gone = {
        each: person.model_copy(update={"engaged_seq": 9_999_999, "departed": Departure.NOT_RELEVANT})
        for each, person in log.state.participants.items()
    }
    seen = {f"absorb:{new_id()}:{number:07}:10000": 9_999_999 for number in range(SEEN_LIMIT)}
    log.state = log.state.model_copy(update={"participants": gone, "seen": seen})
    assert (len(gone), sum(len(person.roles) for person in gone.values())) == (MAX_PEOPLE, MAX_ROLES)
    assert size(log) < 1.9 * MEGABYTE
