"""Replies: a code (RFC 5321 4.2), an enhanced status code (RFC 2034, RFC 3463) and a text.

A 5xx makes the sender's server give up and bounce, so it is said only of what will not change by itself.  All that may
pass (storage, directory, quota, our own faults) is 4xx: Postfix keeps the mail and tries again.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of one line.  `status` is empty where RFC 2034 wants none (greeting, LHLO, 354)."""

    code: int
    status: str
    text: str

    def encode(self) -> bytes:
        """Return the line with its CRLF.  Texts are our own, so ASCII and short."""
        words = f"{self.code} {self.status} {self.text}" if self.status else f"{self.code} {self.text}"
        return words.encode("ascii", "replace") + b"\r\n"

    @property
    def is_positive(self) -> bool:
        """True for 2xx and 3xx."""
        return self.code < 400


class Refused(Exception):  # named for what happened to the command
    """A command is answered with an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


OK = Reply(250, "2.0.0", "OK")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
DELIVERED = Reply(250, "2.0.0", "Delivered")
CHUNK_OK = Reply(250, "2.0.0", "Chunk taken")
CANNOT_VERIFY = Reply(252, "2.1.5", "Send mail to find out")  # RFC 5321 3.5.3
BYE = Reply(221, "2.0.0", "Bye")
GO_AHEAD = Reply(354, "", "End with <CRLF>.<CRLF>")

SHUTTING_DOWN = Reply(421, "4.3.2", "Shutting down, come back")
TOO_MANY_SESSIONS = Reply(421, "4.3.2", "Too many sessions, come back")
TIMED_OUT = Reply(421, "4.4.2", "Timed out")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")
# A chunk of unknown size cannot be stepped over, and what follows must not be taken for commands: hang up.
BAD_CHUNK = Reply(421, "4.5.4", "Syntax: BDAT size [LAST]")

# The directory knows the user, who has not logged in yet: there is no key to seal mail with.
NO_MAILBOX_YET = Reply(450, "4.2.1", "Mailbox not set up yet, try again later")
STORAGE_TROUBLE = Reply(451, "4.3.0", "Cannot store mail now, try again later")
DIRECTORY_TROUBLE = Reply(451, "4.4.3", "Cannot look up recipients now, try again later")
# RFC 5321 4.2.3 knows 552 for this as well; but Postfix bounces on 552, and mailboxes get emptied.
OVER_QUOTA = Reply(452, "4.2.2", "Mailbox full")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients, send the others in another transaction")

LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
BAD_CHARACTERS = Reply(500, "5.5.2", "Commands are UTF-8 lines, ended by CRLF, without control characters")
UNKNOWN_COMMAND = Reply(500, "5.5.1", "Unknown command")
NOT_SMTP = Reply(500, "5.5.1", "This is LMTP: say LHLO")  # RFC 2033 4.1
BAD_ARGUMENT = Reply(501, "5.5.4", "Bad argument")
BAD_SENDER = Reply(501, "5.1.7", "Bad sender address")
BAD_RECIPIENT = Reply(501, "5.1.3", "Bad recipient address")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Not implemented")
LHLO_FIRST = Reply(503, "5.5.1", "Say LHLO first")
MAIL_FIRST = Reply(503, "5.5.1", "Say MAIL first")
MAIL_TWICE = Reply(503, "5.5.1", "A transaction is open: RSET first")
NO_RECIPIENTS = Reply(503, "5.5.1", "No valid recipients")
CHUNKS_BEGUN = Reply(503, "5.5.1", "BDAT was begun: go on with it, or RSET")
UNKNOWN_ADDRESS = Reply(550, "5.1.1", "No such mailbox")
TOO_BIG = Reply(552, "5.3.4", "Message too big")
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "Addresses beyond ASCII need SMTPUTF8")  # RFC 6531
BAD_PARAMETER = Reply(555, "5.5.4", "Parameter not known")
