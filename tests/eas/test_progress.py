"""Progress: a bar for a terminal, a line now and then for a log."""

import io

from eas.cli.progress import LINE_SECONDS, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_sees_a_bar_that_goes_away_at_the_end() -> None:
    stream, clock = Terminal(), Clock()
    with Progress("mails", stream, clock) as progress:
        progress.advance(1, 4)
        clock.now = 2.0
        progress.advance(1, 4, 1_000_000)
        shown = stream.getvalue()
    assert shown == "\r[###############               ]  50% 2 of 4 mails, 1.0 MB, 1/s, 2 s left"
    assert stream.getvalue().endswith("\r" + " " * (len(shown) - 1) + "\r")


def test_a_log_gets_a_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress("mails", stream, clock) as progress:
        for _ in range(10):
            progress.advance(10)
            clock.now += LINE_SECONDS / 4
    assert stream.getvalue().splitlines() == ["50 mails, 2/s", "90 mails, 2/s"]


def test_what_is_done_at_once_shows_nothing() -> None:
    stream = Terminal()
    with Progress("mails", stream, Clock()) as progress:
        progress.advance(1, 1)
    assert stream.getvalue() == ""
