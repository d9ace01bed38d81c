"""Mail by SMTP (RFC 5321)."""

from email.message import EmailMessage
from email.utils import parseaddr
from typing import Final

import aiosmtplib

from services.notify.channels.channel import NotSent, Outgoing, Rejected
from services.notify.settings import SmtpSettings

TIMEOUT: Final = 10.0
"""Seconds for each step with the mail server."""
_PERMANENT: Final = 500


class SmtpChannel:
    """Sends one mail a delivery. The Message-ID follows from the delivery, so a mail that was sent again in doubt can be told."""

    provider = "smtp"
    idempotent = False

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def send(self, message: Outgoing) -> str:
        """See ``Channel``."""
        mail = self._compose(message)
        client = aiosmtplib.SMTP(
            hostname=self._settings.host,
            port=self._settings.port,
            timeout=TIMEOUT,
            use_tls=self._settings.security == "tls",
            start_tls=self._settings.security == "starttls",
        )
        try:
            await client.connect()
            if self._settings.username and self._settings.password:
                await client.login(self._settings.username, self._settings.password.get_secret_value())
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise NotSent(f"the mail server does not take connections: {error}") from error
        try:
            await client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _refusal(refused.recipients[0]) from refused
        except aiosmtplib.SMTPResponseException as refused:
            raise _refusal(refused) from refused
        except aiosmtplib.SMTPNotSupported as refused:
            raise Rejected(f"the mail server cannot take this address: {refused}") from refused
        finally:
            client.close()
        return str(mail["Message-ID"])

    def _compose(self, message: Outgoing) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._settings.sender
        mail["To"] = message.address
        mail["Subject"] = message.subject
        domain = parseaddr(self._settings.sender)[1].rpartition("@")[2] or "localhost"
        mail["Message-ID"] = f"<{message.delivery}@{domain}>"
        mail["X-Muster-Delivery"] = message.delivery
        # Out-of-office answers to these help nobody (RFC 3834).
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail


def _refusal(refused: aiosmtplib.SMTPResponseException) -> Exception:
    said = f"the mail server said {refused.code} {refused.message}"
    return Rejected(said) if refused.code >= _PERMANENT else NotSent(said)
