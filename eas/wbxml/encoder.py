"""Element tree to bytes ([MS-ASWBXML]), as the strictest readers want them.

One STR_I a text, never split; OPAQUE for bytes alone; a page switch only where the page changes; an element with
nothing in it as an empty tag.  Controls that XML 1.0 does not know are left out of texts: clients build XML from them.
"""

from collections.abc import Iterator
from typing import Final

from eas.wbxml.element import Element
from eas.wbxml.pages import BY_TOKEN, Tag
from eas.wbxml.tokens import END, HEADER, OPAQUE, SWITCH_PAGE, number

CHUNK_PARTS: Final = 1024  # pieces of some 20 bytes, checked where a container ends
LONG_BYTES: Final = 16 * 1024  # a value of that size completes a chunk

_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n\r"))
_END: Final = bytes((END,))
_TEXT_END: Final = bytes((0, END))
_OPAQUE: Final = bytes((OPAQUE,))
_SWITCH: Final = tuple(bytes((SWITCH_PAGE, page)) for page in range(len(BY_TOKEN)))


def encode(root: Element) -> bytes:
    """Return the document of *root*."""
    return b"".join(encode_chunks(root))


def encode_chunks(root: Element) -> Iterator[bytes]:
    """Yield the document of *root* in chunks of some 20 KB, or of one long value, encoded as they are asked for.

    Raises ValueError for an element with both children and a value, which WBXML could not tell from the wrong order.
    """
    parts = [HEADER]
    append = parts.append
    page = 0
    open_levels: list[Iterator[Element]] = []
    level = iter((root,))
    while True:
        for element in level:
            tag = element.tag
            if tag.page != page:
                page = tag.page
                append(_SWITCH[page])
            value = element.value
            if not value:
                if not element.children:
                    append(tag.empty)
                    continue
                append(tag.start)
                open_levels.append(level)
                level = iter(element.children)
                break  # into the children; the loop goes on behind this element when they are done
            if element.children:
                raise ValueError(f"{tag!r} has both children and a value")
            if isinstance(value, str) and value.isprintable():
                append(tag.text_start)
                append(value.encode())
                append(_TEXT_END)
            else:
                parts += _rare_leaf(tag, value)
                if len(value) >= LONG_BYTES:
                    yield b"".join(parts)
                    parts.clear()
        else:
            if not open_levels:
                break
            append(_END)
            level = open_levels.pop()
            if len(parts) >= CHUNK_PARTS:
                yield b"".join(parts)
                parts.clear()
    yield b"".join(parts)


def _rare_leaf(tag: Tag, value: str | bytes) -> tuple[bytes, ...]:
    """Return the parts of an element with bytes, or with a text that is longer than a line or odd."""
    if isinstance(value, bytes):
        return tag.start, _OPAQUE, number(len(value)), value, _END
    data = _clean(value)
    return (tag.text_start, data, _TEXT_END) if data else (tag.empty,)


def _clean(text: str) -> bytes:
    """Return *text* as UTF-8 without controls; a surrogate that is not half of a pair becomes U+FFFD."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    return data.translate(None, _CONTROLS)
