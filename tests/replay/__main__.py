"""`python -m tests.replay` makes captures.

`record NAME` makes one of our own anew: it runs a server, a client and a proxy between them.  `phone NAME` runs the
proxy alone, with TLS, before a server that runs already: a real phone speaks to it until Ctrl-C.  `mark NAME` replays
a conversation and puts `*` before every value that was another one this time.  What is marked then, and what is not,
is for a person to look at: `git diff`.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from eas.address import parse_address
from eas.protocol.versions import Version, parse_version
from eas.wbxml.dump import dump
from eas.wire.tls import self_signed, server_context
from tests.eas.world import World
from tests.interop.foreign_phone import STEPS, ForeignPhone
from tests.replay import our_phone
from tests.replay.mailbox import DEMO, arriving, mailbox
from tests.replay.rebinding import mark
from tests.replay.recorder import Recorder, proxy
from tests.replay.replayer import replay
from tests.support.captures import CAPTURES, load_captures
from tests.support.client import Device, EasClient


async def record(name: str) -> None:
    """Record one conversation into `captures/NAME`, in place of the one that is there."""
    client, protocol, use = SESSIONS[name]
    folder = CAPTURES / name
    loop = asyncio.get_running_loop()
    async with mailbox(DEMO) as running:

        def deliver(subject: str) -> None:
            asyncio.run_coroutine_threadsafe(running.deliver(1, arriving(subject)), loop).result()

        recorder = Recorder(deliver)
        await use(running, recorder)
    shutil.rmtree(folder, ignore_errors=True)
    recorder.save(folder, client, protocol, DEMO)
    print(f"{folder}: {len(recorder.exchanges)} requests")


def record_phone(asked: argparse.Namespace) -> None:
    """Record what a phone says to the proxy, until Ctrl-C."""
    recorder = Recorder(lambda _subject: None)
    with tempfile.TemporaryDirectory() as name, suppress(KeyboardInterrupt):
        host, port = parse_address(asked.listen)
        tls = server_context([self_signed(Path(name), [asked.host])])
        with proxy(recorder, asked.upstream, tls, (host, port)):
            print(f"the phone's server is {asked.host}, port {port}; Ctrl-C ends and saves")
            threading.Event().wait()
    recorder.save(CAPTURES / asked.name, asked.client, asked.protocol, asked.mailbox)
    print(f"{CAPTURES / asked.name}: {len(recorder.exchanges)} requests; now look for what must be scrubbed")


async def mark_folder(name: str) -> None:
    """Replay `captures/NAME` and mark in its answers what is another value now."""
    captures = [one for one in load_captures() if one.client == name]
    async with mailbox(captures[0].about.mailbox) as running:
        answers = replay(running, captures, marking=True)
        async for answer in answers:
            expected = answer.capture.response_root
            if expected is None or answer.root is None:
                continue
            place = CAPTURES / name / f"{answer.capture.number:02}-{answer.capture.command}"
            (place / "response.txt").write_text(dump(mark(expected, answer.root)), "utf-8")


def ours(version: Version, *, base64_form: bool) -> Callable[[World, Recorder], Awaitable[None]]:
    """Return the session of our own client."""

    async def use(running: World, recorder: Recorder) -> None:
        with proxy(recorder, running.url) as port:
            device = Device(id="androidc1234567890", type="Android", user_agent="Android/8.0.0-EAS-2.0")
            url = f"http://127.0.0.1:{port}"
            async with EasClient(
                url, "u1@example.test", "pw-u1", version=version, device=device, base64_form=base64_form
            ) as phone:
                await our_phone.use(phone, recorder.deliver)

    return use


async def foreign(running: World, recorder: Recorder) -> None:
    """The session of pyactivesync."""
    with tempfile.TemporaryDirectory() as name:
        chain = self_signed(Path(name), ["127.0.0.1"])
        with proxy(recorder, running.url, server_context([chain])) as port:
            phone = ForeignPhone(f"127.0.0.1:{port}", chain.certificate, recorder.deliver)
            with phone.client:
                for step in STEPS:
                    await asyncio.to_thread(step, phone)


SESSIONS: Final[Mapping[str, tuple[str, str, Callable[[World, Recorder], Awaitable[None]]]]] = {
    "pyactivesync-linux-0.17.0": ("pyactivesync 0.17.0", "16.1", foreign),
    **{
        f"petitbleu-tests-{text}": (
            "our own client of tests/support",
            text,
            ours(parse_version(text), base64_form=form),
        )
        for text, form in (("12.1", False), ("14.1", False), ("16.1", True))
    },
}


def main(arguments: list[str]) -> int:
    """Do one of the three."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description="Record and mark captures.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("record", help="one of our own captures").add_argument("name", choices=SESSIONS)
    actions.add_parser("mark", help="what varies").add_argument("name")
    phone = actions.add_parser("phone", help="what a real phone says")
    phone.add_argument("name", help="of the capture: <client>-<os>-<version>")
    phone.add_argument("--client", required=True, help="product and version, as its About page says")
    phone.add_argument("--protocol", required=True, help="12.1 … 16.1")
    phone.add_argument("--host", required=True, help="the name or address by which the phone reaches this machine")
    phone.add_argument("--listen", default="0.0.0.0:8443", help="%(default)s")
    phone.add_argument("--upstream", default="http://127.0.0.1:8080", help="%(default)s")
    phone.add_argument("--mailbox", default=DEMO, help="what the account holds (%(default)s)")
    asked = parser.parse_args(arguments)
    if asked.action == "phone":
        record_phone(asked)
    else:
        asyncio.run(record(asked.name) if asked.action == "record" else mark_folder(asked.name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
