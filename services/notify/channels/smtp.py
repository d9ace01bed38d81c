"""Mail by SMTP (RFC 5321)."""

import asyncio
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final

import aiosmtplib

from services.notify.channels.channel import NotSent, Outgoing, Rejected
from services.notify.settings import SmtpSettings

STEP: Final = 10.0
"""Seconds for each step until the mail server has taken the addresses."""
OPENING: Final = 25.0
"""Seconds for all these steps together; together with ``HANDOVER`` surely less than an activity may take."""
HANDOVER: Final = 20.0
"""Seconds for the mail itself, from DATA until the server says that it took it."""
_PERMANENT: Final = 500
_REFUSED: Final = 400


class SmtpChannel:
    """Sends one mail a delivery. The Message-ID follows from the delivery, so a mail that was sent again in doubt can be told."""

    provider = "smtp"
    idempotent = False

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._sender = parseaddr(settings.sender)[1]

    async def send(self, message: Outgoing) -> str:
        """See ``Channel``."""
        international = not (message.address + self._sender).isascii()
        try:
            mail = self._compose(message)
            content = mail.as_bytes(policy=policy.SMTP.clone(cte_type="7bit", utf8=international))
        except ValueError as error:
            raise Rejected(f"there is no mail to this name and address: {error}") from error
        client = aiosmtplib.SMTP(
            hostname=self._settings.host,
            port=self._settings.port,
            timeout=STEP,
            use_tls=self._settings.security == "tls",
            start_tls=self._settings.security == "starttls",
        )
        try:
            await self._open(client, message.address, international)
            await _hand_over(client, content)
        finally:
            client.close()
        return str(mail["Message-ID"])

    async def _open(self, client: aiosmtplib.SMTP, address: str, international: bool) -> None:
        """Everything before the mail itself: whatever ends it, nothing went out."""
        try:
            async with asyncio.timeout(OPENING):
                await client.connect()
                if self._settings.username and self._settings.password:
                    await client.login(self._settings.username, self._settings.password.get_secret_value())
                if international:
                    await client.ehlo()
                    if not client.supports_extension("smtputf8"):
                        raise Rejected("the mail server cannot take this address: it has letters beyond ASCII (no SMTPUTF8)")
                encoding, options = ("utf-8", ["SMTPUTF8"]) if international else ("ascii", [])
                await client.mail(self._sender, options=options, encoding=encoding)
                await client.rcpt(address, encoding=encoding)
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPRecipientRefused) as refused:
            raise _refusal(refused) from refused
        except asyncio.CancelledError as error:
            raise NotSent("the worker stopped before the mail was handed over") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotSent(f"the mail server does not take connections: {str(error) or 'it is too slow'}") from error
        except ValueError as error:
            raise Rejected(f"the mail server cannot be given this address: {error}") from error

    def _compose(self, message: Outgoing) -> EmailMessage:
        if "=?" in message.address:
            raise ValueError("an encoded word could decode to another address")
        local, _, domain = message.address.rpartition("@")
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = Address(display_name=message.name, username=local, domain=domain)
        mail["Subject"] = message.subject
        mail["Message-ID"] = f"<{message.delivery}@{self._sender.rpartition('@')[2] or 'localhost'}>"
        mail["X-Muster-Delivery"] = message.delivery
        # Out-of-office answers to these help nobody (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail


async def _hand_over(client: aiosmtplib.SMTP, content: bytes) -> None:
    """The mail itself: only a refusal in the server's own words says that it did not take it."""
    try:
        async with asyncio.timeout(HANDOVER):
            await client.data(content, timeout=HANDOVER)
    except aiosmtplib.SMTPResponseException as refused:
        if refused.code < _REFUSED:
            raise
        raise _refusal(refused) from refused
    except TimeoutError as error:
        raise TimeoutError("the mail server was sent the mail and did not answer in time") from error


def _refusal(refused: aiosmtplib.SMTPResponseException) -> Exception:
    said = f"the mail server said {refused.code} {refused.message}"
    return Rejected(said) if refused.code >= _PERMANENT else NotSent(said)
