"""`petitbleu import`: mail from elsewhere into an account."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from eas.address import parse_address
from eas.cli import admin, admin_contents
from eas.cli.progress import Progress
from eas.cli.shown import megabytes
from eas.cli.typed import BadArgument, add_password_stdin, given_password
from eas.run.sections import add_config, load
from eas.transfer.destinations import below
from eas.transfer.imap_connection import PORTS, Server
from eas.transfer.imap_source import ImapSource
from eas.transfer.importing import Import, Imported
from eas.transfer.maildir_source import MaildirSource
from eas.transfer.mbox_source import MboxSource
from eas.transfer.roles import assign
from eas.transfer.source import Found, Source
from storage.directories.directory import Mailbox
from storage.opening import open_store
from storage.store import Store

_EXAMPLES = """examples:
  petitbleu import anna@example.org --imap mail.example.org --imap-user anna
      everything from an IMAP server (port 993, TLS); nothing is changed there
  petitbleu import anna --imap old.example.org:143 --imap-tls starttls --imap-user anna --folder INBOX
  printf '%s\\n' "$HERE" "$THERE" | petitbleu import anna --imap old.example.org --imap-user anna \\
      --password-stdin --imap-password-stdin
  petitbleu import anna --maildir /home/anna/Maildir
  petitbleu import anna --mbox /tmp/lists.mbox --into Lists/Old

It may be run again, and killed at any time: what is there is not added once more, and what the user moved or removed
since stays so.  Sent, Trash, Drafts, Junk and Archive go to our folders of that kind.  Mail that is marked as deleted
is left behind.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "import",
        help="bring mail from an IMAP server, a Maildir or mbox files",
        description="Bring mail with folders, marks and dates into an account; phones are told of it as of any other.  "
        "Exit code 1 when something could not be taken.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("account", metavar="NAME", help="whose: what the user logs in with")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--maildir", type=Path, metavar="DIR", help="a Maildir, alone or with others in it")
    place.add_argument("--mbox", type=Path, metavar="PATH", help="an mbox, or a directory of them")
    place.add_argument("--imap", metavar="HOST[:PORT]", help="an IMAP server")
    parser.add_argument("--imap-user", metavar="USER", help="the name to log in with there")
    parser.add_argument(
        "--imap-tls",
        choices=sorted(PORTS),
        default="tls",
        help="tls: from the first byte (the default); starttls; none: the password goes for all to read",
    )
    parser.add_argument("--imap-ca", type=Path, metavar="FILE", help="certificates to believe instead of the system's")
    parser.add_argument(
        "--folder", metavar="FOLDER", action="append", default=[], help="only this one of the source (A/B; repeatable)"
    )
    parser.add_argument(
        "--into", metavar="FOLDER", default="", help="put all folders below this one (A/B), the Inbox into it"
    )
    add_password_stdin(parser, "the account's password, one line,")
    parser.add_argument(
        "--imap-password-stdin",
        action="store_true",
        help="read the password for the IMAP server from standard input, after the account's if both come that way",
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Import, and tell what was done."""
    if (arguments.imap is None) != (arguments.imap_user is None):
        arguments.parser.error("--imap and --imap-user go together")
    done, left_out = asyncio.run(_import(arguments))
    for failure in done.failed:
        print(f"error: {failure}", file=sys.stderr)
    for folder in left_out:
        print(f"left out: {folder}", file=sys.stderr)
    behind = f", {done.deleted} are marked as deleted" if done.deleted else ""
    gone = f", {done.gone} went meanwhile" if done.gone else ""
    print(
        f"{done.added} mails ({megabytes(done.size_bytes)}) added, {done.known} were there{behind}{gone}, "
        f"{len(done.failed)} could not be taken"
    )
    return 1 if done.failed else 0


async def _import(arguments: argparse.Namespace) -> tuple[Imported, list[str]]:
    store = await open_store(load(arguments.config).storage)
    try:
        mailbox = await admin.find(store, arguments.account)
        prompt = f"Password of {mailbox.address}, or its recovery key"
        password = given_password(prompt, from_stdin=arguments.password_stdin)
        account, _ = await admin_contents.unlock(store, mailbox, password)
        source = _source(arguments)
        try:
            with Progress("mails") as progress:
                run = Import(account, source, await _room(store, mailbox), store.now_ms, progress.advance)
                folders = await asyncio.to_thread(source.folders)
                chosen = _chosen(folders, source, arguments.folder)
                roles = assign(chosen)
                if arguments.into:
                    chosen, roles = below(chosen, arguments.into, is_file=_is_file(arguments)), {}
                return await run.run(chosen, roles), source.left_out
        finally:
            source.close()
    finally:
        await store.close()


def _source(arguments: argparse.Namespace) -> Source:
    if arguments.maildir is not None:
        return MaildirSource(arguments.maildir)
    if arguments.mbox is not None:
        return MboxSource(arguments.mbox)
    password = given_password(f"Password of {arguments.imap_user} there", from_stdin=arguments.imap_password_stdin)
    host, port = arguments.imap, PORTS[arguments.imap_tls]
    if ":" in arguments.imap and not arguments.imap.endswith("]"):
        try:
            host, port = parse_address(arguments.imap)
        except ValueError as error:
            raise BadArgument(f"--imap: {error}") from error
    server = Server(host, port, arguments.imap_user, password, arguments.imap_tls, arguments.imap_ca)
    return ImapSource(server)


async def _room(store: Store, mailbox: Mailbox) -> Callable[[int], Awaitable[None]]:
    """Return what raises `QuotaExceeded` when so many bytes more do not fit."""
    recipient = await store.delivery.recipient(mailbox.address)
    return lambda size_bytes: store.delivery.room(recipient, size_bytes)


def _is_file(arguments: argparse.Namespace) -> bool:
    return arguments.mbox is not None and not arguments.mbox.is_dir()


def _chosen(folders: list[Found], source: Source, names: list[str]) -> list[Found]:
    """Return the folders that are meant.  Raises `UnknownFolder`."""
    if not names:
        return [folder for folder in folders if not (isinstance(source, ImapSource) and source.is_view(folder))]
    chosen = []
    for name in names:
        found = [folder for folder in folders if "/".join(folder.path).casefold() == name.casefold()]
        if not found:
            there = ", ".join("/".join(folder.path) for folder in folders)
            raise admin_contents.UnknownFolder(f"no folder {name!r} there; there are: {there}")
        chosen += found
    return chosen
