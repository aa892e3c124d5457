"""Setting an object aside: its bytes are kept under a name that nobody reads, and its own name is free.

    a/<account>/aside/<id>      the object's name, a line feed, its bytes

What does not open is no use where it is, and its place may be in the way; but it may be the only copy of something,
so it is never just removed.  Copy first, read back, then delete: a crash in between leaves both.
"""

from storage import paths
from storage.engine import Damaged, Engine, NotFound


async def set_aside(engine: Engine, account: str, name: str) -> str | None:
    """Set *name* aside; return where it lies now, None if it was not there.  Raises `EngineError`."""
    try:
        data = await engine.get(name)
    except NotFound:
        return None
    kept = paths.aside(account, paths.new_id())
    whole = name.encode() + b"\n" + data
    await engine.put(kept, whole)
    if await engine.get(kept) != whole:
        raise Damaged(f"{kept} is not what was written: {name} stays where it is")
    await engine.delete([name])
    return kept


def unpack_aside(data: bytes) -> tuple[str, bytes]:
    """Return the name that an object had, and its bytes."""
    name, _, rest = data.partition(b"\n")
    return name.decode(), rest
