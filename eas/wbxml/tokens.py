"""The bytes that are the same on every code page: header, global tokens, `mb_u_int32` ([MS-ASWBXML], WBXML 1.3)."""

from typing import Final

from eas.wbxml.tag import HAS_CONTENT as HAS_CONTENT
from eas.wbxml.tag import STR_I as STR_I

SWITCH_PAGE: Final = 0x00
END: Final = 0x01
OPAQUE: Final = 0xC3
HAS_ATTRIBUTES: Final = 0x80

HEADER: Final = b"\x03\x01\x6a\x00"  # WBXML 1.3, public identifier unknown, UTF-8, no string table
VERSION_FIRST: Final = 0x01  # readable as well: nothing that ActiveSync uses differs between WBXML 1.1 and 1.3
VERSION_LAST: Final = 0x03
PUBLIC_ID: Final = 1
CHARSET_UTF_8: Final = 106

NUMBER_BYTES_MAX: Final = 5  # 7 bits a byte, 32 bits a number
NUMBER_MAX: Final = 0xFFFFFFFF


def read_number(data: bytes, position: int) -> tuple[int, int]:
    """Read the `mb_u_int32` at *position*: its value, and where it ends.

    Raises ValueError when it is longer than 5 bytes or 32 bits, IndexError when the data ends inside.
    """
    value = 0
    for size in range(1, NUMBER_BYTES_MAX + 1):
        byte = data[position + size - 1]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            if value > NUMBER_MAX:
                raise ValueError("number over 32 bits")
            return value, position + size
    raise ValueError("number longer than 5 bytes")


def number(value: int) -> bytes:
    """Return *value* (0 to NUMBER_MAX) as `mb_u_int32`, in as few bytes as it takes."""
    if value < 0x80:
        return bytes((value,))
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(value & 0x7F | 0x80)
    return bytes(reversed(octets))
