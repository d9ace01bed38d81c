"""What Muster needs goes away, and comes back."""

import asyncio
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from services.kit.temporal_server import EmbeddedTemporal
from tests.faults import story
from tests.faults.processes import MusterProcess
from tests.support.ports import free_port


class _Post(Message):
    """Keeps every mail that arrives."""

    def __init__(self) -> None:
        super().__init__(EmailMessage)
        self.arrived: list[EmailMessage] = []

    def handle_message(self, message: Any) -> None:
        self.arrived.append(message)


async def _report(client: story.Client, title: str) -> str:
    return str((await client.ask("POST", "/incidents", {"title": title}))["id"])


async def _states(client: story.Client, incident: str) -> Counter[tuple[str, str]]:
    return Counter((d["channel"], d["state"]) for d in await client.data("/deliveries", incident=incident))


@pytest.mark.feature("R4")
async def test_a_report_is_taken_while_temporal_is_down_and_starts_when_it_is_back(program: Path, tmp_path: Path) -> None:
    port = free_port()
    muster = MusterProcess(tmp_path / "muster", program, TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
    await muster.start()
    try:
        while not (muster.folder / "owner-token").exists():
            await asyncio.sleep(0.1)
        async with story.Client(muster) as client:
            incident = await _report(client, "all is down")
            again = await client.ask("POST", "/incidents", {"title": "all is down"})
            assert again["id"] == incident
            assert (await client.get(f"/incidents/{incident}/receipt"))["state"] == "starting"
            edited = await client.http.patch(f"/incidents/{incident}", json={"title": "nothing is down"})
            assert (edited.status_code, edited.json()["code"]) == (503, "temporal_unavailable")
            async with EmbeddedTemporal(program, tmp_path / "temporal", lambda _: None, port=port, ui_port=0):
                await client.until(lambda: _all_sent(client, incident, 2), "welcomed")
                assert (await client.get(f"/incidents/{incident}/receipt"))["state"] == "ready"
                await muster.stop()
    finally:
        await muster.stop()


@pytest.mark.feature("N7", "N6")
async def test_mail_that_is_down_delays_only_mail(program: Path, tmp_path: Path) -> None:
    port, post = free_port(), _Post()
    smtp = {"MUSTER_SMTP_HOST": "127.0.0.1", "MUSTER_SMTP_PORT": str(port), "MUSTER_SMTP_SECURITY": "none"}
    async with MusterProcess(tmp_path, program, **smtp).running() as muster, story.Client(muster) as client:
        await story.prepare(client)
        incident = await _report(client, "Credential")
        await client.until(lambda: _has(client, incident, {("chat", "sent"): 2, ("email", "pending"): 2}), "chat welcomes")
        await client.ask("PATCH", f"/incidents/{incident}", {"title": "System"})
        await client.until(lambda: _has(client, incident, {("chat", "sent"): 3, ("email", "pending"): 3}), "one more")
        await client.ask("POST", f"/incidents/{incident}/transitions", {"to": "stable"})
        server = Controller(post, hostname="127.0.0.1", port=port)
        server.start()
        try:
            await client.until(lambda: _all_sent(client, incident, 6), "the mail, too")
        finally:
            server.stop()
        deliveries = await client.data("/deliveries", incident=incident)
        assert {d["in_doubt"] for d in deliveries} == {False}
        mailed = {d["id"] for d in deliveries if d["channel"] == "email"}
        assert Counter(mail["X-Muster-Delivery"] for mail in post.arrived) == Counter(mailed)


@pytest.mark.feature("L11", "E5")
async def test_up_goes_on_from_the_log_when_temporals_data_is_lost(program: Path, tmp_path: Path) -> None:
    muster = MusterProcess(tmp_path, program)
    async with muster.running(), story.Client(muster) as client:
        await story.prepare(client)
        incidents = [await _report(client, "Credential Leak") for _ in range(2)]
        incident = incidents[0]
        await client.until(lambda: _all_sent(client, incident, 8), "welcomed")
        over = (await client.ask("POST", "/incidents", {"title": "over"}))["id"]
        await client.ask("POST", f"/incidents/{over}/transitions", {"to": "cancelled", "reason": "A drill."})
    for file in ("temporal.db", "temporal.db-wal", "temporal.db-shm"):
        (tmp_path / file).unlink(missing_ok=True)

    async with muster.running(), story.Client(muster) as client:
        assert "1 open incidents go on from the event log" in muster.log
        await _goes_on(client, incident)


@pytest.mark.feature("L11", "E5")
async def test_recover_brings_back_what_a_temporal_elsewhere_has_lost(program: Path, tmp_path: Path) -> None:
    port = free_port()
    muster = MusterProcess(tmp_path / "muster", program, TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
    temporal = EmbeddedTemporal(program, tmp_path / "before", lambda _: None, port=port, ui_port=0)
    await temporal.__aenter__()
    async with muster.running(), story.Client(muster) as client:
        await story.prepare(client)
        incident = await _report(client, "Credential Leak")
        await client.until(lambda: _all_sent(client, incident, 8), "welcomed")
        await temporal.__aexit__(None, None, None)
        async with EmbeddedTemporal(program, tmp_path / "after", lambda _: None, port=port, ui_port=0):
            recover = MusterProcess(tmp_path / "muster", program, ("recover",), TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
            code, said = await recover.run()
            assert code == 0
            assert "1 open incidents have a workflow." in said
            await _goes_on(client, incident)
            await muster.stop()


async def _goes_on(client: story.Client, incident: str) -> None:
    """An open incident with four people takes changes, and welcomes only those who are new."""
    await client.ask("PATCH", f"/incidents/{incident}", {"title": "System Compromise"})
    await client.until(lambda: _all_sent(client, incident, 14), "three more welcomed")
    await client.ask("POST", f"/incidents/{incident}/transitions", {"to": "stable"})
    deliveries = await client.data("/deliveries", incident=incident)
    assert {d["attempts"] for d in deliveries} == {1}
    inbox = [message["recipient"]["id"] for message in await client.data("/inbox") if message["incident"] == incident]
    assert set(Counter(inbox).values()) == {2}


async def _all_sent(client: story.Client, incident: str, deliveries: int) -> bool:
    found = await _states(client, incident)
    return found.total() == deliveries and all(state == "sent" for _, state in found)


async def _has(client: story.Client, incident: str, wanted: dict[tuple[str, str], int]) -> bool:
    return await _states(client, incident) == Counter(wanted)
