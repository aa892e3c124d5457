"""HTML to plain text, piece by piece from the front, so that a preview costs no more than it shows.

A scanner of tags, not a tree: there is no depth to bound and no stack to overflow, and its cost is linear in what it
reads. Layout is kept as far as a reader of plain text would miss it: paragraphs, line breaks, list marks, cells, link
targets.
"""

import re
from html import unescape

# Comments, declarations, and tags, whose quoted attribute values may hold ">".  What is not closed reaches to the
# end, so that nothing is scanned twice.  A "<" that begins none of these is text.
_TAG = re.compile(
    r"<(?:!--(?:.*?-->|.*)|[!?][^>]*+>?|(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+'|[\"'])*+)>?)",
    re.DOTALL,
)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_LINE_END = re.compile(r"\r\n?")

_HIDDEN = frozenset(
    ("script", "style", "title", "xml", "noembed", "noframes", "template")
)  # their content is not shown
_HIDDEN_END = {name: re.compile(f"</{name}(?![a-zA-Z0-9:-])", re.IGNORECASE) for name in _HIDDEN}
_PARAGRAPH = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "dl", "table", "hr"))
_BLOCK = frozenset(
    (
        *("address", "article", "aside", "body", "center", "dd", "details", "div", "dt", "fieldset", "figcaption"),
        *("figure", "footer", "form", "header", "li", "main", "nav", "pre", "section", "summary"),
        *("tbody", "tfoot", "thead", "tr"),
    )
)
_LINKED = ("http:", "https:", "mailto:", "tel:", "ftp:")


def html_to_text(html: str, limit: int | None = None, *, links: bool = False) -> str:
    """The text of an HTML document or a beginning of one, with LF line ends, stripped.

    Stops once *limit* characters are there (the last piece may go beyond).  *links* adds the targets of links after
    their text, in angle brackets.  Never raises.
    """
    writer = _Writer(links=links)
    position = 0
    while limit is None or writer.length < limit:
        match = _TAG.search(html, position)
        writer.text(html[position : match.start() if match else None])
        if match is None:
            break
        position = match.end()
        name = (match[2] or "").lower()
        if name in _HIDDEN and not match[1]:
            end = _HIDDEN_END[name].search(html, position)
            position = end.start() if end else len(html)
        elif name:
            writer.tag(name, match[3], is_end=bool(match[1]))
    return "".join(writer.pieces).strip()


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return text


class _Writer:
    """Collects text; line breaks and spaces are owed until the next text, so that none are piled up."""

    __slots__ = ("_breaks", "_cell", "_link", "_link_text", "_links", "_pre", "_space", "length", "pieces")

    def __init__(self, *, links: bool) -> None:
        self.pieces: list[str] = []
        self.length = 0
        self._breaks = 0
        self._space = False
        self._cell = False
        self._pre = 0
        self._links = links
        self._link = ""
        self._link_text = 0  # where in `pieces` the text of the open link begins

    def text(self, raw: str) -> None:
        if not raw:
            return
        text = _unescaped(raw) if "&" in raw else raw
        if self._pre:
            self._write(_LINE_END.sub("\n", text))
            return
        folded = _SPACE.sub(" ", text)
        inner = folded.strip(" ")
        if not inner:
            self._space = True
            return
        self._space = self._space or folded[0] == " "
        self._write(inner)
        self._space = folded[-1] == " "

    def _write(self, text: str) -> None:
        if self.pieces and self._breaks:
            text = "\n" * self._breaks + text
        elif self.pieces and (self._space or self._cell):
            text = ("  " if self._cell else " ") + text
        self._breaks, self._space, self._cell = 0, False, False
        self.pieces.append(text)
        self.length += len(text)

    def _break(self, count: int) -> None:
        self._breaks = max(self._breaks, count)

    def tag(self, name: str, attributes: str, *, is_end: bool) -> None:
        if name == "br":
            self._breaks = min(self._breaks + 1, 3)
        elif name in _PARAGRAPH:
            self._break(2)
            if name == "hr":
                self._write("_" * 20)
                self._break(2)
        elif name in _BLOCK:
            self._break(1)
            if name == "pre":
                self._pre = max(self._pre + (-1 if is_end else 1), 0)
            elif name == "li" and not is_end:
                self._write("•")
                self._space = True
        elif name in ("td", "th"):
            self._cell = not self._breaks
        elif name == "a" and self._links:
            self._anchor(attributes, is_end=is_end)

    def _anchor(self, attributes: str, *, is_end: bool) -> None:
        if not is_end:
            match = _HREF.search(attributes)
            target = _unescaped((match[1] or match[2] or match[3] or "").strip()) if match else ""
            self._link = target if target.lower().startswith(_LINKED) else ""
            self._link_text = len(self.pieces)
        elif self._link:
            shown = "".join(self.pieces[self._link_text :]).strip()
            target, self._link = self._link, ""
            if shown and shown.rstrip("/") not in target:
                self._space, self._breaks = True, 0
                self._write(f"<{_SPACE.sub('', target)}>")
