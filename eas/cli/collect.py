"""`petitbleu collect`: remove what nobody needs any more."""

import argparse
import asyncio
import sys

from eas.cli import admin, admin_contents
from eas.cli.progress import Progress
from eas.cli.shown import megabytes, table
from eas.cli.typed import add_password_stdin, given_password
from eas.run.sections import add_config, load
from storage.collecting.collector import Collected, collect
from storage.collecting.leftovers import Leftovers
from storage.opening import open_store

_EXAMPLES = """examples:
  petitbleu collect --dry-run --account anna@example.org
      what would go now, and what waits for its time
  petitbleu collect
      only what can be known without keys: what dead processes left behind

Servers do this by themselves, about once a day for each account that is in use.  Nothing goes at its first pass: what
is unneeded is noted, and removed by a pass at least an hour (log) or a day (pages, contents) later; what users removed
stays for 31 days.  Packs of the local engine that are half empty are emptied and go at once.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "collect",
        help="remove what nobody needs any more",
        description="Remove from the store what nobody needs any more; it may be in use.  Exit code 1 when something "
        "could not be read: nothing of that account is removed then.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--account", metavar="NAME", action="append", default=[], help="of this one, too (repeatable)")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would go; note nothing")
    add_password_stdin(parser, "a line for each account, its password or recovery key,")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect, and tell what went."""
    done, freed = asyncio.run(_collect(arguments))
    kinds = sorted(done.objects.keys() | done.waiting.keys())
    if kinds:
        goes = "would go" if arguments.dry_run else "went"
        table(("objects", goes, "wait"), [(kind, done.objects[kind], done.waiting[kind]) for kind in kinds])
    word = "would be removed" if arguments.dry_run else "removed"
    print(
        f"{sum(done.objects.values())} objects ({megabytes(done.size_bytes)}) {word}, "
        f"{sum(done.waiting.values())} ({megabytes(done.waiting_bytes)}) wait for their time; "
        f"{done.purged_rows} rows of removed items purged, {done.packed} small contents put together"
    )
    if freed:
        print(f"{megabytes(freed)} of packs given back to the disk")
    for account in done.refused:
        print(f"error: account {account}: not whole, so nothing was removed; see `petitbleu check`", file=sys.stderr)
    return 1 if done.refused else 0


async def _collect(arguments: argparse.Namespace) -> tuple[Collected, int]:
    """Return what went, and how many bytes of the local engine's packs."""
    done, freed = Collected(), 0
    store = await open_store(load(arguments.config).storage)
    try:
        with Progress("objects removed") as progress:
            for name in arguments.account:
                mailbox = await admin.find(store, name)
                prompt = f"Password of {mailbox.address}, or its recovery key"
                password = given_password(prompt, from_stdin=arguments.password_stdin)
                account, _ = await admin_contents.unlock(store, mailbox, password)
                before = progress.count

                def advance(count: int, total: int, before: int = before) -> None:
                    progress.advance(before + count - progress.count, before + total)

                done.add(
                    await collect(store.engine, account, store.now_ms(), is_dry=arguments.dry_run, progress=advance)
                )
        left = await Leftovers(store.engine).sweep(store.now_ms(), is_dry=arguments.dry_run)
        if left:
            done.objects["left behind"] += len(left)
        if not arguments.dry_run:
            freed = await store.compact()
    finally:
        await store.close()
    return done, freed
