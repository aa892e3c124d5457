"""The original below a new text, in plain text and in HTML."""

import re
from collections import deque
from email.utils import format_datetime
from html import escape

from eas.mail.body import wire_text
from eas.mail.html import complete_document, text_to_fragment
from storage.message.html import html_to_text
from storage.message.summary import Summary
from storage.message.transfer import part_text

QUOTED_BYTES_MAX = 1024 * 1024  # of one body of the original; what lies behind is not quoted

_BODY_START = re.compile(r"<body(?:\s[^<>]{0,4000})?>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_DOCUMENT_TAG = re.compile(r"</?(?:html|body|head)(?:\s[^<>]{0,4000})?>|<!doctype[^<>]{0,1000}>", re.IGNORECASE)
_STYLE_START = re.compile(r"<style\b[^<>]{0,1000}>", re.IGNORECASE)
_STYLE_END = re.compile(r"</style\s*>", re.IGNORECASE)
_QUOTE_STYLE = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"


class Texts:
    """Both forms of a message's body; a form that the message has not is made of the other when it is asked for."""

    def __init__(self, data: bytes, summary: Summary) -> None:
        text, html = (
            None if part is None else part_text(part, data[part.start : min(part.end, part.start + QUOTED_BYTES_MAX)])
            for part in (summary.text, summary.html)
        )
        self._text = None if text is None or (html is not None and not text.strip()) else wire_text(text)
        self._html = None if html is None else wire_text(html)
        self.has_html = html is not None

    @property
    def text(self) -> str:
        """The plain text, CRLF line ends."""
        if self._text is not None:
            return self._text
        return wire_text(html_to_text(self._html or "", links=True))

    @property
    def document(self) -> str:
        """A complete HTML document."""
        if self._html is not None:
            return complete_document(self._html)
        return complete_document(text_to_fragment(self._text or ""))

    @property
    def fragment(self) -> str:
        """The HTML to be put into another document: the styles and what stands in the body."""
        if self._html is None:
            return text_to_fragment(self._text or "")
        html = self._html
        start, end = _BODY_START.search(html), _last(_BODY_END, html)
        begin = start.end() if start else 0
        inner = html[begin : end.start() if end and end.start() > begin else None]
        return (_styles(html[: start.start()]) if start else "") + _DOCUMENT_TAG.sub("", inner)


def reply_text(new: Texts, original: Texts, summary: Summary) -> str:
    """The new text, and the original with every line marked."""
    lines = original.text.rstrip("\r\n").split("\r\n")
    quoted = "\r\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines)
    return _below(new.text, f"{_attribution(summary)}\r\n\r\n{quoted}\r\n")


def reply_html(new: Texts, original: Texts, summary: Summary) -> str:
    """The new document with the original in a quotation at its end."""
    quotation = f'<blockquote type="cite" style="{_QUOTE_STYLE}">{original.fragment}</blockquote>'
    return _inserted(new.document, f"<br><div>{escape(_attribution(summary))}</div>\r\n{quotation}\r\n")


def forward_text(new: Texts, original: Texts, summary: Summary) -> str:
    """The new text, what the original's header says, and the original as it was."""
    lines = "\r\n".join(f"{label}: {value}" for label, value in _described(summary))
    return _below(new.text, f"---------- Forwarded message ----------\r\n{lines}\r\n\r\n{original.text}")


def forward_html(new: Texts, original: Texts, summary: Summary) -> str:
    """The new document, and the original below a rule and what its header says."""
    lines = "<br>\r\n".join(f"<b>{label}:</b> {escape(value)}" for label, value in _described(summary))
    return _inserted(new.document, f"<br><hr><div>{lines}</div><br>\r\n<div>{original.fragment}</div>\r\n")


def _below(text: str, addition: str) -> str:
    text = text.rstrip("\r\n")
    return f"{text}\r\n\r\n{addition}" if text else addition


def _inserted(document: str, addition: str) -> str:
    end = _last(_BODY_END, document)
    if end is None:
        return document + addition
    return document[: end.start()] + addition + document[end.start() :]


def _attribution(summary: Summary) -> str:
    when = f"On {format_datetime(summary.date)}, " if summary.date else ""
    return f"{when}{summary.from_ or 'the sender'} wrote:"


def _described(summary: Summary) -> list[tuple[str, str]]:
    date = format_datetime(summary.date) if summary.date else ""
    pairs = [("From", summary.from_), ("Date", date), ("Subject", summary.subject)]
    pairs += [("To", summary.to), ("Cc", summary.cc)]
    return [(label, value) for label, value in pairs if value]


def _styles(head: str) -> str:
    """The style elements of a head."""
    found = []
    position = 0
    while (start := _STYLE_START.search(head, position)) and (end := _STYLE_END.search(head, start.end())):
        found.append(head[start.start() : end.end()])
        position = end.end()
    return "".join(found)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)
