"""One connection: moves bytes between a transport and a `Session`, and answers its questions."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Generic, cast

from lmtp import reply
from lmtp.delivery import Addressee, Postman, R
from lmtp.reply import Refused
from lmtp.session import Session
from lmtp.transaction import Delivery, Resolve

# How long the peer may be silent.  RFC 5321 4.5.3.2 asks a server for 5 minutes at least between commands.
COMMAND_SECONDS = 300.0
CONTENT_SECONDS = 180.0
MESSAGE_SECONDS = 3600.0  # a whole message, however slowly its bytes drip


class Connection(asyncio.Protocol, Generic[R]):
    """A peer.  *clock* counts seconds; *on_end* is told once nothing of the connection is left, no deposit either."""

    def __init__(
        self,
        session: Session[Addressee[R]],
        postman: Postman[R],
        clock: Callable[[], float],
        on_end: "Callable[[Connection[R]], None]",
    ) -> None:
        self._session = session
        self._postman = postman
        self._clock = clock
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._answering: asyncio.Task[None] | None = None
        self._is_choked = False  # the peer does not read its replies
        self._is_ended = False  # the peer will send no more
        self._content_since: float | None = None
        self._deadline = clock() + COMMAND_SECONDS

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the peer."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._peer = _literal(transport.get_extra_info("peername"))
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the session."""
        question = self._session.receive_data(data)
        if self._answering is None and question is not None:
            self._answering = asyncio.get_running_loop().create_task(self._answer(question))
            self._steer()
            return  # the replies so far leave with those that follow: fewer packets
        self._extend_deadline(self._flush())

    def eof_received(self) -> bool:
        """Keep the connection as long as there is something to answer."""
        self._is_ended = True
        return self._answering is not None

    def pause_writing(self) -> None:
        """Read no more commands while their replies pile up."""
        self._is_choked = True
        self._steer()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_choked = False
        self._steer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a message that was not whole; one that is gets stored all the same."""
        self._transport = None
        self._session.abandon()
        self._end_if_over()

    # What the server calls

    def shut_down(self) -> None:
        """Say 421 and hang up, after the deposit that is running."""
        self._session.shut_down()
        if self._answering is None:
            self._flush()

    def hang_up_if_late(self) -> None:
        """Say 421 to a peer past its deadline; cut off one that was told before and does not take it."""
        if self._transport is None or self._answering is not None or self._clock() < self._deadline:
            return
        if self._session.is_closed:
            self._transport.abort()
            return
        self._session.shut_down(reply.TIMED_OUT)
        self._flush()

    async def cut(self) -> None:
        """End at once, in the middle of whatever it is."""
        if self._transport is not None:
            self._transport.abort()
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.wait([self._answering])

    # Answering

    async def _answer(self, question: Resolve | Delivery[Addressee[R]] | None) -> None:
        """Answer question after question until the session wants more bytes."""
        try:
            while question is not None:
                if isinstance(question, Resolve):
                    await self._resolve(question)
                else:
                    self._flush()  # a deposit takes its time
                    await self._deliver(question)
                question = self._session.receive_data(b"")
        except Exception:
            if self._transport is not None:
                self._transport.abort()  # without a reply: the peer keeps its mail.  The event loop reports the error
            raise
        finally:
            self._answering = None
            self._end_if_over()
        self._flush()
        self._extend_deadline(progress=True)
        self._steer()
        if self._is_ended and self._transport is not None:
            self._transport.close()

    async def _resolve(self, question: Resolve) -> None:
        try:
            addressee = await self._postman.resolve(question)
        except Refused as refused:
            self._session.refuse(refused.reply)
        else:
            self._session.accept(addressee)

    async def _deliver(self, delivery: Delivery[Addressee[R]]) -> None:
        try:
            self._session.settle(await self._postman.deliver(delivery, self._peer))
        finally:
            delivery.spool.close()

    # Smaller steps

    def _flush(self) -> bool:
        """Send what is due, and hang up if that was all.  Returns whether there was anything."""
        if self._transport is None:
            return False
        output = self._session.data_to_send()
        if output:
            self._transport.write(output)
        if self._session.is_closed:
            self._transport.close()
        return bool(output)

    def _steer(self) -> None:
        """Read from the peer only while somebody wants it: what was sent ahead waits in the kernel."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._answering is not None or self._is_choked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _extend_deadline(self, progress: bool) -> None:
        """Bytes of a message count for little, replies for more, and bytes of an unfinished command for nothing."""
        now = self._clock()
        if self._session.is_reading_content:
            if self._content_since is None:
                self._content_since = now
            self._deadline = min(now + CONTENT_SECONDS, self._content_since + MESSAGE_SECONDS)
            return
        self._content_since = None
        if progress:
            self._deadline = now + COMMAND_SECONDS

    def _end_if_over(self) -> None:
        if self._transport is None and self._answering is None:
            self._on_end(self)


def _literal(peername: object) -> str:
    """Return the address literal (RFC 5321 4.1.3) of a peer; empty for a Unix socket."""
    if not isinstance(peername, tuple):
        return ""
    address = ip_address(str(peername[0]).partition("%")[0])
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
