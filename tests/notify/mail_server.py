"""A mail server of the test's own, that can be told to misbehave."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.ports import free_port


def links(mail: EmailMessage) -> str:
    """The addresses in a mail's text, one after the other."""
    text = mail.get_body(("plain",))
    assert text is not None
    return " ".join(re.findall(r"https?://\S+", str(text.get_content())))


@dataclass
class MailServer:
    """Takes mail on one port, when it is up.

    ``refuse`` is answered to a recipient; ``cut_early`` connections are cut at the recipient; ``drop_next`` mails are taken, and
    then the connection is cut before the answer; a mail is refused with each
    code of ``quoting`` and its own links; ``stall`` is the command ("RCPT", "DATA") that is never answered.
    """

    port: int = field(default_factory=free_port)
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str | None = None
    cut_early: int = 0
    drop_next: int = 0
    quoting: list[int] = field(default_factory=list)
    stall: str | None = None
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    async def _stall(self, command: str) -> None:
        if self.stall == command:
            self.stalled.set()
            await asyncio.Event().wait()

    async def handle_RCPT(self, server: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]) -> str:  # noqa: N802
        """aiosmtpd's hook."""
        await self._stall("RCPT")
        if self.cut_early > 0:
            self.cut_early -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        if self.refuse is not None:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        """aiosmtpd's hook."""
        assert isinstance(envelope.content, bytes)
        mail: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(mail)
        await self._stall("DATA")
        if self.drop_next > 0:
            self.drop_next -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        if self.quoting:
            return f"{self.quoting.pop(0)} it has a link that is not liked: {links(mail)}"
        return "250 OK"

    async def up(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="mail.test", loop=loop), "127.0.0.1", self.port)

    async def down(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def to(self, address: str) -> list[EmailMessage]:
        """What came for an address."""
        return [mail for mail in self.mails if [each.addr_spec for each in mail["To"].addresses] == [address]]


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """A server that is up."""
    server = MailServer()
    await server.up()
    try:
        yield server
    finally:
        await server.down()
