"""Whoever is handed the command is told: by mail and chat, once, with the note (E9, N6)."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import pytest
from temporalio.testing import ActivityEnvironment

from services.desk.lookup import Person
from services.kit.markdown import to_html
from services.notify.activities import NotifyActivities
from services.notify.channels.channel import ChannelName
from services.notify.rendering import HandOverFacts, InShort, Rendered, Renderer
from services.store.deliveries import Delivery
from services.store.incidents import Incident
from tests.accounts.members import member
from tests.notify.test_attempts import Scripted, sent
from tests.support.running import Organization, RunningMuster
from workflows.contracts.notify import DeliveryRequest, NoticeInput, NoticeKind, hand_over_cause
from workflows.domain.incident import IncidentState

pytestmark = pytest.mark.feature("E9", "N6")

BY_POLICY: Final = "commander by the role policy “[Pay](http://evil.example) <b>”"


async def hand_overs(org: Organization, incident: str, state: str = "sent") -> list[tuple[str, str]]:
    """To whom the hand-overs of an incident went, and by which channel, the first one first."""
    found = (await org.get("/deliveries", incident=incident, kind="hand_over", state=state))["data"]
    return [(each["recipient"]["id"], each["channel"]) for each in reversed(found)]


async def told(org: Organization, incident: str, whom: Sequence[str]) -> bool:
    """Whether just these were told, each by both channels."""
    wanted = sorted((person, channel) for person in whom for channel in ("email", "chat"))
    return sorted(await hand_overs(org, incident)) == wanted


async def hand_over(org: Organization, individual: str, note: str | None = None) -> None:
    body = {"individual": individual, "note": note}
    assert (await org.api.put("/incidents/INC-1/commander", json=body)).is_success


async def test_who_is_handed_the_command_is_told_once_with_the_note(org: Organization) -> None:
    ana, ben = [(await org.individual(name, "disk"))["id"] for name in ("Ana", "Ben")]
    owner = (await org.report("The disk is full"))["commander"]["id"]
    note = "Look at **db-1** first.\n[Log in](javascript:alert(1)) <script>alert(1)</script>"
    await hand_over(org, ana, note)
    await hand_over(org, ana, "The same again changes nothing.")
    await org.until(partial(told, org, "INC-1", [ana]))
    mail, chat = await _messages(org, ana)
    assert mail["subject"] == "INC-1: you are the commander now. The disk is full"
    assert "Ana, you are the commander now. Olive Owner handed over to you." in mail["text"]
    assert note in mail["text"]
    assert "<strong>db-1</strong>" in mail["html"]
    assert f'/{org.slug}/incidents/INC-1"' in mail["html"]
    assert "Status:           Investigating" in mail["text"]
    for shown in (mail["html"], to_html(chat["text"])):
        assert "<script" not in shown
        assert 'href="javascript' not in shown
    # In the channel nobody else sees it; and each was welcomed once.
    posted = (await org.get("/incidents/INC-1/messages"))["data"]
    assert not any("handed over to you" in message["text"] for message in posted)
    await org.until(partial(org.all_sent, "INC-1"))
    assert len((await org.get("/deliveries", incident="INC-1", kind="welcome"))["data"]) == 6

    # The owner takes it, and is not told; nor is anybody of an earlier hand-over once more.
    await hand_over(org, owner)
    await hand_over(org, ben)
    await hand_over(org, ana, "It was yours after all.")
    await org.until(partial(_last_told, org, ana, "It was yours after all."))
    assert owner not in {person for person, _ in await hand_overs(org, "INC-1")}
    assert len({each["id"] for each in (await org.get("/deliveries", recipient=ana, kind="hand_over"))["data"]}) == 4


async def _messages(org: Organization, recipient: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The latest hand-over that somebody got: by mail, and in the channel."""
    inbox = (await org.get("/inbox", recipient=recipient))["data"]
    found = {each["channel"]: each for each in reversed(inbox) if "handed over to you" in each["text"]}
    return found["email"], found["chat"]


async def _last_told(org: Organization, recipient: str, note: str) -> bool:
    return all(note in message["text"] for message in await _messages(org, recipient))


