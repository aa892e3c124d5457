"""The mails that a demo account finds in its Inbox: what Petit Bleu is, in its own medium."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

SENDER = ("Petit Bleu", "petitbleu@example.test")

_WELCOME = """Hello {user},

this is Petit Bleu, a server that speaks Exchange ActiveSync: the protocol which the mail apps of iPhones, Android
phones and Windows have had built in for twenty years.  No app to install, nothing to configure but an address and a
password.

What you read here was delivered by LMTP, as your mail server would do it, sealed so that only your password opens it,
and brought to your device by ActiveSync.

The name: a "petit bleu" was a letter on thin blue paper that travelled under Paris by compressed air, from 1866 to
1984, and arrived within two hours.  We are a little faster.
"""

_PUSH = """Hello {user},

leave your mail app open, or just let the phone lie there.  Then type this on the computer that runs the demo:

    python3 - <<'END'
    import smtplib
    with smtplib.LMTP("127.0.0.1", {lmtp_port}) as lmtp:
        lmtp.sendmail("friend@example.net", ["{user}"],
                      "From: friend@example.net\\r\\nTo: {user}\\r\\nSubject: Ring!\\r\\n\\r\\nDid it?\\r\\n")
    END

The phone holds one request open; when mail comes, that request is answered, and the phone fetches the mail.
Nothing polls, and a waiting phone costs the server a kilobyte or two.
"""

_SEND = """Hello {user},

answer this mail, forward it, put it into another folder, give it a flag: it all goes through the same connection.

In the demo, mail from you to another demo account (there are u1@example.test, u2@example.test and so on) is delivered
at once.  Any other address is refused: a demonstration should not write to strangers.  On a real server your mail
leaves through Postfix.
"""

_HTML = """<!DOCTYPE html>
<html><head><meta charset="utf-8"></head>
<body style="font-family: Georgia, serif; color: #1b2a49">
<h1 style="color: #1f5fa8">Petit Bleu</h1>
<p>Hello <b>{user}</b>,</p>
<p>this one is written in HTML, and has something attached. Your device decides how much of it it wants:
plain text or HTML, the first lines or all, the attachment now or never.</p>
<table style="border-collapse: collapse; background: #eaf3fb">
<tr><td style="padding: 6px">carried by</td><td style="padding: 6px"><i>compressed air</i>, later ActiveSync</td></tr>
<tr><td style="padding: 6px">sealed with</td><td style="padding: 6px">XChaCha20-Poly1305, under your password</td></tr>
</table>
<p>Bon voyage!</p>
</body></html>
"""

_PLAIN = """Hello {user},

this one is written in HTML, and has something attached.  Your device decides how much of it it wants: plain text or
HTML, the first lines or all, the attachment now or never.

Bon voyage!
"""

_ATTACHED = """<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200" viewBox="0 0 320 200">
<rect x="10" y="10" width="300" height="180" rx="6" fill="#bcd9f2" stroke="#1f5fa8" stroke-width="2"/>
<path d="M10 16 L160 110 L310 16" fill="none" stroke="#1f5fa8" stroke-width="2"/>
<circle cx="270" cy="150" r="24" fill="none" stroke="#1b2a49" stroke-width="2"/>
<text x="30" y="170" font-family="Georgia, serif" font-size="20" fill="#1b2a49">Petit Bleu</text>
</svg>
"""


def sample_mails(user: str, lmtp_port: int, now: datetime) -> Iterator[bytes]:
    """Yield the messages for *user*, the oldest first, CRLF line ends; the same for the same arguments."""
    texts = (
        ("Welcome to Petit Bleu", _WELCOME, 45),
        ("How to make your phone ring", _PUSH, 30),
        ("Answer me", _SEND, 15),
    )
    for subject, text, minutes in texts:
        message = _message(user, subject, now - timedelta(minutes=minutes))
        message.set_content(text.format(user=user, lmtp_port=lmtp_port), cte="quoted-printable")
        yield bytes(message)
    message = _message(user, "A letter on thin blue paper", now - timedelta(minutes=5))
    message.set_content(_PLAIN.format(user=user), cte="quoted-printable")
    message.add_alternative(_HTML.format(user=user), subtype="html", cte="quoted-printable")
    message.add_attachment(_ATTACHED.encode(), "image", "svg+xml", filename="petit-bleu.svg")
    yield _with_boundaries(message)


def _message(user: str, subject: str, date: datetime) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{SENDER[0]} <{SENDER[1]}>"
    message["To"] = user
    message["Subject"] = subject
    message["Date"] = format_datetime(date)
    message["Message-ID"] = f"<{subject.lower().replace(' ', '-')}.{date:%Y%m%d%H%M%S}.{user}>"
    return message


def _with_boundaries(message: EmailMessage) -> bytes:
    """Write a multipart message with boundaries that are the same each time."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_petit_bleu_{number}")
    return bytes(message)
