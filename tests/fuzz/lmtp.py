"""LMTP: a session survives any bytes, and how they were cut into packets shows neither in replies nor in messages.

What was taken came after DATA or BDAT, had a sender and recipients that were accepted, and has CRLF as its only line
end.  Every reply is one of ours: a code, an enhanced code of the same class, a text.
"""

import re

from tests.fuzz.target import Target
from tests.lmtp.conversation import Conversation, converse

_REPLY = re.compile(
    rb"220 mx\.test LMTP|354 [ -~]+|250[ -](?:mx\.test|[A-Z0-9]+(?: \d+)?)|([245])\d\d \1\.\d\.\d [ -~]+"
)

ENVELOPE = b"LHLO c\r\nMAIL FROM:<s@x> SIZE=99 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<a@y>\r\nRCPT TO:<nobody@y>\r\n"
TEXT = b"Subject: x\r\n\r\n..text\nmore\r.\r\r\n"


def run(data: bytes) -> None:
    whole = converse([data])
    odd = converse(data[at : at + 7] for at in range(0, len(data), 7))
    bytewise = converse(data[at : at + 1] for at in range(len(data)))
    for other in (odd, bytewise):
        if (other.sent, other.taken) != (whole.sent, whole.taken):
            raise AssertionError("packet boundaries make a difference")
    _check(whole)


def _check(conversation: Conversation) -> None:
    for taken in conversation.taken:
        if not taken.recipients or any(recipient.startswith("nobody") for recipient in taken.recipients):
            raise AssertionError(f"taken for {taken.recipients}")
        if taken.content.count(b"\n") != taken.content.count(b"\r\n"):
            raise AssertionError("a bare LF was stored")
    for line in conversation.sent.split(b"\r\n")[:-1]:
        if not _REPLY.fullmatch(line):
            raise AssertionError(f"replied {line!r}")


TARGET = Target(
    run,
    [
        ENVELOPE + b"DATA\r\n" + TEXT + b".\r\nRSET\r\nNOOP\r\nVRFY a\r\nQUIT\r\n",
        ENVELOPE + b"BDAT 5\r\n12345BDAT %d LAST\r\n" % len(TEXT) + TEXT + b"HELP\r\nQUIT\r\n",
        ENVELOPE + b"DATA\r\n" + TEXT + b"\n.\r\nMAIL FROM:<evil@x>\r\nRCPT TO:<full@y>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
        (ENVELOPE + b"DATA\r\n" + b"x" * 3000 + b"\r\n.\r\nRSET\r\n") * 3 + b"NOOP " + b"y" * 2100 + b"\r\nQUIT\r\n",
        b'LHLO c\r\nMAIL FROM:<"a b\\"c"@x>\r\nRCPT TO:<@r,@q:later@[IPv6:::1]>\r\nRCPT TO:<postmaster>\r\n'
        b"BDAT 0 LAST\r\nRSET\r\n",
    ],
)
