"""Mail as it comes from Postfix: a mixture of realistic kinds and sizes, the same for the same number.

`mixed_message(n)`: about 60 % plain of 2 KB, 30 % alternative of 10 to 30 KB, 10 % with an attachment of 50 to 200 KB.
"""

from base64 import encodebytes
from binascii import b2a_qp
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from random import Random

_FIRST = datetime(2024, 1, 1, 8, 0, tzinfo=UTC)
_PEOPLE = (
    ("Anna Berger", "anna@example.org"),
    ("Jörg Müller", "joerg@example.net"),
    ("Søren Ærø", "soeren@example.com"),
    ("Doe, John", "john.doe@example.org"),
    ("山田太郎", "yamada@example.jp"),
    ("", "noreply@shop.example.com"),
    ("Мария Иванова", "maria@example.ru"),
)
_SUBJECTS = (
    "Meeting on Thursday",
    "Rückfrage zur Rechnung",
    "Your order has shipped",
    "会議の件",
    "Holiday photos",
    "Отчёт",
)
_SENTENCES = (
    "Please find below what we talked about yesterday.",
    "Könnten Sie mir bitte die Unterlagen bis Freitag schicken?",
    "The new figures look better than expected, although March was weak.",
    "Grüße aus Zürich, wir sehen uns nächste Woche!",
    "Let me know whether 10 o'clock suits you; otherwise we move it.",
    "明日の会議は十時に始まります。",
    "I have attached the minutes; corrections are welcome until Monday.",
)
_CHARSETS = ("utf-8", "utf-8", "utf-8", "iso-8859-1", "windows-1252")
_REPEATING = Random(0).randbytes(96 * 1024)


def mixed_message(n: int) -> bytes:
    """Message number *n* of the mixture, CRLF line ends, with the trace that Postfix and LMTP put on top."""
    random = Random(n)
    kind = random.random()
    if kind < 0.6:
        header, body = _plain(random, random.randint(600, 3400))
    elif kind < 0.9:
        header, body = _alternative(random, n, random.randint(10_000, 30_000))
    else:
        header, body = _with_attachment(random, n, random.randint(50_000, 200_000))
    return trace(n) + envelope(n, random) + header + b"\r\n" + body


def trace(n: int) -> bytes:
    """The header lines of the last two hops."""
    when = format_datetime(_FIRST + timedelta(minutes=7 * n, seconds=3)).encode()
    return (
        b"Received: from mx1.example.org (mx1.example.org [192.0.2.%d])\r\n"
        b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
        b"\tby mail.example.org (Postfix) with ESMTPS id %010X\r\n\tfor <anna@example.org>; %s\r\n"
        b"Received: from out.example.net (out.example.net [198.51.100.%d])\r\n"
        b"\tby mx1.example.org (Postfix) with ESMTP id %010X; %s\r\n"
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s1;\r\n"
        b"\th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
        b"\tb=%s\r\n"
    ) % (n % 256, n, when, n % 256, n + 1, when, _fold(encodebytes(_REPEATING[:192]).replace(b"\n", b"")))


def envelope(n: int, random: Random) -> bytes:
    """From, To, Subject, Date, Message-ID and, for one in three, the thread that it belongs to."""
    name, address = random.choice(_PEOPLE)
    subject = random.choice(_SUBJECTS)
    lines = [
        f"Date: {format_datetime(_FIRST + timedelta(minutes=7 * n))}",
        f"From: {_mailbox(name, address)}",
        "To: " + ",\r\n ".join(_mailbox(*each) for each in random.sample(_PEOPLE, random.randint(1, 3))),
        f"Message-ID: <{n}.{random.randrange(10**9)}@example.net>",
        "MIME-Version: 1.0",
    ]
    if n % 3 == 0 and n > 3:
        lines.append(f"References: <root.{n // 9}@example.net>\r\n <{n - 3}@example.net>")
        lines.append(f"In-Reply-To: <{n - 3}@example.net>")
        subject = "Re: " + subject
    lines.append("Subject: " + _word(subject))
    return "\r\n".join(lines).encode() + b"\r\n"


def _mailbox(name: str, address: str) -> str:
    if not name:
        return address
    return f"{_word(name)} <{address}>" if not name.isascii() else f'"{name}" <{address}>'


def _word(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8").encode().replace("\n", "\r\n")


def _fold(text: bytes) -> bytes:
    return b"\r\n\t".join(text[at : at + 70] for at in range(0, len(text), 70))


def _text(random: Random, size: int) -> str:
    pieces, length = [], 0
    while length < size:
        sentence = random.choice(_SENTENCES) + ("\n\n" if random.random() < 0.2 else " ")
        pieces.append(sentence)
        length += len(sentence)
    return "".join(pieces).strip() + "\n"


def _quoted(text: str, charset: str) -> bytes:
    data = text.encode(charset, "replace").replace(b"\n", b"\r\n")
    return b2a_qp(data).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _plain(random: Random, size: int) -> tuple[bytes, bytes]:
    charset = random.choice(_CHARSETS)
    text = _text(random, size)
    if random.random() < 0.5:
        data = text.encode(charset, "replace").replace(b"\n", b"\r\n")
        return f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n".encode(), data
    header = f'Content-Type: text/plain; charset="{charset}"\r\nContent-Transfer-Encoding: quoted-printable\r\n'
    return header.encode(), _quoted(text, charset)


def _alternative(random: Random, n: int, size: int) -> tuple[bytes, bytes]:
    text = _text(random, size // 4)
    rows = "".join(
        f'<tr><td style="font:14px Arial, sans-serif;padding:4px">{line}</td></tr>\n'
        for line in text.split("\n")
        if line
    )
    style = "td{font-family:Arial,Helvetica,sans-serif;color:#333333}\n" * (size // 200)
    head = f"<head><meta charset=utf-8><style>{style}</style></head>"
    html = f"<!DOCTYPE html><html>{head}<body><table>{rows}</table></body></html>\n"
    boundary = f"=_alternative_{n}"
    plain = (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", text)
    rich = (
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        html + "</html>\n",
    )
    parts = [header + b"\r\n" + _quoted(content, "utf-8") for header, content in (plain, rich)]
    return f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode(), multipart(boundary, parts)


def _with_attachment(random: Random, n: int, size: int) -> tuple[bytes, bytes]:
    boundary = f"=_mixed_{n}"
    inner, content = _plain(random, 1500) if random.random() < 0.5 else _alternative(random, n, 10_000)
    data = (_REPEATING * (size // len(_REPEATING) + 1))[: size * 3 // 4]
    attachment = (
        b'Content-Type: application/pdf; name="=?utf-8?Q?Bericht_f=C3=BCr_M=C3=A4rz.pdf?="\r\n'
        b"Content-Disposition: attachment;\r\n filename*=utf-8''Bericht%20f%C3%BCr%20M%C3%A4rz.pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    ) + encodebytes(data).replace(b"\n", b"\r\n")
    return (
        f'Content-Type: multipart/mixed;\r\n boundary="{boundary}"\r\n'.encode(),
        multipart(boundary, [inner + b"\r\n" + content, attachment]),
    )


def multipart(boundary: str, parts: list[bytes]) -> bytes:
    """The body of a multipart from complete parts."""
    delimiter = b"--" + boundary.encode()
    return b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