@pytest.mark.feature("R7")
async def test_of_a_restricted_incident_only_those_in_it_learn_who_was_told(muster: RunningMuster, org: Organization) -> None:
    await org.report("The disk is full", visibility="restricted")
    async with member(muster, org, "Mia") as mia, member(muster, org, "Noa") as noa:
        await org.post("/incidents/INC-1/participants", {"individual": mia.individual})
        await hand_over(org, mia.individual, "Nobody else knows.")
        await org.until(partial(told, org, "INC-1", [mia.individual]))
        seen = [len((await each.api.get("/deliveries?kind=hand_over")).json()["data"]) for each in (mia, noa)]
        kept = [len((await each.api.get("/inbox")).json()["data"]) for each in (mia, noa)]
    assert (seen, kept) == ([2, 0], [4, 0])


@pytest.mark.feature("N7")
async def test_a_hand_over_that_came_too_late_is_folded(muster: RunningMuster, org: Organization) -> None:
    ana, ben = [(await org.individual(name, "disk"))["id"] for name in ("Ana", "Ben")]
    owner = (await org.report("The disk is full"))["commander"]["id"]
    await hand_over(org, ana)
    state = await _state(muster, org)
    assert state.commander == ana
    for cause, recipient, reason in (
        (state.hand_over_seq, ben, "Someone else was the commander"),
        (state.hand_over_seq - 1, ana, "had become the commander anew"),
    ):
        row = await _delivered(muster, state, hand_over_cause(cause), recipient)
        assert (row.state, row.attempts) == ("folded", 0)
        assert reason in (row.reason or "")
    # Who took it from them is the commander since then, not handed anything.
    await hand_over(org, owner)
    row = await _delivered(muster, state, hand_over_cause(state.hand_over_seq), owner)
    assert row.state == "folded"


async def _state(muster: RunningMuster, org: Organization) -> IncidentState:
    incident, organization = (await org.get("/incidents/INC-1"))["id"], (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        return IncidentState.model_validate((await session.get_one(Incident, incident)).state)


async def _delivered(muster: RunningMuster, state: IncidentState, cause: str, recipient: str) -> Delivery:
    activities = NotifyActivities(muster.muster.database, Renderer("http://m"), {ChannelName.EMAIL: Scripted(sent)})
    notice = NoticeInput(
        organization=state.organization, incident=state.id, kind=NoticeKind.HAND_OVER, cause=cause, recipients=(recipient,)
    )
    (delivery,) = (await activities.plan(notice)).deliveries
    await ActivityEnvironment().run(activities.deliver, DeliveryRequest(organization=state.organization, delivery=delivery))
    async with muster.muster.database.read(state.organization) as session:
        return await session.get_one(Delivery, delivery)


async def test_what_people_wrote_is_no_markup_of_ours(muster: RunningMuster, org: Organization) -> None:
    await org.report("A [disk](http://evil.example) <b>full</b>")
    state = await _state(muster, org)
    note = "# Mine\n1. [Log in](http://evil.example) ![x](http://evil.example/x.png) <b>"
    by_person = _rendered(state, "[Rita](http://evil.example) <b>", note)
    assert "> \\# Mine\n> 1\\. \\[Log in\\](http://evil.example)" in by_person.chat
    assert note in by_person.text
    assert "<img" not in by_person.html
    by_policy = _rendered(state, None, BY_POLICY)
    assert f"Muster handed over to you: you are the {BY_POLICY}." in by_policy.text
    assert "WHAT YOU SHOULD KNOW" not in by_policy.text
    assert "What you should know" not in by_policy.html
    assert 'href="http://evil.example' not in by_policy.html
    for told in (by_person, by_policy, _rendered(state, "Rita", None)):
        assert 'href="http://evil.example' not in to_html(told.chat)
        assert "<b>" not in told.html
        assert "<b>" not in to_html(told.chat)
        assert told.subject == "INC-1: you are the commander now. A [disk](http://evil.example) <b>full</b>"
        assert "Commander before: Olive" in told.text
        assert "Olive" in re.sub(r"<[^>]+>", "", told.html)


def _rendered(state: IncidentState, by: str | None, note: str | None) -> Rendered:
    ana, olive = (Person(id=state.reporter, name=name, email="x@x.example") for name in ("Ana", "Olive"))
    facts = {"organization_name": "Org", "slug": "org", "recipient": ana, "reporter": ana, "commander": ana, "evidence": []}
    incident = InShort.model_validate(state, from_attributes=True)
    who = None if by is None else olive.model_copy(update={"name": by})
    handed = HandOverFacts.model_validate(facts | {"incident": incident, "by": who, "before": olive, "note": note})
    return Renderer("http://m").hand_over(handed)
