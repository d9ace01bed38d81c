"""The ledger holds one intent for each person, kind and channel; the inbox is its recipient's (N5, N6)."""

from collections import Counter

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from services.kit.clock import now
from services.kit.ids import new_id
from services.store.deliveries import Delivery
from tests.accounts.members import member
from tests.support.running import Organization, RunningMuster


@pytest.mark.feature("N6")
async def test_an_intent_is_unique(muster: RunningMuster, org: Organization) -> None:
    await org.individual("Ana", "unique")
    incident = (await org.report("Unique"))["id"]
    await org.until(lambda: org.all_sent(incident))
    found = await org.deliveries(incident)
    keys = Counter((each["incident"], each["kind"], each["recipient"]["id"], each["channel"]) for each in found)
    assert set(keys.values()) == {1}
    organization = (await org.get("/me"))["organization"]["id"]
    async with muster.muster.database.read(organization) as session:
        row = (await session.scalars(select(Delivery))).first()
        assert row is not None
    again = Delivery(id=new_id(), intended_at=now(), updated_at=now())
    for name in ("organization_id", "incident_id", "kind", "cause", "recipient_id", "address", "channel"):
        setattr(again, name, getattr(row, name))
    with pytest.raises(IntegrityError):
        async with muster.muster.database.write(organization) as session:
            session.add(again)


@pytest.mark.feature("N5", "N1")
async def test_messages_are_their_recipients(muster: RunningMuster, org: Organization) -> None:
    async with member(muster, org, "Mia") as mia, member(muster, org, "Noa") as noa:
        for each in (mia, noa):
            await org.api.put(f"/individuals/{each.individual}/terms", json={"terms": ["inbox"]})
        incident = (await org.report("An inbox"))["id"]
        await org.until(lambda: org.all_sent(incident))
        hers = (await mia.api.get("/inbox")).json()["data"]
        assert {(each["recipient"]["id"], each["channel"]) for each in hers} == {
            (mia.individual, "email"),
            (mia.individual, "chat"),
        }
        assert (await mia.api.get(f"/inbox?recipient={noa.individual}")).json()["data"] == []
        everyones = (await org.get("/inbox"))["data"]
        assert len({each["recipient"]["id"] for each in everyones}) == 3
        only_noa = (await org.get("/inbox", recipient=noa.individual))["data"]
        assert {each["recipient"]["id"] for each in only_noa} == {noa.individual}
        mail = next(each for each in hers if each["channel"] == "email")
        assert "An inbox" in mail["subject"]
        assert "inbox" in mail["text"]
        assert "<html" in mail["html"].lower()
        mine = [
            message for message in (await mia.api.get(f"/incidents/{incident}/messages")).json()["data"] if message["only_you"]
        ]
        assert len(mine) == 1
        assert "Mia" in mine[0]["text"]
        assert "Noa" not in mine[0]["text"]
        await mia.api.post(f"/incidents/{incident}/messages", json={"text": "hello all"})
        seen = [message["text"] for message in (await noa.api.get(f"/incidents/{incident}/messages")).json()["data"]]
        assert "hello all" in seen
        assert not any("Mia" in text for text in seen)


@pytest.mark.feature("N6")
async def test_deliveries_are_filtered(org: Organization) -> None:
    ana = await org.individual("Ana", "filter")
    await org.report("Filter")
    await org.until(lambda: org.all_sent("INC-1"))
    everything = await org.deliveries("INC-1")
    assert len(everything) == 4
    for params, wanted in (
        ({"recipient": ana["id"]}, 2),
        ({"channel": "email"}, 2),
        ({"state": "sent"}, 4),
        ({"state": "failed"}, 0),
        ({"kind": "welcome"}, 4),
        ({"incident": "inc-1", "channel": "chat", "recipient": ana["id"]}, 1),
    ):
        assert len((await org.get("/deliveries", **params))["data"]) == wanted, params
