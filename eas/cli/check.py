"""`petitbleu check`: is the store whole?"""

import argparse
import asyncio
import sys

from eas.cli import admin, admin_contents
from eas.cli.typed import add_password_stdin, given_password
from eas.run.sections import add_config, load
from storage.check import Report, check_store, summary
from storage.check_account import check_account
from storage.opening import open_store

_EXAMPLES = """examples:
  petitbleu check
      everything that can be seen without keys: names, gaps, chains, whether all accounts have their keys
  petitbleu check --account anna@example.org --deep
      also that every mail of Anna's is there, and opens
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
    add_password_stdin(parser, "a line for each account, its password or recovery key,")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check and report."""
    report = asyncio.run(_check(arguments))
    for finding in report.findings:
        print(f"{'error' if finding.is_error else 'odd'}: {finding.where}: {finding.what}", file=sys.stderr)
    print(summary(report, arguments.account))
    return 0 if report.is_whole else 1


async def _check(arguments: argparse.Namespace) -> Report:
    report = Report()
    store = await open_store(load(arguments.config).storage)
    try:
        await check_store(store.vault, report)
        for name in arguments.account:
            mailbox = await admin.find(store, name)
            prompt = f"Password of {mailbox.address}, or its recovery key"
            password = given_password(prompt, from_stdin=arguments.password_stdin)
            account, _ = await admin_contents.unlock(store, mailbox, password)
            await check_account(store.engine, account, report, is_deep=arguments.deep)
    finally:
        await store.close()
    return report
