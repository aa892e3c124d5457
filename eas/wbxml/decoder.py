"""Bytes to element tree ([MS-ASWBXML]): one loop over the tokens, which takes an element with a text in one step.

What is tolerated, because clients send it:
- a value as STR_I or as OPAQUE, whatever the schema says, and several of one kind in a row (they are joined);
- an element that announces content and has none;
- page switches that change nothing; WBXML 1.1 and 1.2 in the version byte;
- a token that its page does not name: it becomes an `Unknown` tag, and its subtree is read on;
- a STR_I whose text begins with U+0001: Samsung's Galaxy S2 (Android 2.3) leaves out the NUL of an empty text, so that
  the ENDs after it read as text.  No text of an XML document can hold U+0001, hence the text is empty and the bytes
  after STR_I are tokens.  The whole document is saved by that, not only the items around the broken one.

Everything else that is not a document raises `WbxmlError`, with the tree as far as it was read.
"""

from itertools import repeat
from typing import Final

from eas.wbxml.element import Element
from eas.wbxml.pages import BY_TOKEN, PAGE_NUMBERS, Tag
from eas.wbxml.tokens import (
    CHARSET_UTF_8,
    END,
    HAS_CONTENT,
    HEADER,
    OPAQUE,
    PUBLIC_ID,
    STR_I,
    SWITCH_PAGE,
    VERSION_FIRST,
    VERSION_LAST,
    read_number,
)

BYTES_MAX: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 32  # elements with content, one in the other; documents of the schemas have about 15
TOKENS_MAX: Final = 200_000  # an element without children counts once, others twice; a Sync of 512 messages has 20,000
PIECES_MAX: Final = 10_000  # of one value: STR_I or OPAQUE tokens in a row

_NO_TAGS: Final = (None,) * 128  # bytes with the attribute bit: ActiveSync has no attributes
_AIR_NOTIFY: Final = PAGE_NUMBERS["AirNotify"]  # no client of 2.5 or later uses it ([MS-ASWBXML] prints no tokens)
_TAGS: Final[tuple[tuple[Tag | None, ...] | None, ...]] = (  # [page][byte]; a page that is None is refused
    *(None if page == _AIR_NOTIFY else tags + tags + _NO_TAGS for page, tags in enumerate(BY_TOKEN)),
    *(None,) * (256 - len(BY_TOKEN)),
)


class WbxmlError(Exception):
    """The bytes are not a WBXML document of ActiveSync.

    `page` and `offset` say where reading stopped.  `tree` is the root with all that was read until there (the last
    elements lack what was to follow), or None when not even the root was.
    """

    def __init__(self, reason: str, page: int, offset: int, tree: Element | None) -> None:
        super().__init__(f"{reason} (page {page}, offset {offset})")
        self.reason = reason
        self.page = page
        self.offset = offset
        self.tree = tree


def decode(data: bytes) -> Element:
    """Return the root element of *data*.  Raises `WbxmlError`, and nothing else, whatever the bytes are."""
    if len(data) > BYTES_MAX:
        raise WbxmlError(f"over {BYTES_MAX} bytes", 0, 0, None)
    position = 4 if data.startswith(HEADER) else _read_header(data)
    root, page, position = _read_root(data, position)
    if data[position - 1] & HAS_CONTENT:
        page, position = _read_content(data, position, page, root)
    if position != len(data):
        raise WbxmlError("bytes after the root element", page, position, root)
    return root


def _read_header(data: bytes) -> int:
    """Return where the body begins.  Only a header that is not the usual four bytes comes here."""
    try:
        public_id, position = read_number(data, 1)
        charset, position = read_number(data, position)
        table_size, position = read_number(data, position)
    except (IndexError, ValueError) as error:
        raise WbxmlError("header is cut short or unreadable", 0, 0, None) from error
    if not VERSION_FIRST <= data[0] <= VERSION_LAST:
        raise WbxmlError(f"version byte {data[0]:#04x}", 0, 0, None)
    if public_id != PUBLIC_ID or charset != CHARSET_UTF_8 or table_size:
        raise WbxmlError("public identifier, charset or string table are not ActiveSync's", 0, 1, None)
    return position


