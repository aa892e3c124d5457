"""Actions of a subcommand: each opens the store, does one thing for one user, and closes it."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from eas.run.sections import AllSettings, add_config, load
from storage.opening import open_store
from storage.store import Store

Action = Callable[[argparse.Namespace, AllSettings, Store], Awaitable[None]]


def add_action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    word: str,
    action: Action,
    text: str,
    name: str | None = "NAME",
) -> argparse.ArgumentParser:
    """Add the action *word*, which takes a user's name unless *name* is None, and return its parser."""
    parser = actions.add_parser(word, help=text, description=f"{text[0].upper()}{text[1:]}.")
    add_config(parser)
    if name:
        parser.add_argument("account", metavar=name)

    def run(arguments: argparse.Namespace) -> int:
        asyncio.run(_with_store(arguments, action))
        return 0

    parser.set_defaults(run=run)
    return parser


async def _with_store(arguments: argparse.Namespace, action: Action) -> None:
    settings = load(arguments.config)
    store = await open_store(settings.storage)
    try:
        await action(arguments, settings, store)
    finally:
        await store.close()
