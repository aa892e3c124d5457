"""Objects whose names nobody here makes: found everywhere in a store, and removed when somebody says so."""

from collections.abc import Sequence

from storage import paths
from storage.engine import Engine, check_key
from storage.paths import MalformedName

LISTED_AT_ONCE = 1000


async def alien_names(engine: Engine) -> list[str]:
    """Return them all, in order.  Cost: a listing of the whole store."""
    found: list[str] = []
    after = ""
    while page := await engine.list("", after, LISTED_AT_ONCE):
        found += [entry.key for entry in page if not _is_ours(entry.key)]
        after = page[-1].key
    return found


async def remove(engine: Engine, names: Sequence[str]) -> list[str]:
    """Remove them; return those that an engine does not even take as a key."""
    left = [name for name in names if not _is_key(name)]
    await engine.delete(name for name in names if name not in left)
    return left


def _is_ours(key: str) -> bool:
    try:
        paths.parse(key)
    except MalformedName:
        return False
    return True


def _is_key(key: str) -> bool:
    try:
        check_key(key)
    except ValueError:
        return False
    return True
