"""HTML for phones: a complete document in UTF-8, made of the sender's or of plain text, cut where that does no harm."""

import re
from html import escape

CUT_BACK_BYTES_MAX = 4096  # how far a cut moves back to stand before a tag: not before the picture inside one

_UTF8_META = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
# Tags are bounded by "<" too, so that unclosed ones are not scanned again and again.
_CHARSET_META = re.compile(r"<meta\b[^<>]{0,1000}\bcharset[^<>]{0,1000}>", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^<>]{0,1000}>", re.IGNORECASE)
_DOCUMENT = re.compile(r"<(?:html|body|head|!doctype)\b", re.IGNORECASE)
_HEAD = re.compile(r"<head(?:\s[^<>]*)?>", re.IGNORECASE)
_HTML = re.compile(r"<html(?:\s[^<>]*)?>", re.IGNORECASE)
_DOCUMENT_WITHIN = 4096  # characters in which a document says that it is one
_DECLARED_WITHIN = 64 * 1024  # and in which it declares its charset
_LINE_END = re.compile(r"\r\n|\r|\n")
_CUT_ENTITY = re.compile(rb"&#?[a-zA-Z0-9]{0,31}\Z")
_OPENING = f"<html><head>{_UTF8_META}</head><body>\r\n"
_CLOSING = "\r\n</body></html>\r\n"

DOCUMENT_BYTES = len(_OPENING) + len(_CLOSING)  # what a fragment grows by


def complete_document(html: str) -> str:
    """The document with UTF-8 as its only charset; a fragment is wrapped.

    What the sender declared is wrong for the reader: the text has been converted.
    """
    html = _XML_DECLARATION.sub("", html, count=1)
    html = _CHARSET_META.sub("", html[:_DECLARED_WITHIN]) + html[_DECLARED_WITHIN:]
    beginning = html[:_DOCUMENT_WITHIN]
    if not _DOCUMENT.search(beginning):
        return _OPENING + html + _CLOSING
    for pattern, tag in ((_HEAD, _UTF8_META), (_HTML, f"<head>{_UTF8_META}</head>")):
        match = pattern.search(beginning)
        if match:
            return html[: match.end()] + tag + html[match.end() :]
    return html


def text_to_html(text: str) -> str:
    """A document that shows plain text as it was written: line breaks and runs of spaces kept."""
    return _OPENING + text_to_fragment(text) + _CLOSING


def text_to_fragment(text: str) -> str:
    """The text as HTML to be put into a body."""
    return _LINE_END.sub("<br>\r\n", escape(text, quote=False)).replace("  ", "&nbsp; ")


def cut_html(data: bytes, size: int) -> bytes:
    """At most *size* bytes of a document in UTF-8: not inside a character, an entity or, when it begins near, a tag."""
    if len(data) <= size:
        return data
    cut = cut_utf8(data, size)
    opened = cut.rfind(b"<", max(len(cut) - CUT_BACK_BYTES_MAX, 0))
    if opened > cut.rfind(b">"):
        return cut[:opened]
    entity = _CUT_ENTITY.search(cut, max(len(cut) - 40, 0))
    return cut[: entity.start()] if entity else cut


def cut_utf8(data: bytes, size: int) -> bytes:
    """At most *size* bytes of UTF-8: not inside a character, not between CR and LF."""
    if len(data) <= size:
        return data
    while size > 0 and data[size] & 0xC0 == 0x80:
        size -= 1
    if size > 0 and data[size - 1 : size + 1] == b"\r\n":
        size -= 1
    return data[:size]
