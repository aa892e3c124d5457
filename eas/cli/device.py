"""`petitbleu device`: the phones of an account."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from eas.cli import admin, admin_contents
from eas.cli.shown import table, when
from eas.cli.typed import add_password_stdin, given_password
from eas.run.sections import add_config, load
from storage.account import Account
from storage.opening import open_store

_EXAMPLES = """examples:
  petitbleu device list anna@example.org
  petitbleu device forget anna@example.org ApplDN6F2XYZ
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand with its own."""
    parser = subparsers.add_parser(
        "device",
        help="list and forget devices",
        description="List the devices of an account, or forget one.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    _action(actions, "list", _list, "list the devices that synchronise an account")
    forget = _action(actions, "forget", _forget, "forget a device: with its next request it begins anew")
    forget.add_argument("device", metavar="DEVICE", help="its id, as `device list` shows it")
    forget.add_argument(
        "--even-unknown", action="store_true", help="also one that is not listed: the store was restored from before it"
    )


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    word: str,
    action: Callable[[argparse.Namespace, Account], Awaitable[None]],
    text: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(word, help=text, description=f"{text[0].upper()}{text[1:]}.")
    add_config(parser)
    parser.add_argument("account", metavar="NAME")
    add_password_stdin(parser, "the account's password or recovery key, one line,")

    def run(arguments: argparse.Namespace) -> int:
        asyncio.run(_with_account(arguments, action))
        return 0

    parser.set_defaults(run=run)
    return parser


async def _with_account(
    arguments: argparse.Namespace, action: Callable[[argparse.Namespace, Account], Awaitable[None]]
) -> None:
    store = await open_store(load(arguments.config).storage)
    try:
        mailbox = await admin.find(store, arguments.account)
        prompt = f"Password of {mailbox.address}, or its recovery key"
        password = given_password(prompt, from_stdin=arguments.password_stdin)
        account, _ = await admin_contents.unlock(store, mailbox, password)
        await action(arguments, account)
    finally:
        await store.close()


async def _list(_arguments: argparse.Namespace, account: Account) -> None:
    rows = [
        (
            device.id,
            device.type,
            device.information.get("FriendlyName") or device.information.get("Model", ""),
            device.information.get("OS", ""),
            device.version,
            when(device.first_seen_ms),
            when(device.last_seen_ms),
        )
        for device in await admin_contents.devices(account)
    ]
    table(("device", "type", "name", "system", "protocol", "first seen", "seen"), rows)


async def _forget(arguments: argparse.Namespace, account: Account) -> None:
    await admin_contents.forget_device(account, arguments.device, even_unknown=arguments.even_unknown)
    print(f"forgot {arguments.device}")
