"""Command lines, parsed: what follows MAIL, RCPT and BDAT (RFC 5321 4.1.1, RFC 3030).

Pure, and strict where leniency has been abused: a bare CR or LF, NUL and other control characters are refused anywhere
in a command (RFC 5321 2.3.8: only CRLF ends a line).  Lenient where old software is sloppy: spaces after the colon,
missing domains (`<postmaster>`), source routes (dropped, RFC 5321 4.1.1.3).
"""

import re
from dataclasses import dataclass

from lmtp import reply
from lmtp.reply import Refused, Reply

ADDRESS_BYTES_MAX = 320  # RFC 5321 4.5.3.1: a local part of 64, "@", a domain of 255
PARAMETERS_MAX = 16
SIZE_DIGITS_MAX = 20  # RFC 1870: size-value

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# Possessive throughout: no input makes these look at a character twice.
_PATH = re.compile(
    r"""\ *+<
        (?:@[^\s<>":]++:)?+                                       # a source route
        ((?:"(?:[^"\\]|\\.)*+"|[^\s<>"@\\])++(?:@[^\s<>"@\\]++)?+)?+  # the address; nothing is the null sender
        >(?:\ ++(.*+))?+""",
    re.VERBOSE,
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([^\s=]++))?+")
_CHUNK = re.compile(r"([0-9]{1,20})(?:\ ++([Ll][Aa][Ss][Tt]))?+")


@dataclass(frozen=True, slots=True)
class Mail:
    """A MAIL command.  `sender` is empty for bounces; `size_bytes` is 0 where the peer did not say."""

    sender: str
    size_bytes: int
    utf8: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A BDAT command: so many bytes follow."""

    size_bytes: int
    is_last: bool


def parse_line(line: bytes) -> tuple[str, str]:
    """Split a line without its CRLF into the verb, in capitals, and the rest.  Raises `Refused`."""
    if _CONTROL.search(line):
        raise Refused(reply.BAD_CHARACTERS)
    try:
        verb, _, argument = line.decode().partition(" ")
    except UnicodeDecodeError:
        raise Refused(reply.BAD_CHARACTERS) from None
    return verb.upper(), argument


def parse_mail(argument: str, size_bytes_max: int) -> Mail:
    """Read what follows `MAIL`.  Raises `Refused`, also for a declared size over *size_bytes_max* (RFC 1870)."""
    sender, parameters = _parse_path(argument, "FROM:", reply.BAD_SENDER)
    size_bytes, utf8 = 0, False
    for name, value in parameters.items():
        if name == "SIZE":
            if value is None or not (value.isascii() and value.isdigit() and len(value) <= SIZE_DIGITS_MAX):
                raise Refused(reply.BAD_ARGUMENT)
            size_bytes = int(value)
        elif name == "SMTPUTF8" and value is None:
            utf8 = True
        elif name != "BODY" or value is None or value.upper() not in {"7BIT", "8BITMIME"}:
            raise Refused(reply.BAD_PARAMETER)
    if not (utf8 or sender.isascii()):
        raise Refused(reply.NEEDS_SMTPUTF8)
    if size_bytes > size_bytes_max:
        raise Refused(reply.TOO_BIG)
    return Mail(sender, size_bytes, utf8)


def parse_recipient(argument: str, *, utf8: bool) -> str:
    """Read what follows `RCPT`: the address as it was given.  Raises `Refused`."""
    address, parameters = _parse_path(argument, "TO:", reply.BAD_RECIPIENT)
    if not address:
        raise Refused(reply.BAD_RECIPIENT)
    if parameters:
        raise Refused(reply.BAD_PARAMETER)
    if not (utf8 or address.isascii()):
        raise Refused(reply.NEEDS_SMTPUTF8)
    return address


def parse_chunk(argument: str) -> Chunk | None:
    """Read what follows `BDAT`; None if that does not say how many bytes follow."""
    found = _CHUNK.fullmatch(argument)
    return Chunk(int(found[1]), found[2] is not None) if found else None


def _parse_path(argument: str, prefix: str, bad_address: Reply) -> tuple[str, dict[str, str | None]]:
    """Return the address between the brackets, and the parameters: names in capitals, None without a value."""
    if argument[: len(prefix)].upper() != prefix:
        raise Refused(reply.BAD_ARGUMENT)
    found = _PATH.fullmatch(argument, len(prefix))
    if found is None:
        raise Refused(bad_address)
    address = found[1] or ""
    if len(address.encode()) > ADDRESS_BYTES_MAX:
        raise Refused(bad_address)
    words = found[2].split() if found[2] else []
    if len(words) > PARAMETERS_MAX:
        raise Refused(reply.BAD_ARGUMENT)
    parameters: dict[str, str | None] = {}
    for word in words:
        parameter = _PARAMETER.fullmatch(word)
        if parameter is None or parameter[1].upper() in parameters:
            raise Refused(reply.BAD_ARGUMENT)
        parameters[parameter[1].upper()] = parameter[2]
    return address, parameters
