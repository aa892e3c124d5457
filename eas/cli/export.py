"""`petitbleu export`: an account's mail as files that other programs read."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from eas.cli import admin, admin_contents
from eas.cli.progress import Progress
from eas.cli.typed import BadArgument, add_password_stdin, given_password, read_keys
from eas.run.sections import add_config, load
from eas.transfer.exporting import Exported, export
from eas.transfer.maildir_target import MaildirTarget
from eas.transfer.mbox_target import MboxTarget
from eas.transfer.target import Target
from storage.account import Account
from storage.opening import open_by_keys, open_store

_EXAMPLES = """examples:
  petitbleu export anna@example.org --maildir /backup/anna
      all folders as a Maildir++; once more, and it brings what is new, moved or marked since
  petitbleu export anna --mbox /tmp/anna --folder Inbox --folder "Sent Items" --password-stdin < password
      two folders, each a file of the directory

Mails are as they lie in the store, with the lines that delivery put before them (Return-Path, Delivered-To, Received).
Nothing is ever removed from what was exported.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "export",
        help="write an account's mail to a Maildir or to mbox files",
        description="Write an account's mail, with folders, marks and dates, to files.  It may be run again, and "
        "killed at any time.  Exit code 1 when something could not be read.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("account", metavar="NAME", nargs="?", help="whose: what the user logs in with")
    parser.add_argument(
        "--keys-file", type=Path, metavar="FILE", help="instead of NAME: what `account show-keys` printed; no password"
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--maildir", type=Path, metavar="DIR", help="a Maildir++ of exactly the stored bytes")
    place.add_argument("--mbox", type=Path, metavar="DIR", help="an mbox a folder (mboxrd, LF line ends)")
    parser.add_argument(
        "--folder", metavar="FOLDER", action="append", default=[], help="only this one, by name or id (repeatable)"
    )
    add_password_stdin(parser, "the password or recovery key, one line,")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export, and tell what was done."""
    target: Target = MboxTarget(arguments.mbox) if arguments.maildir is None else MaildirTarget(arguments.maildir)
    before = os.umask(0o077)  # what is written is nobody else's to read
    try:
        done = asyncio.run(_export(arguments, target))
    finally:
        os.umask(before)
    for failure in done.failed:
        print(f"error: {failure}", file=sys.stderr)
    empty = f", {done.empty} items are without a text" if done.empty else ""
    print(f"{done.written} mails written, {done.known} were there{empty}, {len(done.failed)} could not be read")
    return 1 if done.failed else 0


async def _export(arguments: argparse.Namespace, target: Target) -> Exported:
    if (arguments.account is None) is (arguments.keys_file is None):
        raise BadArgument("say NAME or --keys-file, and not both")
    settings = load(arguments.config).storage
    if arguments.keys_file is not None:
        async with open_by_keys(settings, read_keys(arguments.keys_file)) as account:
            return await _export_from(account, arguments, target)
    store = await open_store(settings)
    try:
        mailbox = await admin.find(store, arguments.account)
        prompt = f"Password of {mailbox.address}, or its recovery key"
        password = given_password(prompt, from_stdin=arguments.password_stdin)
        account, _ = await admin_contents.unlock(store, mailbox, password)
        return await _export_from(account, arguments, target)
    finally:
        await store.close()


async def _export_from(account: Account, arguments: argparse.Namespace, target: Target) -> Exported:
    chosen = None
    if arguments.folder:
        found = [await admin_contents.chosen_folders(account, name) for name in arguments.folder]
        chosen = [folder.id for folders in found for folder in folders]
    with Progress("mails") as progress:
        return await export(account, target, chosen, progress.advance)
