"""Who comes along when an incident is merged into another one (L1)."""

from datetime import timedelta
from typing import cast

import pytest

from services.kit.clock import now
from services.lifecycle.activities import PAGE_PEOPLE, LifecycleActivities
from services.store import event_log
from tests.lifecycle.crowds import crowd
from tests.support.running import Organization, RunningMuster
from workflows.contracts.incident import Answer
from workflows.contracts.lifecycle import MergeRequest
from workflows.domain.attributes import Choice
from workflows.domain.commands import Absorb
from workflows.domain.engagement import Evidence, EvidenceKind, Match, Waiting
from workflows.domain.events import Draft, EngagementAnswered, EngagementHeld, HeldAnswer, OnCallAwaited, ParticipantsEngaged
from workflows.gateway import IncidentGateway

RULE = (Evidence(kind=EvidenceKind.RULE, text="Payments"),)


@pytest.mark.feature("L1", "E7", "E10")
async def test_whoever_was_called_and_whoever_is_waited_for_come_along(muster: RunningMuster, org: Organization) -> None:
    ana, ben, cai = [await org.individual(name) for name in ("Ana", "Ben", "Cai")]
    layer = {"name": "All", "time_zone": "UTC", "starts_at": "2026-11-01T09:00", "every": {"weeks": 1}, "members": [cai["id"]]}
    ledger = await org.post("/oncall-services", {"name": "Ledger", "rotation": {"layers": [layer]}})
    target, source = await org.report("The ledger is slow"), await org.report("Payments are slow")
    await org.until(lambda: org.all_sent(source["id"]))
    held = tuple(Match(individual=each["id"], evidence=RULE) for each in (ana, ben))
    waiting = Waiting(service=Choice(id=ledger["id"], name="Ledger"), evidence=RULE)
    bodies = [
        EngagementHeld(people=held, attributes_seq=1, limit=1, until=now() + timedelta(minutes=10)),
        EngagementAnswered(how=HeldAnswer.CHOSEN, people=(ana["id"],), left_out=(ben["id"],)),
        OnCallAwaited(waiting=(waiting,)),
    ]
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.write(organization) as session:
        # The incident learns of it by the merge, which comes before anything that follows from it.
        version = (await org.get(f"/incidents/{source['id']}"))["version"]
        drafts = [Draft(command_id=f"c{number}", actor=None, body=body) for number, body in enumerate(bodies)]
        await event_log.append(session, source["id"], version, drafts)
    await org.post(f"/incidents/{source['id']}/transitions", {"to": "merged", "into": target["id"]})

    async def came() -> bool:
        return {"Ana", "Cai"} < set(await org.participants(target["id"]))

    await org.until(came)
    inside = await org.participants(target["id"])
    assert "Ben" not in inside
    told = {name: inside[name]["evidence"][0]["text"] for name in ("Ana", "Cai")}
    assert told == {
        "Ana": f"called into {source['reference']}, which was merged into this incident",
        "Cai": f"on call for Ledger, awaited in {source['reference']}, which was merged into this incident",
    }


@pytest.mark.feature("L1", "E7")
async def test_of_whom_it_was_asked_there_it_says_that_they_did_not_come_along(muster: RunningMuster, org: Organization) -> None:
    ana = await org.individual("Ana")
    target, source = await org.report("The ledger is slow"), await org.report("Payments are slow")
    await org.until(lambda: org.all_sent(source["id"]))
    held = (Match(individual=ana["id"], evidence=RULE),)
    body = EngagementHeld(people=held, attributes_seq=1, limit=0, until=now() + timedelta(minutes=10))
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.write(organization) as session:
        version = (await org.get(f"/incidents/{source['id']}"))["version"]
        await event_log.append(session, source["id"], version, [Draft(command_id="c", actor=None, body=body)])
    await org.post(f"/incidents/{source['id']}/transitions", {"to": "merged", "into": target["id"]})
    entries = (await org.get(f"/incidents/{target['id']}/timeline"))["data"]
    merged = next(entry for entry in entries if entry["kind"] == "absorbed")
    assert merged["text"] == f"merged {source['reference']} into this incident"
    assert merged["detail"] == "1 person did not come along: it had not been answered yet whether they come in."


class Taken:
    """Stands for the other incident: what it was given."""

    def __init__(self) -> None:
        self.commands: list[Absorb] = []

    async def command(self, incident: str, command: Absorb) -> Answer:
        """As the gateway's."""
        self.commands.append(command)
        return Answer(seq=1)


@pytest.mark.feature("L1", "E7")
async def test_a_crowd_comes_along_page_by_page(muster: RunningMuster, org: Organization) -> None:
    people = await crowd(muster, org, phrase="elsewhere", count=PAGE_PEOPLE + 20)
    target, source = await org.report("The ledger is slow"), await org.report("Payments are slow")
    await org.until(lambda: org.all_sent(source["id"]))
    organization = (await org.get("/me"))["organization"]["id"]
    body = ParticipantsEngaged(people=tuple(Match(individual=each, evidence=RULE) for each in people))
    async with muster.muster.database.write(organization) as session:
        version = (await org.get(f"/incidents/{source['id']}"))["version"]
        await event_log.append(session, source["id"], version, [Draft(command_id="c", actor=None, body=body)])
    taken = Taken()
    activities = LifecycleActivities(muster.muster.database, cast("IncidentGateway", taken), {})
    await activities.hand_over_merged(MergeRequest(organization=organization, incident=source["id"], into=target["id"]))
    assert [len(command.matches) for command in taken.commands] == [PAGE_PEOPLE, 21]
    assert {match.individual for command in taken.commands for match in command.matches} > set(people)
    assert len({command.command_id for command in taken.commands}) == 2
