"""What delivery adds to a message, and what it reads in it."""

import mmap
import re
from datetime import datetime
from email.utils import format_datetime

HEADER_BYTES_MAX = 262_144  # further down nobody looks for the spam filter's word

_CLIENT = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
_SPAM_FIELD = b"\r\nx-spam-flag:"
_SPAM_YES = re.compile(rb"(?:\r\n[ \t]|[ \t])*+yes[ \t]*+(?:\r\n|\Z)")


def trace_lines(
    *, sender: str, address: str, client: str, peer: str, hostname: str, utf8: bool, delivery_id: str, at: datetime
) -> bytes:
    """Return our header lines, each with its CRLF: Return-Path, Delivered-To and Received (RFC 5321 4.4).

    *peer* is an address literal such as `[127.0.0.1]`, or empty for a Unix socket.
    """
    shown = client if _CLIENT.fullmatch(client) else "unknown"
    origin = f"{shown} ({peer})" if peer else shown
    protocol = "UTF8LMTP" if utf8 else "LMTP"  # RFC 3848, RFC 6531
    return (
        f"Return-Path: <{sender}>\r\n"
        f"Delivered-To: {address}\r\n"
        f"Received: from {origin}\r\n"
        f"\tby {hostname} with {protocol} id {delivery_id}\r\n"
        f"\tfor <{address}>; {format_datetime(at)}\r\n"
    ).encode()


def is_junk(message: bytes | mmap.mmap) -> bool:
    """Return whether the header says `X-Spam-Flag: YES`, as spam filters write it.

    A sender may write it as well: then the mail is where it belongs.
    """
    if message[:2] == b"\r\n":  # no header at all
        return False
    end = message.find(b"\r\n\r\n", 0, HEADER_BYTES_MAX)
    header = b"\r\n" + message[: end + 2 if end >= 0 else HEADER_BYTES_MAX].lower()
    at = header.find(_SPAM_FIELD)
    while at >= 0:
        if _SPAM_YES.match(header, at + len(_SPAM_FIELD)):
            return True
        at = header.find(_SPAM_FIELD, at + 1)
    return False
