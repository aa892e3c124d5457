"""Both sides of a session without a socket."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lmtp import reply
from lmtp.reply import Reply
from lmtp.session import Session
from lmtp.spool import Spool
from lmtp.transaction import Delivery, Resolve

SIZE_BYTES_MAX = 100_000
RECIPIENTS_MAX = 100


@dataclass
class Taken:
    """One message that came through."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    utf8: bool = False


@dataclass
class Conversation:
    """A session, its questions answered by the address: nobody@ is unknown, later@ is 451, full@ fails in the end."""

    size_bytes_max: int = SIZE_BYTES_MAX
    recipients_max: int = RECIPIENTS_MAX
    taken: list[Taken] = field(default_factory=list)
    spools: list[Spool] = field(default_factory=list)
    sent: bytes = b""

    def __post_init__(self) -> None:
        self.session: Session[str] = Session("mx.test", self.size_bytes_max, self.recipients_max, self._new_spool)

    def _new_spool(self) -> Spool:
        self.spools.append(Spool(self.size_bytes_max, memory_bytes_max=2000))
        return self.spools[-1]

    def say(self, data: bytes) -> str:
        """Send bytes, answer what is asked, and return the replies."""
        question = self.session.receive_data(data)
        while question is not None:
            self.answer(question)
            question = self.session.receive_data(b"")
        sent = self.session.data_to_send()
        self.sent += sent
        return sent.decode()

    def answer(self, question: Resolve | Delivery[str]) -> None:
        if isinstance(question, Delivery):
            content = bytes(question.spool.content())
            self.taken.append(Taken(question.sender, question.recipients, content, question.utf8))
            self.session.settle([_outcome(recipient) for recipient in question.recipients])
        elif question.address.startswith("nobody"):
            self.session.refuse(reply.UNKNOWN_ADDRESS)
        elif question.address.startswith("later"):
            self.session.refuse(reply.DIRECTORY_TROUBLE)
        else:
            self.session.accept(question.address)


def _outcome(recipient: str) -> Reply:
    return reply.OVER_QUOTA if recipient.startswith("full") else reply.DELIVERED


def converse(pieces: Iterable[bytes]) -> Conversation:
    """Send each piece as a packet of its own."""
    conversation = Conversation()
    for piece in pieces:
        conversation.say(piece)
    conversation.session.abandon()
    return conversation


def greeted() -> Conversation:
    """A session after LHLO."""
    conversation = Conversation()
    conversation.say(b"LHLO client.test\r\n")
    return conversation


def begun(*recipients: bytes) -> Conversation:
    """A session with a transaction that wants its message."""
    conversation = greeted()
    conversation.say(b"MAIL FROM:<s@x.test>\r\n")
    for recipient in recipients or (b"a@y.test",):
        conversation.say(b"RCPT TO:<" + recipient + b">\r\n")
    return conversation


def codes(replies: str) -> list[str]:
    """The reply codes, continuation lines left out; the enhanced code beside the basic one."""
    lines = [line for line in replies.split("\r\n") if line and line[3] == " "]
    return [" ".join(line.split(" ")[:2]) if line[4:5].isdigit() else line[:3] for line in lines]
