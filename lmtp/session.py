"""LMTP (RFC 2033) as a machine without wires: bytes in; questions, messages and replies out.

    session = Session(…)
    send(session.data_to_send())            # the greeting
    question = session.receive_data(data)   # Resolve, Delivery, or None: it wants more bytes
    session.accept(recipient)               # … one answer to Resolve
    session.refuse(reply)                   # … the other one
    session.settle(replies)                 # … the answer to Delivery
    question = session.receive_data(b"")    # goes on with what the peer had sent ahead

At most one question is open.  While it is, nothing more is read: replies leave in the order of the commands, and each
command is judged by what is true after those before it.  How the stream was cut into packets makes no difference.

Two states: a `_reader` takes the bytes of a message, from DATA or BDAT until it has seen their end; else lines are
commands.  A transaction is open from MAIL until its outcomes, RSET or LHLO.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic

from lmtp import reply
from lmtp.command import parse_chunk, parse_line, parse_mail, parse_recipient
from lmtp.content import ChunkReader
from lmtp.input import Input, LineTooLong, Reader
from lmtp.reply import Refused, Reply
from lmtp.spool import Spool
from lmtp.transaction import Delivery, R, Resolve, Transaction

CLIENT_NAME_MAX = 255
BAD_COMMANDS_MAX = 20  # since the last message: an MTA keeps its connections

EXTENSIONS = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "CHUNKING")


class Session(Generic[R]):
    """One LMTP session; R is whatever the directory makes of an address."""

    def __init__(self, hostname: str, size_bytes_max: int, recipients_max: int, new_spool: Callable[[], Spool]) -> None:
        self._hostname = hostname
        self._size_bytes_max = size_bytes_max
        self._recipients_max = recipients_max
        self._new_spool = new_spool
        self._input = Input()
        self._output = [f"220 {hostname} LMTP\r\n".encode()]
        self._question: Resolve | Delivery[R] | None = None
        self._client = ""  # empty until LHLO
        self._bad_commands = 0
        self._transaction: Transaction[R] | None = None
        self._reader: Reader | None = None
        self._after_content: Callable[[], None] = self._end_message
        self._last_words: Reply | None = None
        self.is_closed = False
        """True once the last reply was given: send it, and hang up."""

    # What the server calls

    def receive_data(self, data: bytes) -> Resolve | Delivery[R] | None:
        """Take bytes from the peer.  Returns the question that must be answered before the session goes on.

        Bytes that come while a question is open are kept: stop reading meanwhile.
        """
        if not self.is_closed:
            self._input.add(data)
        while self._question is None and not self.is_closed:
            if not (self._read_command() if self._reader is None else self._read_content(self._reader)):
                break
        return self._question

    def data_to_send(self) -> bytes:
        """Return, once, the bytes due to the peer."""
        output, self._output = self._output, []
        return b"".join(output)

    def accept(self, recipient: R) -> None:
        """Answer `Resolve`: mail for *recipient* will be taken."""
        if not isinstance(self._question, Resolve) or self._transaction is None:
            raise RuntimeError("no address is asked for")
        self._transaction.recipients.append(recipient)
        self._say(reply.RECIPIENT_OK)
        self._go_on()

    def refuse(self, why: Reply) -> None:
        """Answer `Resolve`: no mail for it, for good (5xx) or for now (4xx)."""
        if not isinstance(self._question, Resolve):
            raise RuntimeError("no address is asked for")
        self._say(why)
        self._go_on()

    def settle(self, outcomes: Sequence[Reply]) -> None:
        """Answer `Delivery`: one reply for each recipient, in their order (RFC 2033 4.2).  250 means durable."""
        if not isinstance(self._question, Delivery) or len(outcomes) != len(self._question.recipients):
            raise RuntimeError("there must be one outcome for each recipient of the delivery")
        for outcome in outcomes:
            self._say(outcome)
        self._bad_commands = 0
        self._end_transaction()
        self._go_on()

    def shut_down(self, why: Reply = reply.SHUTTING_DOWN) -> None:
        """Say 421 and end: at once, or after the answer to the open question."""
        if self._question is not None:
            self._last_words = why
        elif not self.is_closed:
            self._say(why)
            self._close()

    def abandon(self) -> None:
        """The peer is gone.  A message that was not whole is dropped; an open question may still be answered."""
        if self._question is None:
            self._end_transaction()
        self.is_closed = True

    @property
    def is_reading_content(self) -> bool:
        """True while bytes of a message are expected, rather than commands."""
        return self._reader is not None

    # The two states; True: there may be more to do with the bytes at hand

    def _read_command(self) -> bool:
        try:
            line = self._input.line()
            if line is None:
                return False
            verb, argument = parse_line(line)
            _COMMANDS.get(verb, Session._unknown)(self, argument.strip(" "))
        except LineTooLong:
            self._complain(reply.LINE_TOO_LONG)
        except Refused as refused:
            self._complain(refused.reply)
        return True

    def _read_content(self, reader: Reader) -> bool:
        if not self._input.pass_to(reader):
            return False
        self._reader = None
        self._after_content()
        return True

    # Commands

    def _lhlo(self, argument: str) -> None:
        if not argument or len(argument) > CLIENT_NAME_MAX:
            raise Refused(reply.BAD_ARGUMENT)
        self._end_transaction()
        self._client = argument
        lines = (self._hostname, *EXTENSIONS, f"SIZE {self._size_bytes_max}")
        self._output.extend(f"250-{line}\r\n".encode() for line in lines[:-1])
        self._output.append(f"250 {lines[-1]}\r\n".encode())

    def _mail(self, argument: str) -> None:
        if not self._client:
            raise Refused(reply.LHLO_FIRST)
        if self._transaction is not None:
            raise Refused(reply.MAIL_TWICE)
        self._transaction = Transaction(parse_mail(argument, self._size_bytes_max), self._new_spool)
        self._say(reply.SENDER_OK)

    def _rcpt(self, argument: str) -> None:
        if self._transaction is None:
            raise Refused(reply.MAIL_FIRST)
        if self._transaction.has_chunks:
            raise Refused(reply.CHUNKS_BEGUN)
        address = parse_recipient(argument, utf8=self._transaction.mail.utf8)
        if len(self._transaction.recipients) >= self._recipients_max:
            raise Refused(reply.TOO_MANY_RECIPIENTS)
        self._question = Resolve(address, self._transaction.mail.size_bytes)

    def _data(self, argument: str) -> None:
        _want_no(argument)
        transaction = self._transaction
        if transaction is None or not transaction.recipients:
            raise Refused(reply.NO_RECIPIENTS)  # RFC 2033 4.2
        if transaction.has_chunks:
            raise Refused(reply.CHUNKS_BEGUN)
        self._say(reply.GO_AHEAD)
        self._read(transaction.read_dotted(), self._end_message)

    def _bdat(self, argument: str) -> None:
        chunk = parse_chunk(argument)
        if chunk is None:
            self._say(reply.BAD_CHUNK)
            self._close()
        elif self._transaction is None or not self._transaction.recipients:
            # The bytes come all the same, and must not be taken for commands (RFC 3030 2).
            self._read(ChunkReader(chunk.size_bytes, _drop), self._end_unwanted_chunk)
        else:
            reader = self._transaction.read_chunk(chunk.size_bytes)
            self._read(reader, self._end_message if chunk.is_last else self._end_chunk)

    def _rset(self, argument: str) -> None:
        _want_no(argument)
        self._end_transaction()
        self._say(reply.OK)

    def _noop(self, _argument: str) -> None:
        self._say(reply.OK)

    def _vrfy(self, argument: str) -> None:
        if not argument:
            raise Refused(reply.BAD_ARGUMENT)
        self._say(reply.CANNOT_VERIFY)

    def _quit(self, argument: str) -> None:
        _want_no(argument)
        self._say(reply.BYE)
        self._close()

    def _unknown(self, _argument: str) -> None:
        raise Refused(reply.UNKNOWN_COMMAND)

    def _smtp_only(self, _argument: str) -> None:
        raise Refused(reply.NOT_SMTP)

    def _not_implemented(self, _argument: str) -> None:
        raise Refused(reply.NOT_IMPLEMENTED)

    # What follows content

    def _end_message(self) -> None:
        if self._transaction is None:
            raise RuntimeError("a message outside a transaction")
        mail, recipients = self._transaction.mail, tuple(self._transaction.recipients)
        spool = self._transaction.finish()
        if spool.is_over:
            for _ in recipients:
                self._say(reply.TOO_BIG)
            self._end_transaction()
        else:
            self._question = Delivery(self._client, mail.sender, mail.utf8, recipients, spool)

    def _end_chunk(self) -> None:
        spool = self._transaction.spool if self._transaction else None
        self._say(reply.TOO_BIG if spool is not None and spool.is_over else reply.CHUNK_OK)

    def _end_unwanted_chunk(self) -> None:
        self._say(reply.NO_RECIPIENTS)

    # Smaller steps

    def _read(self, reader: Reader, then: Callable[[], None]) -> None:
        self._reader, self._after_content = reader, then

    def _say(self, what: Reply) -> None:
        self._output.append(what.encode())

    def _complain(self, why: Reply) -> None:
        """Answer a command with an error; of those that no sane peer sends, only so many."""
        if why.code in {500, 501, 502}:
            self._bad_commands += 1
        if self._bad_commands < BAD_COMMANDS_MAX:
            self._say(why)
        else:
            self._say(reply.TOO_MANY_ERRORS)
            self._close()

    def _go_on(self) -> None:
        self._question = None
        if self._last_words is not None and not self.is_closed:
            self._say(self._last_words)
            self._close()

    def _end_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.close()
            self._transaction = None

    def _close(self) -> None:
        self._end_transaction()
        self.is_closed = True


_COMMANDS: dict[str, Callable[[Session[Any], str], None]] = {
    "LHLO": Session._lhlo,
    "MAIL": Session._mail,
    "RCPT": Session._rcpt,
    "DATA": Session._data,
    "BDAT": Session._bdat,
    "RSET": Session._rset,
    "NOOP": Session._noop,
    "VRFY": Session._vrfy,
    "QUIT": Session._quit,
    "HELO": Session._smtp_only,  # RFC 2033 4.1
    "EHLO": Session._smtp_only,
    "EXPN": Session._not_implemented,
    "HELP": Session._not_implemented,
    "STARTTLS": Session._not_implemented,  # a Unix socket or loopback needs none
    "AUTH": Session._not_implemented,
}


def _want_no(argument: str) -> None:
    if argument:
        raise Refused(reply.BAD_ARGUMENT)


def _drop(_data: bytes) -> None:
    """Message bytes that nobody wants."""
