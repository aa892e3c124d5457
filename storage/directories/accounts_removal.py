"""Taking a user out of the accounts file, the rest of which stays as somebody wrote it."""

import re
from pathlib import Path

from storage.directories.accounts_file import StaticAccount, locked, parse_accounts, read_text
from storage.errors import UnknownAddress
from storage.private_file import replace_private
from storage.toml_tables import SettingError

_HEAD = re.compile(r"[ \t]*\[\[[ \t]*account[ \t]*\]\][ \t]*(#.*)?")
_TABLE = re.compile(r"[ \t]*\[")


def remove_account(path: Path, address: str) -> StaticAccount:
    """Remove the user who has the canonical *address*; return him.  Durable on return.

    Raises `UnknownAddress`, `SettingError` for a file that does not make sense, or in which the user cannot be told
    from others; `UnsafeFile`, OSError.
    """
    with locked(path):
        text = read_text(path)
        accounts = parse_accounts(text, str(path))
        places = [place for place, account in enumerate(accounts) if address in account.mailbox.addresses]
        if not places:
            raise UnknownAddress(address)
        [place] = places
        left = _without(text, place)
        if parse_accounts(left, str(path)) != (*accounts[:place], *accounts[place + 1 :]):
            raise SettingError(str(path), f"{address} cannot be taken out safely; remove the table by hand")
        replace_private(path, left.encode())
    return accounts[place]


def _without(text: str, place: int) -> str:
    """Return *text* without its *place*th `[[account]]` table, up to the next table's head or the end."""
    lines = text.splitlines(keepends=True)
    heads = [number for number, line in enumerate(lines) if _HEAD.fullmatch(line.rstrip("\r\n"))]
    if place >= len(heads):
        return text
    start = heads[place]
    end = next((number for number in range(start + 1, len(lines)) if _TABLE.match(lines[number])), len(lines))
    while end > start + 1 and lines[end - 1].lstrip().startswith("#"):
        end -= 1  # comments stand above what they speak of
    return "".join(lines[:start] + lines[end:])
