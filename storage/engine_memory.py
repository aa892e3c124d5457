"""The engine that forgets: everything in memory, for tests and for trying things out.

Every call lets others run before it takes effect, as those of a real engine do: what is only right while nobody else
gets a turn shall fail here, too.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterable, Iterable, Sequence

from storage.engine import Entry, NotFound, Unavailable, after_prefix, check_key, check_prefix, check_range

LIST_PAGE = 64


class MemoryObjects:
    """What several `MemoryEngine`s may have in common, as nodes have a bucket."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.keys: list[str] = []  # sorted; ASCII, so that text order is byte order

    def put(self, key: str, data: bytes) -> None:
        """Store or replace one object."""
        if key not in self.contents:
            insort(self.keys, key)
        self.contents[key] = data

    def delete(self, key: str) -> None:
        """Remove one object, if it is there."""
        if self.contents.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]


class MemoryEngine:
    """An `Engine` in memory.  Engines given the same *objects* are nodes of one store."""

    def __init__(self, objects: MemoryObjects | None = None, list_page: int = LIST_PAGE) -> None:
        self.objects = objects if objects is not None else MemoryObjects()
        self.list_page = list_page
        self._closed = False

    async def put(self, key: str, data: bytes | AsyncIterable[bytes]) -> None:
        """See `Engine.put`; here a stream is held in memory as a whole."""
        await self._turn()
        check_key(key)
        if not isinstance(data, bytes):
            data = b"".join([piece async for piece in data])
            await self._turn()
        self.objects.put(key, data)

    async def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """See `Engine.get`."""
        await self._turn()
        check_range(start, size)
        try:
            data = self.objects.contents[check_key(key)]
        except KeyError:
            raise NotFound(key) from None
        return data[start : None if size is None else start + size]

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `Engine.get_many`."""
        await self._turn()
        return [self.objects.contents.get(check_key(key)) for key in keys]

    async def list(self, prefix: str, start_after: str = "", limit: int | None = None) -> list[Entry]:
        """See `Engine.list`."""
        await self._turn()
        check_prefix(start_after)
        keys = self.objects.keys
        first = max(bisect_left(keys, check_prefix(prefix)), bisect_right(keys, start_after))
        end = bisect_left(keys, after_prefix(prefix))
        if limit is not None:
            check_range(0, limit)
            end = min(end, first + limit)
        return [Entry(key, len(self.objects.contents[key])) for key in keys[first:end]]

    async def delete(self, keys: Iterable[str]) -> None:
        """See `Engine.delete`."""
        await self._turn()
        for key in [check_key(key) for key in keys]:
            self.objects.delete(key)

    async def close(self) -> None:
        """See `Engine.close`; *objects* live on for other nodes."""
        self._closed = True

    async def _turn(self) -> None:
        await asyncio.sleep(0)
        if self._closed:
            raise Unavailable("the engine is closed")
