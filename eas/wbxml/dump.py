"""Element tree to readable text and back: for captures, traces and reviews.

A line an element, two blanks a level.  The page's name stands before the tag's where it is not the parent's page.  A
text is quoted as in JSON, bytes are marked: short ones (ids) as hex, longer ones as base64.  On reading, empty lines
and lines that begin with `#` are passed over.

    AirSync:Sync
      SyncKey "1"
      MoreAvailable
      Email2:ConversationId hex 00ff
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Final

from eas.wbxml.element import Element
from eas.wbxml.pages import BY_NAME, PAGE_NUMBERS, PAGES, Tag

INDENT: Final = "  "
HEX_BYTES_MAX: Final = 32

_LINE: Final = re.compile(
    r"""(?P<indent>(?:[ ]{2})*) (?:(?P<page>\w+):)? (?P<name>\w+)
        (?: [ ] (?: (?P<text>".*") | hex[ ](?P<hex>[0-9a-f]+) | base64[ ](?P<base64>[A-Za-z0-9+/=]+) ))?""",
    re.ASCII | re.VERBOSE | re.DOTALL,
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class DumpError(Exception):
    """A line is not one of a dump; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


def dump(root: Element) -> str:
    """Return the tree as text, each line with its newline.  `parse_dump` undoes it."""
    return "".join(_lines(root, None, ""))


def parse_dump(text: str) -> Element:
    """Return the tree that *text* shows.  Raises `DumpError`."""
    open_elements: list[Element] = []  # from the root to the element last read
    root: Element | None = None
    for line_number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise DumpError(line_number, "neither an element nor a comment")
        depth = len(match["indent"]) // len(INDENT)
        if depth > len(open_elements) or (depth == 0) != (root is None):
            raise DumpError(line_number, "not below an element, or a second root")
        del open_elements[depth:]
        parent = open_elements[-1] if open_elements else None
        element = Element(_tag(match, parent, line_number), value=_value(match, line_number))
        if parent is None:
            root = element
        elif parent.value is not None:
            raise DumpError(line_number, "below an element with a value")
        else:
            parent.children.append(element)
        open_elements.append(element)
    if root is None:
        raise DumpError(1, "no element")
    return root


def _lines(element: Element, parent_page: int | None, indent: str) -> Iterator[str]:
    tag = element.tag
    name = tag.name if tag.page == parent_page else f"{tag.page_name}:{tag.name}"
    yield f"{indent}{name}{_shown(element.value)}\n"
    for child in element.children:
        yield from _lines(child, tag.page, indent + INDENT)


def _shown(value: str | bytes | None) -> str:
    if not value:
        return ""
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return " " + _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
    return f" hex {value.hex()}" if len(value) <= HEX_BYTES_MAX else f" base64 {b64encode(value).decode()}"


def _tag(match: re.Match[str], parent: Element | None, line_number: int) -> Tag:
    if match["page"]:
        page = PAGE_NUMBERS.get(match["page"])
        if page is None:
            raise DumpError(line_number, f"no page {match['page']}")
    elif parent is None:
        raise DumpError(line_number, "the root must name its page")
    else:
        page = parent.tag.page
    tag = BY_NAME[page].get(match["name"])
    if tag is None:
        raise DumpError(line_number, f"no tag {match['name']} on page {PAGES[page].__name__}")
    return tag


def _value(match: re.Match[str], line_number: int) -> str | bytes | None:
    try:
        if match["text"]:
            return str(json.loads(match["text"])) or None
        if match["hex"]:
            return bytes.fromhex(match["hex"])
        return b64decode(match["base64"], validate=True) if match["base64"] else None
    except ValueError as error:
        raise DumpError(line_number, str(error)) from error
