"""Handing a message to the mail server that sends it (SMTP, RFC 5321; on a network of its own, so without login).

All recipients or none: the phone still has the message and can say for whom it failed, which it could not for a part
of them.  What is not known to have failed may have been sent: once the content is on its way, only a reply tells.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress

import aiosmtplib

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 60.0
"""For each command up to the content: the phone waits meanwhile."""
CONTENT_SECONDS = 300.0
"""For the content and the reply to it, which filters may delay."""
SUBMIT_SECONDS_MAX = 480.0
"""For all of it.  `eas/sending/outbox.py` relies on an attempt being over after this."""
TEXT_CHARS_MAX = 500
"""Of the server's reply, as it is kept for the log."""


class SubmissionFailed(Exception):
    """The message was not taken, or (*certain* False) it is not known whether it was.

    *permanent*: it will not be taken later either.  *code*: the server's reply, 0 for none.  *recipients*: those that
    were refused.
    """

    def __init__(
        self, text: str, *, permanent: bool, certain: bool = True, code: int = 0, recipients: Sequence[str] = ()
    ) -> None:
        super().__init__(text[:TEXT_CHARS_MAX])
        self.permanent, self.certain, self.code = permanent, certain, code
        self.recipients = tuple(recipients)


class Submission:
    """Submits through one server; a conversation for each message."""

    def __init__(self, host: str, port: int) -> None:
        """Take the server's address.  TLS is used where the server offers it; within one machine unverified."""
        self._host, self._port = host, port

    async def __call__(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Hand *message* over for all *recipients*, or for none.  Raises `SubmissionFailed`."""
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=socket.gethostname(),
            timeout=COMMAND_SECONDS,
            validate_certs=not is_loopback(self._host),
        )
        certain = True
        try:
            async with asyncio.timeout(SUBMIT_SECONDS_MAX):
                await client.connect(timeout=CONNECT_SECONDS)
                await _envelope(client, sender, recipients, message)
                certain = False
                await client.data(message, timeout=CONTENT_SECONDS)
        except aiosmtplib.SMTPResponseException as error:
            text, is_refusal = f"{error.code} {error.message}", error.code >= 400
            raise SubmissionFailed(
                text, permanent=error.code >= 500, certain=certain or is_refusal, code=error.code
            ) from error
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:  # ValueError: an address that SMTP cannot carry
            raise SubmissionFailed(str(error), permanent=True) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise SubmissionFailed(repr(error), permanent=False, certain=certain) from error
        finally:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                if client.is_connected:
                    await client.quit(timeout=CONNECT_SECONDS)
            client.close()


def is_loopback(host: str) -> bool:
    """Tell whether *host* is this machine, whose certificate nobody signs and nobody can come between."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _envelope(client: aiosmtplib.SMTP, sender: str, recipients: Sequence[str], message: bytes) -> None:
    """Name sender and recipients.  Raises `SubmissionFailed` if one of them is refused: nothing is sent then."""
    await client.ehlo()
    options, encoding = [], "ascii"
    if client.supports_extension("size"):
        options.append(f"SIZE={len(message)}")  # RFC 1870 6: refused before the content travels
    if not message.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")  # RFC 6152 3
    if not all(address.isascii() for address in (sender, *recipients)):
        if not client.supports_extension("smtputf8"):
            raise aiosmtplib.SMTPNotSupported("an address needs SMTPUTF8")
        options.append("SMTPUTF8")  # RFC 6531 3.4
        encoding = "utf-8"
    await client.mail(sender, options=options, encoding=encoding)
    refused: dict[str, aiosmtplib.SMTPRecipientRefused] = {}
    for recipient in recipients:
        try:
            await client.rcpt(recipient, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            refused[recipient] = error
    if refused:
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await client.rset()
        worst = max(refused.values(), key=lambda error: error.code)
        text = f"{worst.code} {worst.message}"
        raise SubmissionFailed(text, permanent=worst.code >= 500, code=worst.code, recipients=list(refused))
