"""Reads the memory of a child process, as whoever gets hold of the machine would."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_REFERENCES_MAX = 1 << 32
_BYTES_HEADER, _TEXT_HEADER = 32, 48
"""CPython 3.11: references, type, length and hash before the bytes of a `bytes`; a `str` has 16 more."""


@dataclass(frozen=True)
class Found:
    """How often something is there: anywhere, and in objects of Python's that somebody still refers to."""

    anywhere: int
    living: int


def find(pid: int, needles: Mapping[str, bytes]) -> dict[str, Found]:
    """Look for each of *needles* in all that the process can read, and return what is there at all."""
    anywhere, living = dict.fromkeys(needles, 0), dict.fromkeys(needles, 0)
    for region in _regions(pid):
        for name, needle in needles.items():
            at = region.find(needle)
            while at >= 0:
                anywhere[name] += 1
                living[name] += _is_object(region, at, len(needle))
                at = region.find(needle, at + 1)
    return {name: Found(count, living[name]) for name, count in anywhere.items() if count}


def _is_object(region: bytes, start: int, size: int) -> bool:
    """Say whether a living `bytes` or ASCII `str` of just this length is there.

    The allocator writes an address (or 0, in the last of its list) where an object that is gone counted its references.
    """
    for header in (_BYTES_HEADER, _TEXT_HEADER):
        begin = start - header
        if begin >= 0:
            references = int.from_bytes(region[begin : begin + 8], "little")
            if 0 < references < _REFERENCES_MAX and int.from_bytes(region[begin + 16 : begin + 24], "little") == size:
                return True
    return False


def _regions(pid: int) -> Iterator[bytes]:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            fields = line.split()
            if "r" not in fields[1] or fields[-1] in ("[vvar]", "[vsyscall]", "[vdso]"):
                continue
            start, end = (int(text, 16) for text in fields[0].split("-"))
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:  # of a device, or gone since
                continue
