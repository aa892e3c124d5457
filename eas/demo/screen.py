"""What the demo shows to somebody at a terminal: what to type into a phone, and a line for each event."""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from eas.address import is_everywhere, shown, url
from eas.demo.site import Demo, address, password
from eas.login.credentials import parse_basic
from eas.protocol.exchange import EasResponse, Held, HttpRequest
from eas.protocol.query import BadDevice, UnreadableQuery, parse_query
from eas.protocol.versions import UnknownCommand, UnknownVersion
from eas.run.app import App
from eas.run.ports import Ports
from eas.wire.server import Answerer
from lmtp.reply import Reply

_SHOWN_CHARS_MAX = 60


class Screen:
    """Prints; it is the demo's LMTP observer, too."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo

    def show_ready(self, ports: Ports) -> None:
        """Say what to do now."""
        demo = self._demo
        print(f"Petit Bleu's demo is running; its data is in {demo.bucket or demo.folder}.\n")
        print(f"  accounts   {_to_last(address, demo.accounts)}")
        print(f"  passwords  {_to_last(password, demo.accounts)}")
        if ports.http:
            print(f"  HTTP       {url('http', *ports.http)}/Microsoft-Server-ActiveSync")
        if ports.https:
            print(f"  HTTPS      {url('https', *ports.https)}/Microsoft-Server-ActiveSync")
        print(f"  LMTP       {shown(*ports.lmtp[0])}\n")
        print(_for_phones(ports))
        print("\nWhat happens is shown below.  Ctrl-C ends it.\n", flush=True)

    def wrap(self, app: App) -> None:
        """Show what *app* answers."""
        app.answerer = _Shown(app.answerer)

    # -- lmtp.observer.Observer

    def delivered(self, size_bytes: int, seconds: float, *, junk: bool) -> None:
        """Show a mail."""
        tell(f"mail in: {size_bytes:,} bytes, stored in {seconds * 1000:.0f} ms{' (junk)' if junk else ''}")

    def refused(self, reply: Reply) -> None:
        """Show a refusal."""
        tell(f"mail refused: {reply.encode().decode(errors='replace').strip()}")

    def failed(self, error: Exception) -> None:
        """Show a fault."""
        tell(f"mail failed: {error!r}")


def tell(line: str) -> None:
    """Print an event."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Shows each request with its answer."""

    answerer: Answerer

    async def answer(self, request: HttpRequest) -> EasResponse | Held:
        started = time.perf_counter()
        answer = await self.answerer.answer(request)
        asked = f"{_who(request)}: {_what(request)}"
        if isinstance(answer, EasResponse):
            tell(f"{asked} → {_answered(answer)}, {(time.perf_counter() - started) * 1000:.0f} ms")
            return answer
        tell(f"{asked} waits for news")
        return _ShownWait(answer, asked, started)


@dataclass(frozen=True, slots=True)
class _ShownWait:
    """Shows how a wait ends (`eas.protocol.exchange.Held`)."""

    held: Held
    asked: str
    started: float

    def begin(self, reply: Callable[[EasResponse], None]) -> None:
        def shown(answer: EasResponse) -> None:
            tell(f"{self.asked} → {_answered(answer)}, after waiting {time.perf_counter() - self.started:.1f} s")
            reply(answer)

        self.held.begin(shown)

    def abandon(self) -> None:
        tell(f"{self.asked} waits no more: the phone is gone")
        self.held.abandon()


def _who(request: HttpRequest) -> str:
    credentials = parse_basic(request.authorization)
    return (credentials.user if credentials else "somebody")[:_SHOWN_CHARS_MAX]


def _what(request: HttpRequest) -> str:
    if request.method != "POST":
        return request.method
    try:
        query = parse_query(request.raw_query)
    except (UnreadableQuery, UnknownVersion, UnknownCommand, BadDevice) as error:
        return f"a request that is none ({type(error).__name__})"
    return f"{query.command} from {query.device_type[:_SHOWN_CHARS_MAX]} {query.device_id[:_SHOWN_CHARS_MAX]}"


def _answered(answer: EasResponse) -> str:
    size = len(answer.body) if isinstance(answer.body, bytes) else answer.size
    return f"{answer.status}, {'a stream' if size is None else f'{size:,} bytes'}"


def _to_last(name: Callable[[int], str], count: int) -> str:
    return name(1) if count == 1 else f"{name(1)} … {name(count)}"


def _for_phones(ports: Ports) -> str:
    if ports.https is None or ports.https[0] in ("127.0.0.1", "::1", "localhost"):
        return "A phone cannot reach loopback.  For one in your network: petitbleu demo --https 0.0.0.0:8443"
    host, port = ports.https
    found = lan_addresses() if is_everywhere(host) else (host,)
    server = ", or ".join(shown(name, port) for name in found) or f"<this machine's address>:{port}"
    return (
        "On your phone, add an account of the kind Exchange (or Corporate, or ActiveSync), by hand:\n\n"
        f"  e-mail     {address(1)}\n"
        f"  server     {server}\n"
        "  domain     (leave empty)\n"
        f"  user name  {address(1)}\n"
        f"  password   {password(1)}\n"
        "  TLS        on; accept the certificate, which is self-signed"
    )


def lan_addresses() -> tuple[str, ...]:
    """Return the address by which this machine is known in its network, if there is one; sends nothing."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # any address outside: the kernel chooses the way, no packet leaves
        found = str(probe.getsockname()[0])
        if not found.startswith("127."):
            return (found,)
    return ()
