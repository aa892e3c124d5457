"""The names of Maildir: messages (`<unique>:2,<letters>`), folders (`.Lists.Python`), keywords (`dovecot-keywords`)."""

from collections.abc import Sequence

from eas.transfer.marks import Marks
from eas.transfer.names import encode_utf7, read_name

KEYWORDS_FILE = "dovecot-keywords"
KEYWORDS_MAX = 26
NAME_BYTES_MAX = 240
"""Of a folder: what any file system takes, and room for what programs put beside it."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_INFO = ":2,"


def unique_of(name: str) -> str:
    """Return the part of a file's name that never changes."""
    return name.partition(_INFO)[0]


def marks_of_name(name: str, keywords: Sequence[str]) -> Marks:
    """Return the marks that a file's name says; *keywords* are those of its folder, by letter."""
    letters = name.partition(_INFO)[2].partition(",")[0]
    named = [keywords[_LETTERS.index(letter)] for letter in letters if letter in _LETTERS[: len(keywords)]]
    return Marks(
        read="S" in letters,
        answered="R" in letters,
        forwarded="P" in letters,
        flagged="F" in letters,
        draft="D" in letters,
        deleted="T" in letters,
        categories=tuple(name for name in named if name),
    )


def info_of(marks: Marks, keywords: Sequence[str]) -> str:
    """Return what follows the unique part for *marks*, in the order that Maildir asks for."""
    given = {"D": marks.draft, "F": marks.flagged, "P": marks.forwarded, "R": marks.answered, "S": marks.read}
    named = sorted(_LETTERS[keywords.index(name)] for name in marks.categories if name in keywords)
    return _INFO + "".join(letter for letter, is_set in given.items() if is_set) + "".join(named)


def folder_path(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the folder that a directory is, *parts* being the names on the way to it.

    `.Lists.Python` (Maildir++) and `Lists/Python` are the same.
    """
    names: list[str] = []
    for part in parts:
        dotted = part[1:].split(".") if part.startswith(".") else [part]
        names += [read_name(name.encode("utf-8", "surrogateescape")) for name in dotted if name]
    return tuple(names)


def folder_name(path: Sequence[str]) -> str:
    """Return the directory of folder *path* in a Maildir++; dots and slashes inside a name are shifted."""
    return "." + ".".join(encode_utf7(name, escaped="./~") for name in path)


def read_keywords(text: str) -> list[str]:
    """Return the keywords of a folder by number: lines of `<number> <keyword>`."""
    keywords = [""] * KEYWORDS_MAX
    for line in text.splitlines():
        number, _, word = line.partition(" ")
        if number.isascii() and number.isdigit() and int(number) < KEYWORDS_MAX:
            keywords[int(number)] = word
    return keywords
