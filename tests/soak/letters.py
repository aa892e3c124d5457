"""Mails that can be told apart: each has a token in its subject, and a body of which the digest is known."""

import base64
import hashlib
import re
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.soak.plan import DOMAIN, address

LINE: Final = 57  # bytes that give a line of 76
KILO: Final = 1024
_TOKEN = re.compile(r"\[([a-z]+[0-9]+-[0-9a-f]{8})\]")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, and whose phones must hold it in the end."""

    token: str
    accounts: tuple[int, ...]
    sender: str
    message: bytes
    digest: str
    """Of the bytes after the header, which no mail system changes."""


def token_of(subject: str) -> str:
    """Return the token in a subject, "" without one."""
    found = _TOKEN.search(subject)
    return found[1] if found else ""


def body_digest(message: bytes) -> str:
    """Return the digest of what follows the header."""
    return hashlib.sha256(message.replace(b"\r\n", b"\n").partition(b"\n\n")[2].rstrip(b"\n")).hexdigest()


def letter(random: Random, token: str, accounts: tuple[int, ...], size_bytes: int, sender: str) -> Letter:
    """Return a mail of about that size whose text no compression makes shorter."""
    filler = random.randbytes(size_bytes * 3 // 4)
    lines = [base64.b64encode(filler[start : start + LINE]).decode() for start in range(0, len(filler), LINE)]
    head = [
        f"From: {sender}",
        f"To: {', '.join(map(address, accounts))}",
        f"Subject: [{token}] {size_bytes} bytes",
        f"Message-ID: <{token}@{DOMAIN}>",
        "Date: Mon, 01 Jan 2024 08:00:00 +0000",
    ]
    message = "\r\n".join([*head, "", f"This is {token}.", *lines, f"So ends {token}.", ""]).encode()
    return Letter(token, accounts, sender, message, body_digest(message))


def from_outside(random: Random, number: int, accounts: int, *, is_huge: bool) -> Letter:
    """Return mail *number* from the world: one recipient or, now and then, two; mostly a few KB, or some MB."""
    token = f"mail{number}-{random.randbytes(4).hex()}"
    chosen = tuple(random.sample(range(1, accounts + 1), 2 if random.random() < 0.03 else 1))
    size = random.choice((1, 2, 4, 8, 8, 16, 40, 120)) * KILO
    if is_huge:
        size = random.randrange(1024, 3 * 1024) * KILO
    return letter(random, token, chosen, size, "friend@example.net")
