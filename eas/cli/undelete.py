"""`petitbleu undelete`: what was removed, and the way back."""

import argparse
import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from eas.cli import admin, admin_contents
from eas.cli.shown import table, when
from eas.cli.typed import add_password_stdin, add_yes, confirm, given_password
from eas.run.sections import add_config, load
from storage.account import Account
from storage.message.summary import Summary
from storage.opening import open_store
from storage.removed import GRACE_MS, BroughtBack, Removed, bring_back, removed_items

_TEXT_CHARS_MAX = 50
_EXAMPLES = """examples:
  petitbleu undelete anna@example.org --list --since 2026-05-01
      what was removed since then: when, from where, what it was, and its id
  petitbleu undelete anna 4a1b2c3d4e5f6g7h8i9j
      bring that one back to where it was
  petitbleu undelete anna --folder "Deleted Items" --since 2026-05-20 --to Inbox
      bring everything back that was removed from there since then; asks before it does

Items can be brought back for 30 days after their removal.  Phones get them like new mail.
"""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A removed item as a line."""

    id: str
    removed_ms: int
    folder: str
    subject: str
    sender: str

    @classmethod
    def of(cls, removed: Removed, names: dict[str, str]) -> "_Shown":
        subject = sender = ""
        if removed.content is not None:
            with suppress(ValueError, TypeError, IndexError, OverflowError):  # of a delivery, which is anybody's word
                summary = Summary.unpack(removed.content.summary)
                subject, sender = str(summary.subject), str(summary.from_)
        folder = names.get(removed.folder, "(a folder that is gone)")
        return cls(removed.item.id, removed.removed_ms, folder, subject[:_TEXT_CHARS_MAX], sender[:_TEXT_CHARS_MAX])


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "undelete",
        help="list what was removed, and bring it back",
        description="List what was removed from an account, or bring it back.  Exit code 1 when something could not be "
        "brought back.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("account", metavar="NAME", help="whose: what the user logs in with")
    parser.add_argument("items", metavar="ITEM", nargs="*", help="ids, as --list shows them (default: all that fit)")
    parser.add_argument("--list", action="store_true", help="only list them, the last removed first")
    parser.add_argument("--folder", metavar="FOLDER", help="only what was removed from this one, by name or id")
    parser.add_argument("--since", type=_date, default=0, metavar="DATE", help="only what was removed since (UTC)")
    parser.add_argument("--to", metavar="FOLDER", help="into this folder, not to where they were")
    add_password_stdin(parser, "the password or recovery key, one line,")
    add_yes(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List, or bring back."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    store = await open_store(load(arguments.config).storage)
    try:
        mailbox = await admin.find(store, arguments.account)
        prompt = f"Password of {mailbox.address}, or its recovery key"
        password = given_password(prompt, from_stdin=arguments.password_stdin)
        account, _ = await admin_contents.unlock(store, mailbox, password)
        if arguments.list or not arguments.items:
            found = await _found(account, arguments.folder, arguments.since, set(arguments.items))
            if arguments.list:
                _list(found, store.now_ms())
                return 0
            wanted = [line.id for line in found if store.now_ms() - line.removed_ms <= GRACE_MS]
            if wanted:
                confirm(f"Bring back {len(wanted)} items of {mailbox.address}?", is_yes=arguments.yes)
        else:
            wanted = arguments.items
        to = None
        if arguments.to is not None:
            to = (await admin_contents.chosen_folders(account, arguments.to))[0].id
        return _told(await bring_back(account, wanted, store.now_ms(), to))
    finally:
        await store.close()


async def _found(account: Account, folder: str | None, since_ms: int, ids: set[str]) -> list[_Shown]:
    wanted = None if folder is None else {one.id for one in await admin_contents.chosen_folders(account, folder)}
    async with account.turn() as state:
        names = {one.id: one.name for one in state.folders.tree().values()}
        found = [
            _Shown.of(removed, names)
            async for removed in removed_items(state, since_ms)
            if (wanted is None or removed.folder in wanted) and (not ids or removed.item.id in ids)
        ]
    return sorted(found, key=lambda line: (-line.removed_ms, line.id))


def _list(found: list[_Shown], now_ms: int) -> None:
    rows = [
        (line.id, when(line.removed_ms), line.folder, _left(now_ms - line.removed_ms), line.sender, line.subject)
        for line in found
    ]
    table(("item", "removed (UTC)", "from", "days left", "sender", "subject"), rows)


def _left(age_ms: int) -> str:
    return "none" if age_ms > GRACE_MS else str((GRACE_MS - age_ms) // 86_400_000)


def _told(done: BroughtBack) -> int:
    for ids, what in (
        (done.unknown, "is not known here"),
        (done.too_late, "was removed over 30 days ago"),
        (done.lost, "has lost its content"),
    ):
        for item in ids:
            print(f"error: {item}: {what}", file=sys.stderr)
    there = f", {len(done.present)} were not removed" if done.present else ""
    print(f"{len(done.back)} items brought back{there}")
    return 1 if done.unknown or done.too_late or done.lost else 0


def _date(text: str) -> int:
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"wants a date such as 2026-05-01, not {text!r}") from error
    return int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000)
