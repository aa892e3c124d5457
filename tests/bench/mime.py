"""Indexing mail at delivery: against the standard parser reading the same facts, and by the clock.

The comparison is the gate, since both run on the same machine at the same moment.
"""

import email
import email.policy
from base64 import encodebytes
from email.message import EmailMessage
from typing import Final

from storage.message.index import index_message
from tests.bench.figure import Figure, best_seconds
from tests.support.messages import mixed_message, multipart

MIXTURE: Final = 100
ATTACHMENT_BYTES: Final = 3_700_000  # 5 MB as base64


def run() -> list[Figure]:
    mixture = [mixed_message(n) for n in range(MIXTURE)]
    alternative = max((data for data in mixture if b"boundary" in data and len(data) < 45_000), key=len)
    large = with_attachment()
    quick = best_seconds(lambda: index_message(alternative))
    slow = best_seconds(lambda: by_standard_parser(alternative), repeats=8)
    whole = best_seconds(lambda: [index_message(data) for data in mixture], repeats=8)
    attachment = best_seconds(lambda: index_message(large), repeats=8)
    return [
        Figure("mime: size of the alternative", len(alternative) / 1000, "KB"),
        Figure("mime: index, times quicker than the standard parser", slow / quick, "×", 4, "at least"),
        Figure("mime: index of the alternative", quick * 1000, "ms", 0.8),
        Figure("mime: index of a mail of the mixture, mean", whole / MIXTURE * 1000, "ms", 0.8),
        Figure("mime: index of a 5 MB attachment", attachment * 1000, "ms", 4),
    ]


def with_attachment() -> bytes:
    content = encodebytes(bytes(ATTACHMENT_BYTES)).replace(b"\n", b"\r\n")
    file = b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + content
    return b"Content-Type: multipart/mixed; boundary=_0123456789abcdef\r\n\r\n" + multipart(
        "_0123456789abcdef", [b"\r\ntext", file]
    )


def by_standard_parser(data: bytes) -> list[object]:
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not isinstance(message, EmailMessage):
        raise TypeError("not the default policy")
    facts: list[object] = [str(message[name]) for name in ("from", "to", "cc", "subject", "date", "message-id")]
    for part in message.walk():
        if part.get_content_maintype() == "text":
            facts.append(part.get_content())
        facts.append(part.get_filename())
    return facts
