"""The leaves of the response tables: texts, numbers, times.  Forms are those on the wire, with nothing to spare.

[MS-ASDTYP]: a boolean is 0 or 1 (never true or false), an integer has no sign or zero to spare, a time is UTC.
Only what a reader takes as bytes is OPAQUE, and that always is.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from eas.protocol.versions import Version
from eas.wbxml.element import Element

BYTE = 255
SHORT = 65535
INT = 4294967295
ID_LONGEST = 64
LONG_ID_LONGEST = 256

# [MS-ASCMD] Common Status Codes: in the place of any Status from 14.0 on.
COMMON_STATUSES = frozenset([*range(101, 157), *range(160, 180), 183, 184])


@dataclass(frozen=True, slots=True)
class Leaf:
    """An element with a text and no children; an element without content holds the empty text.

    `examples` are right in every version, for tests that make documents.
    """

    fault: Callable[[str, Version], str | None]
    examples: tuple[str, ...]

    def faults(self, element: Element, path: str, version: Version) -> list[str]:
        """Check the text."""
        if element.children:
            return [f"{path}: holds elements, must be a value"]
        if isinstance(element.value, bytes):
            return [f"{path}: is OPAQUE, must be text"]
        reason = self.fault(element.value or "", version)
        return [] if reason is None else [f"{path}: {reason}"]


@dataclass(frozen=True, slots=True)
class Binary:
    """An element with bytes, always written as OPAQUE and never empty."""

    def faults(self, element: Element, path: str, version: Version) -> list[str]:
        """Check that there are bytes."""
        if element.children or not isinstance(element.value, bytes):
            return [f"{path}: must be OPAQUE"]
        return [] if element.value else [f"{path}: has no bytes"]


def text(shortest: int = 0, longest: int | None = None) -> Leaf:
    """A text of so many characters."""

    def fault(value: str, version: Version) -> str | None:
        if len(value) < shortest:
            return f"has {len(value)} characters, at least {shortest}"
        if longest is not None and len(value) > longest:
            return f"has {len(value)} characters, at most {longest}"
        return None

    return Leaf(
        fault, tuple(word for word in ("", "1:1", "Ünïcode <&> 漢字") if shortest <= len(word) <= (longest or 99))
    )


def integer(low: int, high: int, *, or_empty: bool = False) -> Leaf:
    """A number in decimal, both bounds included."""

    def fault(value: str, version: Version) -> str | None:
        if or_empty and not value:
            return None
        if re.fullmatch(r"0|-?[1-9][0-9]*", value) is None:
            return f"{value!r} is no integer"
        return None if low <= int(value) <= high else f"{value} is not within {low} to {high}"

    return Leaf(fault, (str(low), str(high)) + ("",) * or_empty)


def one_of(*values: str) -> Leaf:
    """One of these texts."""
    return Leaf(
        lambda value, version: None if value in values else f"{value!r} is not one of {', '.join(values)}", values
    )


def status(*own: int) -> Leaf:
    """A status of the command's own table or, from 14.0 on, one of the common ones ([MS-ASCMD] Common Status Codes)."""

    def fault(value: str, version: Version) -> str | None:
        if not value.isascii() or not value.isdigit():
            return f"{value!r} is no status"
        if int(value) in own or (version >= Version.V14_0 and int(value) in COMMON_STATUSES):
            return None
        return f"{value} is not a status of this place in version {version.text}"

    return Leaf(fault, tuple(map(str, own)) or ("110",))


def _time(pattern: str, form: str, kind: str, *examples: str) -> Leaf:
    shape = re.compile(pattern)

    def fault(value: str, version: Version) -> str | None:
        try:
            if shape.fullmatch(value):
                datetime.strptime(value, form)
                return None
        except ValueError:
            pass
        return f"{value!r} is no {kind} time"

    return Leaf(fault, examples)


def _base64(value: str, version: Version) -> str | None:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return "is no base64"
    return None


def _range(digits: int) -> Leaf:
    def fault(value: str, version: Version) -> str | None:
        match = re.fullmatch(rf"([0-9]{{1,{digits}}})-([0-9]{{1,{digits}}})", value)
        if match is None:
            return f"{value!r} is no range"
        return None if int(match[1]) <= int(match[2]) else f"{value} ends before it begins"

    return Leaf(fault, ("0-0", "0-99"))


def _double(value: str, version: Version) -> str | None:
    return None if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else f"{value!r} is no number"


TEXT = text()
NON_EMPTY = text(1)
IDENTIFIER = text(1, ID_LONGEST)
LONG_ID = text(1, LONG_ID_LONGEST)
FLAG = one_of("0", "1")
EMPTY = text(0, 0)
DOUBLE = Leaf(_double, ("-1.5", "48"))
BASE64 = Leaf(_base64, ("", "AAEC"))
BINARY = Binary()
# [MS-ASDTYP] dateTime, Compact DateTime
DASHED = _time(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "%Y-%m-%dT%H:%M:%S.%fZ", "dashed", "2024-02-29T23:59:59.000Z")
COMPACT = _time(r"\d{8}T\d{6}Z", "%Y%m%dT%H%M%SZ", "compact", "20240229T235959Z")
RANGE_OF_RESULTS = _range(3)  # Search, Find: at most 999
RANGE_OF_BYTES = _range(9)  # ItemOperations
