"""Submission, against a server that says what it is told to say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from eas.mail import submission
from eas.mail.submission import Submission, SubmissionFailed, is_loopback

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\n.one\r\nGr\xc3\xbc\xc3\x9fe\r\n"
TO = ["b@example.com", "c@example.com"]


@dataclass
class FakeServer:
    """Replies by verb, or by the whole line; b"" closes the connection, None says nothing."""

    replies: dict[str, bytes | None] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("8BITMIME", "SIZE 1000000")
    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._say(writer, self._reply("CONNECT", "CONNECT", b"220 here"))
            while line := await reader.readline():
                text = line.decode().rstrip("\r\n")
                verb = text.split(" ")[0].upper()
                self.lines.append(text)
                await self._say(writer, self._reply(text, verb, self._usual(verb)))
                if verb == "DATA" and "DATA" not in self.replies:
                    self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
                    await self._say(writer, self._reply("END", "END", b"250 taken"))
                if verb == "QUIT":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _reply(self, text: str, verb: str, usual: bytes) -> bytes | None:
        return self.replies.get(text, self.replies.get(verb, usual))

    def _usual(self, verb: str) -> bytes:
        if verb == "EHLO":
            lines = ["fake", *self.extensions]
            return "\r\n".join(
                f"250{'-' if at < len(lines) - 1 else ' '}{line}" for at, line in enumerate(lines)
            ).encode()
        return {"DATA": b"354 go on", "QUIT": b"221 bye"}.get(verb, b"250 yes")

    async def _say(self, writer: asyncio.StreamWriter, reply: bytes | None) -> None:
        if reply == b"":
            raise ConnectionError
        if reply is not None:
            writer.write(reply + b"\r\n")
            await writer.drain()


@asynccontextmanager
async def fake(**options: object) -> AsyncIterator[FakeServer]:
    server = FakeServer(**options)  # type: ignore[arg-type]
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


async def submit(server: FakeServer, recipients: list[str] | None = None, message: bytes = MESSAGE) -> None:
    await Submission("127.0.0.1", server.port)("a@example.org", recipients or TO, message)


async def failure(server: FakeServer, recipients: list[str] | None = None) -> SubmissionFailed:
    with pytest.raises(SubmissionFailed) as raised:
        await submit(server, recipients)
    return raised.value


async def test_a_message_reaches_all_recipients_byte_by_byte() -> None:
    async with fake() as server:
        await submit(server)
    assert server.messages == [MESSAGE.replace(b"\r\n.one", b"\r\n..one") + b".\r\n"]
    commands = [line for line in server.lines if not line.startswith("EHLO")]
    assert commands == [
        f"MAIL FROM:<a@example.org> SIZE={len(MESSAGE)} BODY=8BITMIME",
        "RCPT TO:<b@example.com>",
        "RCPT TO:<c@example.com>",
        "DATA",
        "QUIT",
    ]


async def test_a_server_without_extensions_is_asked_for_none() -> None:
    async with fake(extensions=()) as server:
        await submit(server)
    assert "MAIL FROM:<a@example.org>" in server.lines


async def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    async with fake(extensions=("SMTPUTF8", "8BITMIME")) as server:
        await submit(server, ["jörg@example.com"])
    assert "MAIL FROM:<a@example.org> BODY=8BITMIME SMTPUTF8" in server.lines
    assert "RCPT TO:<jörg@example.com>" in server.lines
    async with fake() as server:
        failed = await failure(server, ["jörg@example.com"])
    assert failed.permanent
    assert not any(line.startswith("MAIL") for line in server.lines)


@pytest.mark.parametrize(("code", "is_permanent"), [(b"550", True), (b"450", False)])
async def test_one_refused_recipient_stops_it_for_all(code: bytes, is_permanent: bool) -> None:
    async with fake(replies={"RCPT TO:<c@example.com>": code + b" no"}) as server:
        failed = await failure(server)
    assert (failed.permanent, failed.certain, failed.code) == (is_permanent, True, int(code))
    assert failed.recipients == ("c@example.com",)
    assert "DATA" not in server.lines
    assert "RSET" in server.lines


async def test_all_refused_recipients_are_named_and_the_worst_reply_counts() -> None:
    replies: dict[str, bytes | None] = {"RCPT TO:<b@example.com>": b"450 later", "RCPT TO:<c@example.com>": b"550 no"}
    async with fake(replies=replies) as server:
        failed = await failure(server)
    assert failed.permanent
    assert failed.recipients == tuple(TO)


@pytest.mark.parametrize("step", ["CONNECT", "MAIL", "DATA", "END"])
@pytest.mark.parametrize(("code", "is_permanent"), [(b"554", True), (b"451", False)])
async def test_a_refusal_at_any_step_is_certain(step: str, code: bytes, is_permanent: bool) -> None:
    async with fake(replies={step: code + b" no"}) as server:
        failed = await failure(server)
    assert (failed.permanent, failed.certain, failed.code) == (is_permanent, True, int(code))
    assert not failed.recipients


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT"])
async def test_a_connection_lost_before_the_content_sent_nothing_for_certain(step: str) -> None:
    async with fake(replies={step: b""}) as server:
        failed = await failure(server)
    assert (failed.permanent, failed.certain) == (False, True)


async def test_a_connection_lost_after_the_content_leaves_it_open() -> None:
    async with fake(replies={"END": b""}) as server:
        failed = await failure(server)
    assert server.messages
    assert (failed.permanent, failed.certain) == (False, False)


async def test_silence_after_the_content_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "CONTENT_SECONDS", 0.05)
    monkeypatch.setattr(submission, "CONNECT_SECONDS", 0.05)
    async with fake(replies={"END": None}) as server:
        failed = await failure(server)
    assert (failed.permanent, failed.certain) == (False, False)


@pytest.mark.parametrize(("step", "is_certain"), [("MAIL", True), ("END", False)])
async def test_the_whole_conversation_has_a_bound(step: str, is_certain: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "SUBMIT_SECONDS_MAX", 0.2)
    monkeypatch.setattr(submission, "CONNECT_SECONDS", 0.1)
    async with fake(replies={step: None}) as server:
        failed = await failure(server)
    assert (failed.permanent, failed.certain) == (False, is_certain)


async def test_a_server_that_is_not_there_fails_for_now(unused_tcp_port_factory: Callable[[], int]) -> None:
    with pytest.raises(SubmissionFailed) as raised:
        await Submission("127.0.0.1", unused_tcp_port_factory())("a@example.org", TO, MESSAGE)
    assert (raised.value.permanent, raised.value.certain) == (False, True)


async def test_what_the_server_says_is_kept_to_a_bound() -> None:
    async with fake(replies={"MAIL": b"554 " + b"x" * 480 + b"y" * 400}) as server:
        failed = await failure(server)
    assert len(str(failed)) == submission.TEXT_CHARS_MAX


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("mail.example.org", False)],
)
def test_only_this_machine_needs_no_certificate(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
