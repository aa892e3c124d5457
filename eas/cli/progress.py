"""How far long work is: a bar on a terminal, a line now and then for a log.  Both on standard error."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from eas.cli.shown import megabytes

BAR_SECONDS = 0.1
LINE_SECONDS = 30.0
BAR_WIDTH = 30


class Progress:
    """`with Progress("mails") as progress: progress.advance(1, total)`; *total* may be unknown, and may change."""

    def __init__(
        self, unit: str, stream: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._unit, self._stream, self._monotonic = unit, stream or sys.stderr, monotonic
        self._is_terminal = self._stream.isatty()
        self._shown_at = self._began = monotonic()
        self._width = 0
        self.count = 0
        self.size_bytes = 0
        self._total: int | None = None

    def __enter__(self) -> "Progress":
        return self

    def advance(self, count: int, total: int | None = None, size_bytes: int = 0) -> None:
        """Say that so many more are done."""
        self.count += count
        self.size_bytes += size_bytes
        self._total = total
        now = self._monotonic()
        if now - self._shown_at >= (BAR_SECONDS if self._is_terminal else LINE_SECONDS):
            self._shown_at = now
            self._show(now)

    def _show(self, now: float) -> None:
        text = self._text(now)
        if self._is_terminal:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _text(self, now: float) -> str:
        per_second = self.count / max(now - self._began, 0.001)
        size = f", {megabytes(self.size_bytes)}" if self.size_bytes else ""
        if not self._total:
            return f"{self.count} {self._unit}{size}, {per_second:.0f}/s"
        part = min(self.count / self._total, 1.0)
        left = (self._total - self.count) / per_second if per_second else 0
        told = (
            f"{part:4.0%} {self.count} of {self._total} {self._unit}{size}, {per_second:.0f}/s, {_duration(left)} left"
        )
        if not self._is_terminal:
            return told.strip()
        return f"[{'#' * int(part * BAR_WIDTH):{BAR_WIDTH}}] {told}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_terminal and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
