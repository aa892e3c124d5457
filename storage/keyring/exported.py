"""An account's keys as text, for the day when its slots, its ring or the deployment key are lost.

Whoever has the text reads everything in the account without any password, now and later, until the master key is
changed.  It is TOML, so that it can be read without this program, too:

    account = "<id in the store>"      address = "anna@example.org"
    ids = "<base64>"                   tokens = "<base64>"
    [[epoch]]                          the newest first
    number = 2                         master = "<base64>"       private = "<base64>"      until_ms = 1700000000000
"""

import base64
import binascii
import tomllib
from dataclasses import dataclass, field
from typing import Any

from storage.epochs import EPOCH_MAX, FIRST_EPOCH
from storage.keyring.rings import Epoch, Ring
from storage.paths import MalformedName, account_prefix
from storage.seal import KEY_BYTES
from storage.toml_tables import toml_value

TEXT_CHARS_MAX = 256 * 1024


class BadKeys(ValueError):
    """The text is not what `export_keys` wrote.  Says where, and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class ExportedKeys:
    """What the text says."""

    account: str
    address: str
    ring: Ring = field(repr=False)


def export_keys(exported: ExportedKeys) -> str:
    """Return the text."""
    ring = exported.ring
    lines = [
        f"account = {toml_value(exported.account)}",
        f"address = {toml_value(exported.address)}",
        f"ids = {_packed(ring.ids)}",
        f"tokens = {_packed(ring.tokens)}",
    ]
    for one in ring.epochs:
        lines += ["", "[[epoch]]", f"number = {one.number}"]
        lines += [f"master = {_packed(one.master)}", f"private = {_packed(one.private)}"]
        lines += [] if one.until_ms is None else [f"until_ms = {one.until_ms}"]
    return "\n".join(lines) + "\n"


def import_keys(text: str) -> ExportedKeys:
    """Undo `export_keys`.  Raises `BadKeys`."""
    if len(text) > TEXT_CHARS_MAX:
        raise BadKeys("too long to be the keys of an account")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadKeys("not TOML") from error
    try:
        account, address = str(table["account"]), str(table["address"])
        account_prefix(account)
        epochs = tuple(_epoch(one) for one in table["epoch"])
        ring = Ring(epochs, _key(table, "ids"), _key(table, "tokens"))
    except KeyError as error:
        raise BadKeys(f"{error.args[0]} is missing") from error
    except (TypeError, AttributeError, MalformedName) as error:
        raise BadKeys("not the keys of an account") from error
    numbers = [one.number for one in epochs]
    if not numbers or numbers != sorted(set(numbers), reverse=True):
        raise BadKeys("the epochs are not in their order, the newest first")
    return ExportedKeys(account, address, ring)


def _epoch(table: dict[str, Any]) -> Epoch:
    number, until_ms = table["number"], table.get("until_ms")
    if type(number) is not int or not FIRST_EPOCH <= number <= EPOCH_MAX:
        raise BadKeys("number is none of an epoch")
    if until_ms is not None and type(until_ms) is not int:
        raise BadKeys("until_ms is no time")
    return Epoch(number, _key(table, "master"), _key(table, "private"), until_ms)


def _key(table: dict[str, Any], name: str) -> bytes:
    try:
        key = base64.b64decode(table[name], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise BadKeys(f"{name} is not base64") from None
    if len(key) != KEY_BYTES:
        raise BadKeys(f"{name} is not of {KEY_BYTES} bytes")
    return key


def _packed(key: bytes) -> str:
    return f'"{base64.b64encode(key).decode()}"'
