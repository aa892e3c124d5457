"""`petitbleu account`: users and their passwords."""

import argparse

from eas.cli import account_keys, admin, admin_contents
from eas.cli.actions import add_action
from eas.cli.shown import megabytes, table, when
from eas.cli.typed import BadArgument, add_password_stdin, add_yes, confirm, count, given_password, new_password
from eas.run.sections import AllSettings
from storage.directories.accounts_file import QUOTA_BYTES_MAX, StaticAccount
from storage.directories.directory import Mailbox
from storage.keyring.keys import list_slots
from storage.keyring.slots import SlotKind
from storage.store import Store

QUOTA_MB_MAX = QUOTA_BYTES_MAX // 1_000_000
_EXAMPLES = """examples:
  petitbleu account add anna@example.org --name "Anna Beispiel" --alias info@example.org
  printf '%s\\n' "$PASSWORD" | petitbleu account add anna@example.org --password-stdin
  printf '%s\\n' "$OLD" "$NEW" | petitbleu account password anna@example.org --password-stdin
  petitbleu account empty anna@example.org --folder "Deleted Items"
  petitbleu account app-password add anna@example.org --device ABC123 --label "Anna's phone"
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand with its own."""
    parser = subparsers.add_parser(
        "account",
        help="add, list, change and remove users",
        description="Add, list, change and remove users.  NAME is what the user logs in with: an address, or its part "
        "before the @ where that is unique.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    add = add_action(actions, "add", _add, "add a user, and print the recovery key, once", name="ADDRESS")
    add.add_argument("--name", default="", metavar="TEXT", help="the name that others see")
    add.add_argument("--alias", action="append", default=[], metavar="ADDRESS", help="another address (repeatable)")
    add.add_argument(
        "--quota-mb", type=count(QUOTA_MB_MAX), metavar="N", help="how much it may hold (default: no bound)"
    )
    add_password_stdin(add, "the password, one line,")

    add_action(actions, "list", _list, "list all users", name=None)

    password = add_action(actions, "password", _password, "change a password; the recovery key will do as the old one")
    add_password_stdin(password, "two lines, the old password (or recovery key) and the new one,")

    remove = add_action(actions, "remove", _remove, "remove a user with all his mail, for good")
    add_yes(remove)

    show = add_action(actions, "show", _show, "show a user's folders, sizes, devices and passwords")
    add_password_stdin(show, "the password, one line,")

    empty = add_action(actions, "empty", _empty, "remove all items, or those of one folder; devices are told")
    empty.add_argument("--folder", metavar="FOLDER", help="only this one, by name or id")
    add_password_stdin(empty, "the password, one line,")
    add_yes(empty)

    account_keys.add_actions(actions)


async def _add(arguments: argparse.Namespace, settings: AllSettings, store: Store) -> None:
    quota = None if arguments.quota_mb is None else arguments.quota_mb * 1_000_000
    try:
        account = StaticAccount(arguments.account, arguments.name, tuple(arguments.alias), quota_bytes=quota)
    except ValueError as error:
        raise BadArgument(str(error)) from error
    if settings.storage.directory != "file" and (arguments.name or arguments.alias or quota is not None):
        raise BadArgument("names, aliases and quotas are what the LDAP directory says")
    password = new_password(f"Password for {arguments.account}", from_stdin=arguments.password_stdin)
    recovery_key = await admin.create_account(store, settings.storage, account, password)
    print(f"added {account.mailbox.address}")
    print(f"recovery key: {recovery_key}")
    print("Write it down: it is not shown again, and without it a forgotten password loses all mail.")


async def _list(_arguments: argparse.Namespace, settings: AllSettings, store: Store) -> None:
    rows = [
        (
            listed.mailbox.address,
            listed.mailbox.display_name,
            ", ".join(listed.mailbox.aliases),
            "" if listed.mailbox.quota_bytes is None else megabytes(listed.mailbox.quota_bytes),
            "" if listed.has_keys else "no keys yet: `account add` makes them",
        )
        for listed in await admin.list_accounts(store, settings.storage)
    ]
    table(("address", "name", "aliases", "quota", ""), rows)


async def _password(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    current = _known_password(arguments, mailbox, "Old password")
    new = new_password("New password", from_stdin=arguments.password_stdin)
    await admin.change_password(store, mailbox, current, new)
    print(f"the password of {mailbox.address} is changed")


async def _remove(arguments: argparse.Namespace, settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    confirm(f"Remove {mailbox.address} and all its mail, for good?", is_yes=arguments.yes)
    count = await admin.delete_account(store, settings.storage, mailbox)
    print(f"removed {mailbox.address}: {count} objects")


async def _show(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    account, unlocked = await admin_contents.unlock(store, mailbox, _known_password(arguments, mailbox))
    print(f"{mailbox.address}  {mailbox.display_name}")
    for alias in mailbox.aliases:
        print(f"  also {alias}")
    print(f"  in the store: {account.id}\n")
    sizes = await admin_contents.folder_sizes(account)
    table(("folder", "items", "size"), [(each.folder.name, each.items, megabytes(each.size_bytes)) for each in sizes])
    quota = "" if mailbox.quota_bytes is None else f" of {megabytes(mailbox.quota_bytes)}"
    total = sum(each.size_bytes for each in sizes)
    print(f"\n{sum(each.items for each in sizes)} items, {megabytes(total)}{quota}\n")
    devices = await admin_contents.devices(account)
    table(("device", "type", "seen"), [(device.id, device.type, when(device.last_seen_ms)) for device in devices])
    kinds = {SlotKind.MAIN: "main password", SlotKind.APP: "app password", SlotKind.RECOVERY: "recovery key"}
    print()
    slots = await list_slots(store.vault, unlocked)
    table(
        ("opens with", "for", "since"),
        [(kinds[slot.kind], slot.label or slot.device_id, when(slot.created_ms)) for slot in slots],
    )


async def _empty(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    account, _ = await admin_contents.unlock(store, mailbox, _known_password(arguments, mailbox))
    folders = await admin_contents.chosen_folders(account, arguments.folder)
    named = "all folders" if arguments.folder is None else ", ".join(folder.name for folder in folders)
    confirm(f"Remove all items of {named} of {mailbox.address}?", is_yes=arguments.yes)
    print(f"removed {await admin_contents.empty(account, folders)} items")


def _known_password(arguments: argparse.Namespace, mailbox: Mailbox, prompt: str = "Password") -> str:
    return given_password(f"{prompt} of {mailbox.address}, or its recovery key", from_stdin=arguments.password_stdin)
