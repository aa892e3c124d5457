"""What people give to the command line: numbers, passwords, a yes."""

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path

from eas.run.explained import Mistake
from storage.keyring.exported import BadKeys, ExportedKeys, import_keys
from storage.private_file import read_private


class NotConfirmed(Mistake):
    """Somebody was asked, and did not say yes; or passwords do not match."""


class BadArgument(Mistake):
    """What was given on the command line cannot be."""


def count(most: int) -> Callable[[str], int]:
    """Return a type for argparse: a number from 1 to *most*."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"wants 1 to {most}, not {text!r}")
        return int(text)

    return parse


def add_password_stdin(parser: argparse.ArgumentParser, lines: str) -> None:
    """Let *parser* take --password-stdin, which reads *lines*."""
    parser.add_argument("--password-stdin", action="store_true", help=f"read {lines} from standard input, do not ask")


def given_password(prompt: str, *, from_stdin: bool) -> str:
    """Return a password that exists already: a line of standard input, or what is typed unseen."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass(f"{prompt}: ")


def new_password(prompt: str, *, from_stdin: bool) -> str:
    """Return a password to be set, typed twice.  Raises `NotConfirmed` if it was not the same."""
    password = given_password(prompt, from_stdin=from_stdin)
    if not from_stdin and getpass.getpass(f"{prompt}, again: ") != password:
        raise NotConfirmed("the passwords are not the same")
    return password


def read_keys(path: Path) -> ExportedKeys:
    """Return the keys that `account show-keys` printed.  Raises `BadArgument`, `UnsafeFile`, OSError."""
    try:
        return import_keys(read_private(path).decode("utf-8", "replace"))
    except BadKeys as error:
        raise BadArgument(f"{path}: {error}") from error


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Let *parser* take --yes."""
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def confirm(question: str, *, is_yes: bool) -> None:
    """Ask unless *is_yes*.  Raises `NotConfirmed` for every answer but yes; without a terminal nobody can say it."""
    if is_yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed("nobody to ask: say --yes")
    if input(f"{question} (yes/no) ").strip().lower() not in ("y", "yes"):
        raise NotConfirmed("nothing was changed")
