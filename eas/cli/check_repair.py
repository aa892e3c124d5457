"""`petitbleu check --repair`: tells what it would do, asks, does it."""

import argparse
import sys

from eas.cli.progress import Progress
from eas.cli.typed import confirm
from storage.account import Account
from storage.checking.alien import alien_names, remove
from storage.checking.repair import examine, repair
from storage.engine import Engine

_SHOWN_MAX = 50


async def repair_account(engine: Engine, account: Account, arguments: argparse.Namespace) -> bool:
    """Repair one account; return whether it is as good as it can be."""
    address = account.identity.address
    with Progress("objects") as progress:
        found = await examine(engine, account, progress.advance)
    if found.state is None:
        print(f"{address}: nothing to repair in log, checkpoints and pages")
        return True
    for word, lines in (("lost", found.losses), ("known from elsewhere", found.repaired), ("set aside", found.aside)):
        for line in lines[:_SHOWN_MAX]:
            print(f"{address}: {word}: {line}")
        if len(lines) > _SHOWN_MAX:
            print(f"{address}: {word}: and {len(lines) - _SHOWN_MAX} more")
    if found.losses and not arguments.accept_loss:
        print(f"{address}: not repaired: try a backup first, or say --accept-loss", file=sys.stderr)
        return False
    print(f"{address}: would write a checkpoint of all that can be read, and set {len(found.aside)} objects aside")
    if arguments.dry_run:
        return False
    confirm(f"Repair {address}?", is_yes=arguments.yes)
    kept = await repair(engine, account, found)
    print(f"{address}: repaired; {len(kept)} objects were set aside")
    return True


async def remove_alien(engine: Engine, arguments: argparse.Namespace) -> bool:
    """Remove objects whose names nobody here makes; return whether none is left."""
    names = await alien_names(engine)
    for name in names[:_SHOWN_MAX]:
        print(f"not of ours: {name!r}")
    if not names or arguments.dry_run:
        print(f"{len(names)} objects have names that are not of ours")
        return not names
    confirm(f"Remove {len(names)} objects whose names are not of ours, for good?", is_yes=arguments.yes)
    left = await remove(engine, names)
    print(f"{len(names) - len(left)} objects removed")
    for name in left:
        print(f"error: {name!r}: cannot be removed from here", file=sys.stderr)
    return not left
