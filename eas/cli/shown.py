"""How the subcommands show things: tables, sizes, times."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print *rows* in columns; what is no letter is shown escaped, as names come from devices and mail."""
    texts = [tuple(_plain(str(cell)) for cell in row) for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(heads))]
    for row in texts:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def megabytes(size_bytes: int) -> str:
    """Return a size for people."""
    return f"{size_bytes / 1_000_000:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1000:.1f} KB"


def when(time_ms: int | None) -> str:
    """Return a time for people, in UTC; "" for none."""
    return "" if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
