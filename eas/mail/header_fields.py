"""A header block that is changed field by field while all other bytes stay as they are; and new fields, encoded.

Whatever text goes into a new field, it stays inside that field: line ends and controls become spaces.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from urllib.parse import quote

from storage.message.addresses import Address
from storage.message.headers import HEADER_BYTES_MAX, content_start

LINE_CHARACTERS_MAX = 76  # RFC 5322 2.1.1 recommends 78
_TOKEN_CHARACTERS_MAX = 200  # far below the 998 of a line
_WORD_BYTES_MAX = 42  # of text in an encoded word: RFC 2047 2 allows 75 characters in all

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_NAME = re.compile(rb"([!-9;-~]{1,256})[ \t]*:")
_CONTROL = re.compile("[\x00-\x1f\x7f\u2028\u2029]+")
_PERCENT_PIECE = re.compile(r"(?:%[0-9A-F]{2}|[^%]){1,18}")
_ADDRESS = re.compile(r"[^\s<>()\",;:\\@\x00-\x1f\x7f]+@[^\s<>()\",;:\\@\x00-\x1f\x7f]+")
_QUOTED_ADDRESS = re.compile(r'"[^"\\\r\n]+"@[^\s<>()",;:\\@\x00-\x1f\x7f]+')


class HeaderTooLong(Exception):
    """A header above `HEADER_BYTES_MAX`."""


class Block:
    """The header of a message as raw fields, each with its line ends; lines that are no field are kept in place.

    `fields` holds the name in lower case (b"" for no field) and the whole field.
    """

    def __init__(self, message: bytes) -> None:
        """Split the header off.  Raises `HeaderTooLong`."""
        start = content_start(message, 0, len(message))
        if start > HEADER_BYTES_MAX:
            raise HeaderTooLong
        self.content = message[start:]
        lines: list[tuple[bytes, list[bytes]]] = []
        for match in _LINE.finditer(message[:start].rstrip(b"\r\n")):
            line = match[0]
            if line and line[:1] in b" \t" and lines:
                lines[-1][1].append(line)
            elif line:
                found = _NAME.match(line)
                lines.append((found[1].lower() if found else b"", [line]))
        self.fields = [(name, b"".join(field)) for name, field in lines]

    def has(self, name: bytes) -> bool:
        """Whether a field of that name has something in it."""
        return any(self.values(name))

    def values(self, name: bytes) -> list[bytes]:
        """The raw values of the fields of that name, without what is empty."""
        values = (field.partition(b":")[2].strip() for each, field in self.fields if each == name)
        return [value for value in values if value]

    def keep(self, wanted: Callable[[bytes], bool]) -> None:
        """Keep only the fields whose name is wanted."""
        self.fields = [(name, field) for name, field in self.fields if wanted(name)]

    def remove(self, *names: bytes) -> None:
        """Remove all fields of these names."""
        self.keep(lambda name: name not in names)

    def put(self, name: bytes, field: bytes) -> None:
        """Put *field* where the first of that name stands, and remove the others; at the end when there is none."""
        at = next((index for index, (each, _) in enumerate(self.fields) if each == name), len(self.fields))
        self.remove(name)
        self.fields.insert(at, (name, field))

    def header(self) -> bytes:
        """The block without the empty line that ends it."""
        return b"".join(field.rstrip(b"\r\n") + b"\r\n" for _, field in self.fields)

    def message(self) -> bytes:
        """The whole message again."""
        return self.header() + b"\r\n" + self.content


def is_address(text: str) -> bool:
    """Whether mail can be sent there: local@domain, nothing that could end a command or a field."""
    return len(text) <= 320 and bool(_ADDRESS.fullmatch(text) or _QUOTED_ADDRESS.fullmatch(text))


def plain_line(text: str) -> str:
    """The text on one line."""
    return _CONTROL.sub(" ", text).strip()


def text_field(name: str, text: str) -> bytes:
    """An unstructured field, encoded where needed (RFC 2047) and folded."""
    return _folded(name, _tokens(plain_line(text)), "")


def address_field(name: str, mailboxes: Iterable[Address], *, unfinished: bool = False) -> bytes:
    """An address field; mailboxes without a usable address are left out, or kept as quoted words if *unfinished*."""
    tokens = []
    for each in mailboxes:
        if is_address(each.address):
            tokens.append(_mailbox(each))
        elif unfinished:
            tokens.append(_phrase(plain_line(f"{each.name} {each.address}")))
    return _folded(name, tokens, ",")


def raw_field(name: str, *tokens: str) -> bytes:
    """A field of ASCII tokens, folded between them."""
    return _folded(name, [plain_line(token) for token in tokens], "")


def parameter(name: str, text: str) -> list[str]:
    """A parameter as tokens: quoted, or encoded and cut into short pieces (RFC 2231 3 and 4)."""
    text = plain_line(text)
    if text.isascii() and len(text) < LINE_CHARACTERS_MAX - 20:
        return [f'{name}="{_quoted(text)}"']
    pieces = _PERCENT_PIECE.findall(f"utf-8''{quote(text, safe='', errors='replace')}")
    if len(pieces) == 1:
        return [f"{name}*={pieces[0]}"]
    tokens = [f"{name}*{index}*={piece};" for index, piece in enumerate(pieces)]
    return [*tokens[:-1], tokens[-1].rstrip(";")]


def encoded_words(text: str) -> list[str]:
    """The text as encoded words that never cut a character."""
    words, pending = [], b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(pending) + len(data) > _WORD_BYTES_MAX:
            words.append(pending)
            pending = b""
        pending += data
    words.append(pending)
    return [f"=?utf-8?B?{b64encode(word).decode()}?=" for word in words if word]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _tokens(text: str) -> list[str]:
    """The words of a text; encoded when folding or reading would change them."""
    tokens = text.split(" ")
    if text.isascii() and "=?" not in text and "  " not in text and max(map(len, tokens)) < _TOKEN_CHARACTERS_MAX:
        return tokens
    return encoded_words(text)


def _mailbox(mailbox: Address) -> str:
    name = plain_line(mailbox.name)
    if not name:
        return mailbox.address
    return f"{_phrase(name)} <{mailbox.address}>"


def _phrase(text: str) -> str:
    if text.isascii() and "=?" not in text:
        return f'"{_quoted(text)}"'
    return "\r\n ".join(encoded_words(text))


def _folded(name: str, tokens: Iterable[str], separator: str) -> bytes:
    lines = [f"{name}:"]
    tokens = list(tokens)
    for index, token in enumerate(tokens):
        text = token + (separator if index < len(tokens) - 1 else "")
        if len(lines[-1]) + 1 + len(text) > LINE_CHARACTERS_MAX and lines[-1].strip() and index:
            lines.append("")
        lines[-1] += " " + text
    return "\r\n".join(lines).encode() + b"\r\n"