def _read_root(data: bytes, position: int) -> tuple[Element, int, int]:
    """Return the root, its page, and where its content begins."""
    page = 0
    try:
        while data[position] == SWITCH_PAGE:
            page = data[position + 1]
            position += 2
        tag = _tags_of(page)[data[position]]
        if tag is None:
            raise ValueError(_refusal(data[position]))
    except (IndexError, ValueError) as error:
        raise WbxmlError(_reason(error), page, position, None) from error
    return Element(tag), page, position + 1


def _read_content(data: bytes, position: int, page: int, root: Element) -> tuple[int, int]:
    """Read up to the END of *root*; return the page that is current then, and where the rest begins.

    The theory: `parents` are the open elements, `children` is the list of the innermost.  The commonest elements, with
    one STR_I or one short OPAQUE, never become open ones.  IndexError is the end of the data, wherever it comes.
    """
    tags = _tags_of(page)
    parents = [root]
    children = root.children
    find = data.find
    try:
        for _ in repeat(None, TOKENS_MAX):
            byte = data[position]
            tag = tags[byte]
            if tag is not None:
                if byte < HAS_CONTENT:
                    children.append(Element(tag))
                    position += 1
                    continue
                kind = data[position + 1]
                start = position + 2
                if kind == STR_I and data[start] != END:
                    end = find(0, start)
                    if end > 0 and data[end + 1] == END:
                        children.append(Element(tag, None, data[start:end].decode() or None))
                        position = end + 2
                        continue
                elif kind == OPAQUE and data[start] < 0x80:
                    end = start + 1 + data[start]
                    if data[end] == END:
                        children.append(Element(tag, None, data[start + 1 : end] or None))
                        position = end + 1
                        continue
                if len(parents) >= DEPTH_MAX:
                    raise ValueError(f"nesting over {DEPTH_MAX}")
                parents.append(Element(tag))
                children.append(parents[-1])
                children = parents[-1].children
                position += 1
            elif byte == END:
                parents.pop()
                position += 1
                if not parents:
                    return page, position
                children = parents[-1].children
            elif byte == SWITCH_PAGE:
                page = data[position + 1]
                tags = _tags_of(page)
                position += 2
            elif byte in (STR_I, OPAQUE) and not children:
                parents[-1].value, page, position = _read_value(data, page, position)
                tags = _tags_of(page)
            else:
                raise ValueError(_refusal(byte))
        raise ValueError(f"over {TOKENS_MAX} tokens")
    except (IndexError, ValueError) as error:
        raise WbxmlError(_reason(error), page, position, root) from error


def _read_value(data: bytes, page: int, position: int) -> tuple[str | bytes | None, int, int]:
    """Read the STR_I or OPAQUE tokens up to END; return them joined, the page that is current, and where END stands."""
    texts: list[str] = []
    blocks: list[bytes] = []
    for _ in repeat(None, PIECES_MAX):
        token = data[position]
        if token == END:
            if texts and blocks:
                raise ValueError("text beside OPAQUE")
            return "".join(texts) or b"".join(blocks) or None, page, position
        if token == OPAQUE:
            size, position = read_number(data, position + 1)
            if size > len(data) - position:
                raise ValueError("OPAQUE longer than the rest")
            blocks.append(data[position : position + size])
            position += size
        elif token == STR_I and data[position + 1] == END:  # an empty text without its NUL: see above
            position += 1
        elif token == STR_I:
            end = data.find(0, position)
            if end < 0:
                raise ValueError("text without its NUL")
            texts.append(data[position + 1 : end].decode())
            position = end + 1
        elif token == SWITCH_PAGE:
            page, position = data[position + 1], position + 2
        else:
            raise ValueError("text beside child elements")
    raise ValueError(f"a value in over {PIECES_MAX} pieces")


def _tags_of(page: int) -> tuple[Tag | None, ...]:
    tags = _TAGS[page]
    if tags is None:
        raise ValueError("unknown code page")
    return tags


def _refusal(byte: int) -> str:
    """Return why *byte*, which begins neither an element nor anything that may follow, is refused."""
    if byte in (STR_I, OPAQUE):
        return "text outside an element, or beside child elements"
    return f"token {byte:#04x}, which ActiveSync does not use, or not there"


def _reason(error: IndexError | ValueError) -> str:
    if isinstance(error, IndexError):
        return "ends before its root element does"
    return "text that is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
