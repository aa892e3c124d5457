"""Is this engine one that we can build on?  Asked once at the start, with a few small objects under `probe/`.

It finds what is often wrong with stores that look like S3: answers from a cache after a write, listings that lag
behind, ranges that are ignored.  It cannot find what shows only under load or when a machine dies.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable

from storage.engine import Engine, EngineRefused, Entry, NotFound

_FIRST, _SECOND = b"petit bleu, the first", b"the second"


async def probe(engine: Engine, name: str | None = None) -> None:
    """Try the laws that can be tried; about 20 requests.  Raises `EngineRefused`, naming the law that did not hold.

    *name* makes the keys: processes that start at once need different ones; by default it is random.  `Unavailable`
    passes through: the engine could not be asked.
    """
    prefix = f"probe/{name or secrets.token_hex(8)}/"
    one, two = prefix + "1", prefix + "2"
    try:
        await _read_and_list_after_write(engine, prefix, one, two)
        await _ranges(engine, one)
    finally:
        await engine.delete([one, two])
    await _gone(engine, prefix, one)


async def _read_and_list_after_write(engine: Engine, prefix: str, one: str, two: str) -> None:
    await _gone(engine, prefix, one)
    await engine.put(one, _SECOND)
    _expect("an object is found after somebody asked for it in vain", await _is_found(engine.get(one)), True)
    await engine.put(one, _FIRST)
    _expect("a replaced object has its new bytes", await engine.get(one), _FIRST)
    _expect("a listing shows what was put before", await engine.list(prefix), [Entry(one, len(_FIRST))])
    await engine.put(two, _SECOND)
    both = [Entry(one, len(_FIRST)), Entry(two, len(_SECOND))]
    _expect("a listing is in the order of keys, with sizes", await engine.list(prefix), both)
    _expect("a listing begins after the key that is named", await engine.list(prefix, one), both[1:])
    _expect("a listing stops at its limit", await engine.list(prefix, limit=1), both[:1])
    many = await engine.get_many([two, prefix + "3", one])
    _expect("several objects come in the order asked", many, [_SECOND, None, _FIRST])


async def _ranges(engine: Engine, key: str) -> None:
    _expect("a range is what was asked for", await engine.get(key, 6, 4), _FIRST[6:10])
    _expect("a range without size goes to the end", await engine.get(key, 6), _FIRST[6:])
    _expect("a range past the end is cut", await engine.get(key, 6, 1000), _FIRST[6:])
    _expect("a range behind the end is empty", await engine.get(key, 1000, 1), b"")


async def _gone(engine: Engine, prefix: str, key: str) -> None:
    _expect("an object that is not there is not found", await _is_found(engine.get(key)), False)
    _expect("a listing shows nothing that is not there", await engine.list(prefix), [])
    await engine.delete([key])  # once more: deleting what is not there is no error


async def _is_found(answer: Awaitable[bytes]) -> bool:
    try:
        await answer
    except NotFound:
        return False
    return True


def _expect(law: str, found: object, expected: object) -> None:
    if found != expected:
        raise EngineRefused(
            f"the store breaks a rule that mail is not safe without: {law} (expected {expected!r}, got {found!r})"
        )
