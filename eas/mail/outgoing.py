"""A message on its way out: what the phone wrote, byte by byte, with only the header fields set that must be.

The content is never touched, or signatures (S/MIME) would break; only bare line feeds become CRLF, the canonical form
in which such signatures are made.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from eas.mail.header_fields import Block, HeaderTooLong, address_field, is_address
from storage.message.addresses import Address, parse_addresses
from storage.message.conversation import message_ids
from storage.message.headers import HEADER_BYTES_MAX

RECIPIENTS_MAX = 1000  # what Postfix takes by default (smtpd_recipient_limit)

_BARE_LINE_END = re.compile(rb"\r\n|\r|\n")
_RECIPIENT_FIELDS = (b"to", b"cc", b"bcc")
_SPELLED = {b"to": "To", b"cc": "Cc", b"bcc": "Bcc"}


class UnreadableMime(Exception):
    """No message: empty, without any header field, or with a header above its bound ([MS-ASCMD] Status 107)."""


class NoRecipient(Exception):
    """Nobody to send it to ([MS-ASCMD] Status 119); `entries` are those that hold no address."""

    def __init__(self, entries: tuple[str, ...]) -> None:
        super().__init__(entries)
        self.entries = entries


class TooManyRecipients(Exception):
    """More than `RECIPIENTS_MAX`."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What to submit, and what to keep."""

    message: bytes  # for the recipients: without Bcc
    copy: bytes  # for Sent Items: with Bcc, when there is one
    envelope_from: str
    recipients: tuple[str, ...]  # each once, in the order of To, Cc, Bcc
    unusable: tuple[str, ...]  # entries of these fields that hold no address
    message_id: str  # with angle brackets


def outgoing(mime: bytes, addresses: Sequence[str], now: datetime, new_message_id: str) -> Outgoing:
    """Make the phone's message ready to be sent.

    *addresses* are the account's, its primary one first; From must be one of them, else the primary takes its place,
    under the name that the phone gave.  *new_message_id* (with angle brackets) is used when there is none.
    Raises `UnreadableMime`, `NoRecipient`, `TooManyRecipients`.
    """
    block = _read(mime)
    recipients, unusable = _recipients(block)
    if not recipients:
        raise NoRecipient(unusable)
    sender = _set_from(block, addresses)
    block.remove(b"return-path", b"")
    for name in _RECIPIENT_FIELDS:
        _mend_separators(block, name)
    if not block.has(b"date"):
        block.put(b"date", b"Date: %s\r\n" % format_datetime(now).encode())
    ids = [found for value in block.values(b"message-id") for found in message_ids(value)]
    if not ids:
        ids = [new_message_id.encode()]
        block.put(b"message-id", b"Message-ID: %s\r\n" % ids[0])
    copy = block.message()
    message = copy
    if any(name == b"bcc" for name, _ in block.fields):
        block.remove(b"bcc")
        message = block.message()
    return Outgoing(
        message=message,
        copy=copy,
        envelope_from=sender,
        recipients=recipients,
        unusable=unusable,
        message_id=ids[0].decode("ascii", "replace"),
    )


def _read(mime: bytes) -> Block:
    if mime.count(b"\n") != mime.count(b"\r\n") or mime.count(b"\r") != mime.count(b"\r\n"):
        mime = _BARE_LINE_END.sub(b"\r\n", mime)
    try:
        block = Block(mime)
    except HeaderTooLong as error:
        raise UnreadableMime(f"header above {HEADER_BYTES_MAX} bytes") from error
    if not any(name for name, _ in block.fields):
        raise UnreadableMime("no header")
    if not block.content.endswith(b"\r\n"):
        block.content += b"\r\n"  # Outlook fails to decode quoted-printable that ends inside a line
    return block


def _recipients(block: Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found: dict[str, str] = {}
    unusable: list[str] = []
    for name in _RECIPIENT_FIELDS:
        for value in block.values(name):
            for mailbox in parse_addresses(value, limit=HEADER_BYTES_MAX):
                if is_address(mailbox.address):
                    found.setdefault(mailbox.address.lower(), mailbox.address)
                else:
                    unusable.append(str(mailbox))
    if len(found) > RECIPIENTS_MAX:
        raise TooManyRecipients
    return tuple(found.values()), tuple(unusable)


def _set_from(block: Block, addresses: Sequence[str]) -> str:
    """Make From an address of the account, and return that address."""
    own = {address.lower(): address for address in addresses}
    values = block.values(b"from")
    mailboxes = [mailbox for value in values for mailbox in parse_addresses(value)]
    for value in block.values(b"sender"):
        if any(mailbox.address.lower() not in own for mailbox in parse_addresses(value)):
            block.remove(b"sender")
    if len(values) == 1 and len(mailboxes) == 1 and mailboxes[0].address.lower() in own:
        return mailboxes[0].address
    kept = next((each for each in mailboxes if each.address.lower() in own), None)
    name = kept.name if kept else next((each.name for each in mailboxes if each.name), "")
    address = own[kept.address.lower()] if kept else addresses[0]
    block.put(b"from", address_field("From", [Address(name, address)]))
    return address


def _mend_separators(block: Block, name: bytes) -> None:
    """Write a list anew whose addresses are separated by semicolons, as Outlook and Android write them."""
    values = block.values(name)
    if any(b";" in value and b":" not in value for value in values):
        mailboxes = [mailbox for value in values for mailbox in parse_addresses(value, limit=HEADER_BYTES_MAX)]
        block.put(name, address_field(_SPELLED[name], mailboxes))
    elif name != b"bcc" and any(each == name for each, _ in block.fields) and not values:
        block.remove(name)  # an empty To is not allowed (RFC 5322 3.6.3)
