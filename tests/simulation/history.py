"""What happened, for those who have to understand it; and the first law that it broke."""

import asyncio
import hashlib

EPOCH_MS = 1_700_000_000_000
LINES_SHOWN = 25


class LawBroken(AssertionError):
    """A law does not hold in this history."""


class History:
    """The lines of one history."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.step = 0
        self.law_broken: str | None = None

    @property
    def now_ms(self) -> int:
        """The true time."""
        return EPOCH_MS + int(asyncio.get_running_loop().time() * 1000)

    def say(self, text: str) -> None:
        """Note what happened."""
        seconds = asyncio.get_running_loop().time()
        self.lines.append(f"{self.step:4} {seconds / 3600:9.3f} h  {text}")

    def broken(self, what: str) -> None:
        """Note that a law is broken.  Never raises: whoever calls may be the product, which would handle it."""
        self.say(f"BROKEN: {what}")
        self.law_broken = self.law_broken or what

    def check(self) -> None:
        """Raise `LawBroken` if a law was broken."""
        if self.law_broken is not None:
            raise LawBroken(self.law_broken)

    @property
    def digest(self) -> str:
        """A short hash of all that happened: equal for equal histories."""
        return hashlib.blake2b("\n".join(self.lines).encode(), digest_size=8).hexdigest()

    def told(self, about: str) -> str:
        """Return the lines that a reader needs: the last ones, and those that speak of words of *about*."""
        words = [word.strip("',:;()[]{}") for word in about.split()]
        names = [word for word in words if len(word) >= 8]
        last = len(self.lines) - LINES_SHOWN
        shown = [line for place, line in enumerate(self.lines) if place >= last or any(name in line for name in names)]
        return "\n".join(shown[-4 * LINES_SHOWN :])
