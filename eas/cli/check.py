"""`petitbleu check`: is the store whole?"""

import argparse
import asyncio
import sys

from eas.cli import admin, admin_contents, check_repair
from eas.cli.progress import Progress
from eas.cli.typed import add_password_stdin, add_yes, given_password
from eas.run.sections import add_config, load
from storage.account import Account
from storage.checking.check import Report, check_store, summary
from storage.checking.check_account import check_account
from storage.opening import open_store
from storage.store import Store

_EXAMPLES = """examples:
  petitbleu check
      everything that can be seen without keys: names, gaps, chains, whether all accounts have their keys
  petitbleu check --account anna@example.org --deep
      also that every mail of Anna's is there, and opens
  petitbleu check --account anna@example.org --repair --dry-run
      what a repair would do; without --dry-run it asks, and does it

A repair never removes the only copy of anything: what does not open is set aside in the store.  Where something is lost
it does nothing unless --accept-loss says so: put back from a backup first whatever is missing or damaged.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="check that the store is whole",
        description="Check that the store is whole; it may be in use.  Exit code 1 when something is wrong.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.add_argument("--account", metavar="NAME", action="append", default=[], help="look into it, too (repeatable)")
    parser.add_argument("--deep", action="store_true", help="read every content of those accounts")
    parser.add_argument("--repair", action="store_true", help="repair what can be, in the accounts given")
    parser.add_argument("--dry-run", action="store_true", help="with --repair: only tell what it would do")
    parser.add_argument("--accept-loss", action="store_true", help="with --repair: go on without what nobody can read")
    parser.add_argument(
        "--remove-alien", action="store_true", help="with --repair: remove objects whose names are not of ours"
    )
    add_password_stdin(parser, "a line for each account, its password or recovery key,")
    add_yes(parser)
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Check, repair if asked to, and report."""
    if arguments.repair and not (arguments.account or arguments.remove_alien):
        arguments.parser.error("--repair wants --account: what is in an account only its password opens")
    if not arguments.repair and (arguments.dry_run or arguments.accept_loss or arguments.remove_alien):
        arguments.parser.error("--dry-run, --accept-loss and --remove-alien go with --repair")
    report, is_repaired = asyncio.run(_check(arguments))
    for finding in report.findings:
        print(f"{'error' if finding.is_error else 'odd'}: {finding.where}: {finding.what}", file=sys.stderr)
    print(summary(report, arguments.account))
    return 0 if report.is_whole and is_repaired else 1


async def _check(arguments: argparse.Namespace) -> tuple[Report, bool]:
    store = await open_store(load(arguments.config).storage)
    try:
        accounts = [await _unlocked(store, name, arguments) for name in arguments.account]
        is_repaired = True
        for account in accounts if arguments.repair else []:
            is_repaired &= await check_repair.repair_account(store.engine, account, arguments)
        if arguments.remove_alien:
            is_repaired &= await check_repair.remove_alien(store.engine, arguments)
        with Progress("objects") as progress:
            report = Report(advance=progress.advance)
            await check_store(store.vault, report)
            for account in accounts:
                account.shed()
                await check_account(store.engine, account, report, is_deep=arguments.deep)
        return report, is_repaired
    finally:
        await store.close()


async def _unlocked(store: Store, name: str, arguments: argparse.Namespace) -> Account:
    mailbox = await admin.find(store, name)
    prompt = f"Password of {mailbox.address}, or its recovery key"
    password = given_password(prompt, from_stdin=arguments.password_stdin)
    return (await admin_contents.unlock(store, mailbox, password))[0]
