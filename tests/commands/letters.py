"""Letters for tests of fetching and finding: written out, so that a test sees what it looks for."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

BEGIN = datetime(2024, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class File:
    """An attachment, and how it is written: base64 lines of *width*, or as it is."""

    name: str
    data: bytes
    content_type: str = "application/pdf"
    width: int = 76
    encoding: str = "base64"

    def part(self) -> bytes:
        header = (
            f'Content-Type: {self.content_type}; name="{self.name}"\r\n'
            f'Content-Disposition: attachment; filename="{self.name}"\r\n'
            f"Content-Transfer-Encoding: {self.encoding}\r\n\r\n"
        )
        return header.encode() + (self.base64() if self.encoding == "base64" else self.data)

    def base64(self) -> bytes:
        text = base64.b64encode(self.data)
        return b"\r\n".join(text[start : start + self.width] for start in range(0, len(text), self.width))


def letter(
    subject: str = "Lunch",
    text: str = "Shall we?",
    *,
    sender: str = "Bob <bob@example.net>",
    to: str = "u1@example.test",
    cc: str = "",
    files: Sequence[File] = (),
    references: str = "",
    number: int = 0,
    extra: str = "",
) -> bytes:
    """A message; *number* makes it different from others."""
    header = (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {format_datetime(BEGIN)}\r\n"
        f"Message-ID: <{number}@example.net>\r\n{extra}MIME-Version: 1.0\r\n"
    )
    if cc:
        header += f"Cc: {cc}\r\n"
    if references:
        header += f"References: {references}\r\nIn-Reply-To: {references}\r\n"
    body = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n".encode()
    if not files:
        return header.encode() + body
    parts = [body, *(file.part() for file in files)]
    joined = b"".join(b"--=_b\r\n" + part + b"\r\n" for part in parts)
    return header.encode() + b'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n' + joined + b"--=_b--\r\n"
