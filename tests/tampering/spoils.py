"""What may be done to a store by whoever can write there, or by a disk: one spoilt copy after the other."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from storage import paths
from storage.paths import Kind, Name
from tests.tampering.kept import Kept

HEADER_BYTES = 40
"""So many bytes of every object are flipped, one by one; further on, samples are."""
SAMPLES = 8


class Spoil(NamedTuple):
    """Objects that have other contents than they should, None: are gone."""

    what: str
    changes: dict[str, bytes | None]

    @property
    def names(self) -> list[str]:
        return list(self.changes)


def flipped(kept: Kept, random: Random) -> Iterator[Spoil]:
    """One bit of an object turned."""
    for name, data in kept.contents.items():
        further = random.sample(range(len(data)), min(SAMPLES, len(data)))
        for place in sorted({*range(min(HEADER_BYTES, len(data))), *further, len(data) - 1}):
            bit = 1 << random.randrange(8)
            yield Spoil(f"flipped at {place}", {name: data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]})


def cut(kept: Kept, random: Random) -> Iterator[Spoil]:
    """An object shorter than it was, or longer."""
    for name, data in kept.contents.items():
        borders = {0, 1, 2, 24, 26, 30, 32, 33, 65, 82, 106, len(data) // 2, len(data) - 16, len(data) - 1}
        for length in sorted(length for length in borders | {random.randrange(len(data))} if 0 <= length < len(data)):
            yield Spoil(f"cut to {length} of {len(data)}", {name: data[:length]})
        yield Spoil("with a byte more", {name: data + b"\0"})


def swapped(kept: Kept, random: Random) -> Iterator[Spoil]:
    """Two objects each in the other's place: one of every kind, of this account and of the other."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name in kept.contents:
        parsed = paths.parse(name)
        groups.setdefault((parsed.kind, parsed.account), []).append(name)
    for name, data in kept.contents.items():
        for others in groups.values():
            rest = [other for other in others if other != name]
            if rest:
                other = random.choice(rest)
                yield Spoil(f"swapped with {other}", {name: kept.contents[other], other: data})


def moved(kept: Kept, random: Random) -> Iterator[Spoil]:
    """An object under another name of its kind: moved there, or there as well."""
    for name, data in kept.contents.items():
        for other in _other_names(kept, name, random):
            if other not in kept.contents:
                yield Spoil(f"copied to {other}", {other: data})
                yield Spoil(f"moved to {other}", {name: None, other: data})


def _other_names(kept: Kept, name: str, random: Random) -> Iterator[str]:
    parsed = paths.parse(name)
    fresh = paths.new_writer() if parsed.kind in (Kind.LOG, Kind.FEED) else paths.new_id()
    if parsed.id:
        yield paths.make(parsed._replace(id=fresh, n=min(parsed.n, 1)))
    if parsed.n:
        yield paths.make(parsed._replace(n=parsed.n + 1))
    if parsed.kind in paths.CHECKPOINTS:
        yield paths.make(parsed._replace(id="f" * 48))  # as if it were the newest
    accounts = sorted({other for other in map(_account, kept.contents) if other not in ("", parsed.account)})
    if parsed.account:
        yield paths.make(parsed._replace(account=random.choice(accounts)))


def _account(name: str) -> str:
    return paths.parse(name).account


def removed(kept: Kept, _random: Random) -> Iterator[Spoil]:
    """Objects that are gone: each, the end of each writer's log, and all of a kind."""
    for name in kept.contents:
        yield Spoil("gone", {name: None})
    for writer, names in _by_writer(kept).items():
        for first in range(len(names) - 1):
            yield Spoil(f"the log of {writer} from its object {first} on gone", dict.fromkeys(names[first:]))
    for account in sorted({_account(name) for name in kept.contents} - {""}):
        for kind in Kind:
            names = [name for name in kept.contents if paths.parse(name)[:2] == (kind, account)]
            if len(names) > 1:
                yield Spoil(f"every {kind.name} gone", dict.fromkeys(names))


def _by_writer(kept: Kept) -> dict[str, list[str]]:
    writers: dict[str, list[str]] = {}
    for name in sorted(kept.contents):
        parsed = paths.parse(name)
        if parsed.kind is Kind.LOG:
            writers.setdefault(parsed.id, []).append(name)
    return writers


def rolled_back(kept: Kept, _random: Random) -> Iterator[Spoil]:
    """What was replaced or removed put back, with and without what took its place."""
    for name, versions in kept.older.items():
        for data in versions:
            if kept.contents.get(name) == data:
                continue
            yield Spoil("an older one put back", {name: data})
            newer = [other for other in kept.contents if _is_version_of(paths.parse(other), paths.parse(name))]
            if newer:
                yield Spoil("an older one put back, the newer gone", {name: data, **dict.fromkeys(newer)})


def _is_version_of(one: Name, other: Name) -> bool:
    if one.kind is not other.kind or one.account != other.account:
        return False
    return one.kind in paths.CHECKPOINTS or (one.kind in (Kind.SLOT, Kind.RING, Kind.PUBLIC) and one.id == other.id)


WAYS: Sequence[Callable[[Kept, Random], Iterator[Spoil]]] = (flipped, cut, swapped, moved, removed, rolled_back)
