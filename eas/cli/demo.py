"""`petitbleu demo`: a whole server to try."""

import argparse
import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path

import uvloop

from eas.address import parse_address, shown, url
from eas.cli.typed import count
from eas.demo import screen as demo_screen
from eas.demo import site as demo_server
from eas.demo.site import ACCOUNTS_MAX, Demo
from eas.run.packages import check_packages
from eas.run.ports import Ports, reserve
from eas.run.process import Site, serve
from lmtp.settings import TcpAddress, parse_listen
from storage.logs import set_up_logging

WORKERS_MAX = 64
_EXAMPLES = """examples:
  petitbleu demo
      a server on loopback in a temporary folder; for clients on this machine
  petitbleu demo --dir ~/petitbleu-demo --https 0.0.0.0:8443
      one that phones in your network reach, and that keeps its data
  petitbleu demo --store s3://demo/first
      on a bucket (S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY); two demos on one are two nodes of the same accounts
  petitbleu demo --http 127.0.0.1:0 --lmtp 127.0.0.1:0 --json
      for scripts: any free ports, told in one line of JSON
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "demo",
        help="start a whole server to try, with accounts and mails",
        description="Start a whole server on loopback with accounts u1@example.test, u2@example.test …, whose "
        "passwords are pw-u1, pw-u2 …, and a few mails in each.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dir", type=Path, help="keep the data here between runs (default: a temporary folder)")
    parser.add_argument(
        "--store", default="", metavar="s3://BUCKET/PREFIX", help="keep the mail in a bucket (its keys: no secret)"
    )
    parser.add_argument("--http", type=_address, default="127.0.0.1:8080", metavar="HOST:PORT", help="%(default)s")
    parser.add_argument("--https", type=_address, metavar="HOST:PORT", help="with a self-signed certificate")
    parser.add_argument("--lmtp", type=_lmtp, default="127.0.0.1:2424", metavar="HOST:PORT", help="%(default)s")
    parser.add_argument(
        "--submission",
        type=_address,
        metavar="HOST:PORT",
        help="send mail through this SMTP server (default: to demo accounts alone)",
    )
    parser.add_argument("--accounts", type=count(ACCOUNTS_MAX), default=2, metavar="N", help="how many (2)")
    parser.add_argument("--workers", type=count(WORKERS_MAX), default=1, metavar="N", help="processes (1)")
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout when ready, logs on stderr")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo until it is told to end."""
    check_packages()
    with ExitStack() as stack:
        signal.signal(signal.SIGTERM, _end)
        folder = arguments.dir
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="petitbleu-demo-")))
        demo = Demo(
            folder.expanduser().absolute(),
            arguments.http,
            arguments.https or "",
            arguments.lmtp,
            arguments.submission or "",
            arguments.accounts,
            arguments.store,
        )
        set_up_logging("info" if arguments.json else "warning", address_key=None)
        return _serve(demo, arguments.workers, as_json=arguments.json)


def _serve(demo: Demo, workers: int, *, as_json: bool) -> int:
    screen = demo_screen.Screen(demo) if not as_json else None
    site = Site(
        storage=demo.storage_settings(),
        eas=demo.eas_settings(),
        lmtp=demo.lmtp_settings(),
        submit=demo.submit,
        tls_folder=demo.folder,
        tls_names=("localhost", "127.0.0.1", *demo_screen.lan_addresses()),
        observer=screen,
        wrap=screen.wrap if screen else lambda app: None,
    )
    with ExitStack() as stack:
        ports = reserve(site.eas, site.lmtp.listen, stack)  # an address in use is told before accounts are made
        demo_server.prepare_files(demo)
        uvloop.run(_until_told(demo_server.fill(demo, ports.lmtp[0][1])))
        signal.signal(signal.SIGTERM, _end)  # the loop's end has put it back

        def ready() -> None:
            if screen is not None:
                screen.show_ready(ports)
            else:
                print(json.dumps(_told(ports, demo.accounts)), flush=True)

        return serve(site, ports, workers, ready)


async def _until_told(work: Coroutine[None, None, object]) -> None:
    """Run *work*; SIGTERM ends the command in the midst of it."""
    task = asyncio.create_task(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        raise SystemExit(0) from None


def _end(_number: int, _frame: object) -> None:
    """End the command cleanly, also before it serves: a temporary folder goes."""
    raise SystemExit(0)


def _told(ports: Ports, accounts: int) -> dict[str, object]:
    return {
        "http": url("http", *ports.http) if ports.http else None,
        "https": url("https", *ports.https) if ports.https else None,
        "lmtp": shown(*ports.lmtp[0]),
        "pid": os.getpid(),
        "accounts": accounts,
    }


def _address(text: str) -> str:
    try:
        parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _lmtp(text: str) -> str:
    try:
        address = parse_listen(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not isinstance(address, TcpAddress):
        raise argparse.ArgumentTypeError("wants HOST:PORT: the demo's own mail goes there")
    return text
