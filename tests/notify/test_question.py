"""The commander is asked who of a crowd comes in: by mail and chat, once, with all names (E7)."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from services.kit.clock import now
from services.kit.markdown import to_html
from services.notify.activities import NotifyActivities
from services.notify.channels.channel import ChannelName
from services.notify.rendering import MAX_NAMES, HeldPerson, InShort, QuestionFacts, Rendered, Renderer
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from tests.accounts.members import member
from tests.lifecycle.crowds import CROWD, crowd, held
from tests.notify.test_attempts import Scripted
from tests.support.running import Organization, RunningMuster
from workflows.contracts.notify import DeliveryRequest, NoticeInput, NoticeKind, question_cause
from workflows.domain.engagement import Evidence, EvidenceKind
from workflows.domain.incident import IncidentState
from workflows.domain.policy import Role

pytestmark = pytest.mark.feature("E7", "N6")


async def questions(org: Organization, incident: dict[str, Any]) -> list[dict[str, Any]]:
    """The questions of an incident in the ledger."""
    return [each for each in await org.deliveries(incident["id"]) if each["kind"] == "question"]


async def asked(org: Organization, incident: dict[str, Any], whom: list[str]) -> bool:
    """Whether just these were asked, each by both channels."""
    found = await questions(org, incident)
    wanted = sorted((person, channel) for person in whom for channel in ("email", "chat"))
    return sorted((each["recipient"]["id"], each["channel"]) for each in found if each["state"] == "sent") == wanted


async def test_each_commander_is_asked_once_with_all_names(muster: RunningMuster, org: Organization) -> None:
    people = await crowd(muster, org)
    ana = await org.individual("Ana")
    await org.patch("/me", {"preferences": {"time_zone": "Asia/Kolkata"}})
    incident = await held(org)
    owner = incident["commander"]["id"]
    await org.until(lambda: asked(org, incident, [owner]))
    inbox = (await org.get("/inbox", recipient=owner))["data"]
    mail = next(each for each in inbox if "bring in" in each["subject"] and each["channel"] == "email")
    assert mail["subject"] == f"INC-1: bring in {CROWD} more people? The pump failed"
    assert all(f"Person {number:02}" in mail["text"] and f"Person {number:02}" in mail["html"] for number in range(len(people)))
    assert f"/{org.slug}/incidents/INC-1#question" in mail["text"]
    assert "- Person 00: term “pump” in the title" in mail["text"]
    assert "term “pump” in the title" in mail["html"]
    assert "(Asia/Kolkata) everyone is brought in." in mail["text"]

    await org.individual("Late", "valve")
    await org.patch("/incidents/INC-1", {"title": "The pump and the valve"})

    async def joined() -> bool:
        return bool((await org.get("/incidents/INC-1"))["held"]["count"] == CROWD + 1)

    await org.until(joined)
    await org.post("/incidents/INC-1/participants", {"individual": ana["id"]})
    assert (await org.api.put("/incidents/INC-1/commander", json={"individual": ana["id"]})).is_success
    await org.until(lambda: asked(org, incident, [owner, ana["id"]]))


async def test_for_a_program_that_commands_those_are_asked_who_can_answer(muster: RunningMuster, org: Organization) -> None:
    await crowd(muster, org)
    owner = (await org.get("/me"))["individual"]["id"]
    token = await org.post("/tokens", {"name": "Alerts", "kind": "service", "scopes": ["report"]})
    authorization = {"Authorization": f"Bearer {token['secret']}"}
    async with member(muster, org, "Ada", Role.ADMIN) as ada, member(muster, org, "Mia") as mia:
        made = await org.api.post("/incidents", json={"title": "The pump failed"}, headers=authorization)
        incident = made.raise_for_status().json()
        await org.until(lambda: asked(org, incident, [owner, ada.individual]))
        inbox = (await org.get("/inbox", recipient=owner))["data"]
        mail = next(each for each in inbox if "bring in" in each["subject"] and each["channel"] == "email")
        assert "You are asked in place of Alerts, the program that commands this incident." in mail["text"]
        await org.post("/incidents/INC-1/participants", {"individual": mia.individual})
        assert (await org.api.put("/incidents/INC-1/commander", json={"individual": mia.individual})).is_success
        await org.until(lambda: asked(org, incident, [owner, ada.individual, mia.individual]))
        (late,) = [
            each for each in await questions(org, incident) if each["recipient"]["id"] == owner and each["channel"] == "email"
        ]
        organization = (await org.get("/me"))["organization"]["id"]
        async with muster.muster.database.write(organization) as session:
            (await session.get_one(Delivery, late["id"])).state = "pending"
        request = DeliveryRequest(organization=organization, delivery=late["id"])
        activities = NotifyActivities(muster.muster.database, Renderer("http://m"), {ChannelName.EMAIL: Scripted()})
        assert (await ActivityEnvironment().run(activities.deliver, request)).state == "folded"


async def test_a_question_that_came_too_late_is_folded(muster: RunningMuster, org: Organization) -> None:
    await crowd(muster, org)
    incident = await held(org)
    owner, database = incident["commander"]["id"], muster.muster.database
    await org.until(lambda: asked(org, incident, [owner]))
    organization = (await org.get("/me"))["organization"]["id"]
    async with database.read(organization) as session:
        until = IncidentState.model_validate((await session.get_one(Incident, incident["id"])).state).held_until
    assert until is not None
    late = {
        "an earlier crowd": (question_cause(until - timedelta(hours=1)), owner),
        "no commander any more": (question_cause(until), (await org.individual("Ana"))["id"]),
    }
    for cause, recipient in late.values():
        row = await _delivered(muster, organization, incident["id"], cause, recipient)
        assert row.state == "folded"
        assert row.reason
    await org.post(f"/incidents/{incident['id']}/engagement-answer", {"bring_in": "none"})
    row = await _delivered(muster, organization, incident["id"], question_cause(until), (await org.individual("Ben"))["id"])
    assert (row.state, row.attempts) == ("folded", 0)


async def _delivered(muster: RunningMuster, organization: str, incident: str, cause: str, recipient: str) -> Delivery:
    activities = NotifyActivities(muster.muster.database, Renderer("http://m"), {ChannelName.EMAIL: Scripted()})
    notice = NoticeInput(
        organization=organization, incident=incident, kind=NoticeKind.QUESTION, cause=cause, recipients=(recipient,)
    )
    (delivery,) = (await activities.plan(notice)).deliveries
    await ActivityEnvironment().run(activities.deliver, DeliveryRequest(organization=organization, delivery=delivery))
    async with muster.muster.database.read(organization) as session:
        return await session.get_one(Delivery, delivery)


async def test_of_a_great_crowd_a_message_tells_the_first_names(muster: RunningMuster, org: Organization) -> None:
    state = await _state(muster, org)
    told = _rendered(state, [f"Person {number:03}" for number in range(MAX_NAMES + 7)])
    for text in (told.text, told.html, told.chat):
        assert f"Person {MAX_NAMES - 1}" in text
        assert f"Person {MAX_NAMES}" not in text
        assert "7 more" in text
    one = _rendered(state, ["[Ana](http://evil.example)"])
    assert one.subject.startswith("INC-1: bring in 1 more person?")
    assert 'href="http://evil.example' not in to_html(one.chat)


async def _state(muster: RunningMuster, org: Organization) -> IncidentState:
    incident = await org.report("The pump failed")
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        return IncidentState.model_validate((await session.get_one(Incident, incident["id"])).state)


def _rendered(state: IncidentState, names: list[str]) -> Rendered:
    why = Evidence(kind=EvidenceKind.RULE, text="[Pay](http://evil.example)", via="Team")
    people = [HeldPerson(name=name, why=why) for name in names]
    rita = {"id": state.reporter, "name": "Rita", "email": "rita@example.org"}
    in_short = InShort.model_validate(state, from_attributes=True)
    facts = {"organization_name": "Org", "slug": "org", "incident": in_short, "recipient": rita, "reporter": rita, "evidence": []}
    facts |= {"commander": rita, "people": people, "until": now(), "time_zone": "Europe/Berlin"}
    return Renderer("http://m").question(QuestionFacts.model_validate(facts))
