"""What a fuzz target is, and how its inputs are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from time import perf_counter
from typing import Final

EDITS_MAX: Final = 8
INSERTED_MAX: Final = 8
SLOW_SECONDS: Final = 2.0  # a few KB take milliseconds: whoever needs longer has a quadratic loop

INTERESTING: Final = (
    b"\x00",
    b"\x01",
    b"\x03",
    b"\x7f",
    b"\x80",
    b"\xc3",
    b"\xff",
    b"\xff" * 5,
    b"\r\n",
    b"=",
    b"%",
    b'"',
)


@dataclass(frozen=True, slots=True)
class Target:
    """`run` takes any bytes: what the code under test may raise, it catches.  `seeds` are inputs worth mutating."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]


class SlowInput(Exception):
    """An input took longer than SLOW_SECONDS."""


def input_of(target: Target, seed: str) -> bytes:
    """Return the input that *seed* stands for: always the same one."""
    random = Random(seed)
    data = bytearray(random.choice(target.seeds))
    for _ in range(random.randint(1, EDITS_MAX)):
        _edit(data, random, target.seeds)
    return bytes(data)


def check(target: Target, data: bytes) -> None:
    """Run *target* on *data*.  Raises whatever it raises, and `SlowInput`."""
    started = perf_counter()
    target.run(data)
    seconds = perf_counter() - started
    if seconds > SLOW_SECONDS:
        raise SlowInput(f"{seconds:.1f} s for {len(data)} bytes")


def _edit(data: bytearray, random: Random, seeds: Sequence[bytes]) -> None:
    start = random.randint(0, len(data))
    end = min(len(data), start + random.choice((0, 1, 2, 4, random.randint(0, 64))))
    match random.randrange(7):
        case 0:
            data[start:end] = random.choice(INTERESTING)
        case 1:
            data[start:end] = random.randbytes(random.randint(0, INSERTED_MAX))
        case 2 if start < len(data):
            data[start] ^= 1 << random.randrange(8)
        case 3:
            del data[start:end]
        case 4:
            data[start:start] = data[start:end] * random.randint(1, 20)
        case 5:
            other = random.choice(seeds)
            cut = random.randint(0, len(other))
            data[start:end] = other[cut : cut + random.randint(0, 64)]
        case _:
            del data[random.randint(start, len(data)) :]
