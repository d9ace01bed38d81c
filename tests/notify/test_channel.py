"""One mail and the mail server: whom it goes to, and what is known when it is cut short (N1, N6)."""

import asyncio
from dataclasses import replace

import pytest

from services.notify.channels.channel import NotSent, Outgoing, Rejected
from services.notify.channels.smtp import SmtpChannel
from services.notify.settings import SmtpSettings
from tests.notify.mail_server import MailServer, mail_server

pytestmark = pytest.mark.feature("N6")
MESSAGE = Outgoing("o", "i", "d", "r", "Ana", "ana@example.org", "INC-1 leak", "text\n.\n🙈", "<p>html</p>", "chat")


def channel(server: MailServer) -> SmtpChannel:
    return SmtpChannel(SmtpSettings(host="127.0.0.1", port=server.port, security="none"))


@pytest.mark.parametrize("name", ["Ana", "Änä, <eve@evil.example>", "=?utf-8?q?eve=40evil.example?=", 'A"na', ""])
async def test_a_mail_goes_to_its_address_whatever_the_name(name: str) -> None:
    async with mail_server() as server:
        await channel(server).send(replace(MESSAGE, name=name))
        (found,) = server.mails
    (address,) = found["To"].addresses
    assert address.addr_spec == "ana@example.org"
    assert str(found.get_body(("plain",)).get_content()).split() == ["text", ".", "🙈"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?victim=40evil.example=2Cx?=@example.org",
        "a@=?utf-8?q?evil.example?=",
        "=?utf-8?q?x=0d=0aX-Evil=3A_1?=@example.org",
        "a@b.example\r\nBcc: x@y.example",
        "änä@example.org",
    ],
)
async def test_an_address_that_cannot_be_written_to_is_rejected(address: str) -> None:
    async with mail_server() as server:
        with pytest.raises(Rejected):
            await channel(server).send(replace(MESSAGE, address=address))
    assert server.mails == []


@pytest.mark.parametrize(("command", "outcome"), [("RCPT", NotSent), ("DATA", asyncio.CancelledError)])
async def test_only_what_is_cut_short_after_the_mail_was_handed_over_is_in_doubt(
    command: str, outcome: type[BaseException]
) -> None:
    async with mail_server() as server:
        server.stall = command
        sending = asyncio.create_task(channel(server).send(MESSAGE))
        await server.stalled.wait()
        sending.cancel()
        with pytest.raises(outcome):
            await sending
