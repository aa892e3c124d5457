"""`petitbleu account`, what it does with keys: app passwords, recovery keys, a new master key, the day of disaster."""

import argparse
from pathlib import Path

from eas.cli import admin, admin_keys
from eas.cli.actions import add_action
from eas.cli.shown import table, when
from eas.cli.typed import BadArgument, add_password_stdin, add_yes, confirm, given_password, new_password, read_keys
from eas.protocol.query import is_device_id
from eas.run.sections import AllSettings
from storage.directories.directory import Mailbox
from storage.keyring.exported import export_keys
from storage.store import Store

_WARNING = """# The keys of {address}, as of now.  Whoever has them reads everything in the account, without a password.
# They are not shown again.  Keep them on paper or in a safe, apart from the store; to take them back, change the
# master key (`petitbleu account rotate-keys`).  What to do with them: deploy/README.md, "When keys are lost".
"""


def add_actions(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add these actions to those of `petitbleu account`."""
    _add_app_password(actions)

    recovery = add_action(actions, "recovery-key", _recovery_key, "make a new recovery key, and print it, once")
    add_password_stdin(recovery, "the password, one line,")

    rotate = add_action(
        actions, "rotate-keys", _rotate, "give the account new keys, if the old may be known; all passwords stay"
    )
    add_password_stdin(rotate, "the password or recovery key, one line,")

    show = add_action(actions, "show-keys", _show_keys, "print the account's keys, for the day of disaster")
    add_password_stdin(show, "the password or recovery key, one line,")
    add_yes(show)

    recover = add_action(
        actions, "recover", _recover, "set a new password with the keys that show-keys printed, when none opens"
    )
    recover.add_argument("--keys-file", type=Path, required=True, metavar="FILE", help="what show-keys printed")
    add_password_stdin(recover, "the new password, one line,")


def _add_app_password(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "app-password",
        help="passwords that open the account on one device alone",
        description="Passwords that open the account on one device alone, and can be revoked by themselves.",
    )
    inner = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = add_action(inner, "add", _app_add, "make a password for a device, and print it, once")
    add.add_argument("--device", required=True, metavar="ID", help="as the phone shows it, or `petitbleu device list`")
    add.add_argument("--label", default="", metavar="TEXT", help="for you to know it by")
    add_password_stdin(add, "the password, one line,")
    listing = add_action(inner, "list", _app_list, "list them")
    add_password_stdin(listing, "the password, one line,")
    revoke = add_action(inner, "revoke", _app_revoke, "let a device's passwords open nothing any more, at once")
    revoke.add_argument("--device", required=True, metavar="ID", help="whose")


async def _app_add(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    if not is_device_id(arguments.device):
        raise BadArgument(f"no device has the id {arguments.device!r}")
    mailbox = await admin.find(store, arguments.account)
    current = _known_password(arguments, mailbox)
    password = await admin_keys.add_app_password(store, mailbox, current, arguments.device, arguments.label)
    print(f"app password: {password}")
    print(f"It opens {mailbox.address} on the device {arguments.device} alone, and is not shown again.")


async def _app_list(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    slots = await admin_keys.list_app_passwords(store, mailbox, _known_password(arguments, mailbox))
    table(("device", "label", "since"), [(slot.device_id, slot.label, when(slot.created_ms)) for slot in slots])


async def _app_revoke(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    count = await admin_keys.revoke_app_passwords(store, mailbox, arguments.device)
    print(f"revoked {count} of {mailbox.address}, for the device {arguments.device}")


async def _recovery_key(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    recovery_key = await admin_keys.renew_recovery_key(store, mailbox, _known_password(arguments, mailbox))
    print(f"recovery key: {recovery_key}")
    print("Write it down: it is not shown again.  The one before it opens nothing any more.")


async def _rotate(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    rotated = await admin_keys.rotate(store, mailbox, _known_password(arguments, mailbox))
    print(f"{mailbox.address} has new keys, of epoch {rotated.unlocked.epoch}; all passwords go on opening it")
    print("What is stored already is sealed with them bit by bit, as it is written anew.")
    for slot_id in rotated.left_out:
        print(f"left out: slot {slot_id}, which somebody forged or put back; it opens nothing")


async def _show_keys(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    current = _known_password(arguments, mailbox)
    keys = await admin_keys.exported(store, mailbox, current)
    confirm(f"Show the keys that open everything of {mailbox.address}, without a password?", is_yes=arguments.yes)
    print(_WARNING.format(address=mailbox.address) + export_keys(keys), end="")


async def _recover(arguments: argparse.Namespace, _settings: AllSettings, store: Store) -> None:
    mailbox = await admin.find(store, arguments.account)
    keys = read_keys(arguments.keys_file)
    password = new_password(f"New password of {mailbox.address}", from_stdin=arguments.password_stdin)
    made = await admin_keys.recover(store, mailbox, keys, password)
    print(f"{mailbox.address} opens with the new password")
    print(f"recovery key: {made.recovery_key}")
    print("Write it down: it is not shown again.  Older passwords that still open stay: revoke what is not wanted.")


def _known_password(arguments: argparse.Namespace, mailbox: Mailbox) -> str:
    return given_password(f"Password of {mailbox.address}, or its recovery key", from_stdin=arguments.password_stdin)
