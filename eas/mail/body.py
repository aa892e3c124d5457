"""The Body element of a mail: what `plan` chose, made of the bytes that it asked for ([MS-ASAIRS] Body)."""

from collections.abc import Sequence

from eas.mail.body_plan import (
    Body,
    BodyType,
    Candidate,
    MimeSupport,
    Plan,
    Preference,
    Range,
    is_converted,
    plan,
)
from eas.mail.html import DOCUMENT_BYTES, complete_document, cut_html, cut_utf8, text_to_html
from eas.mail.mime import wire_bytes
from storage.message.html import html_to_text
from storage.message.summary import Part
from storage.message.transfer import part_text

__all__ = ["Body", "BodyType", "MimeSupport", "Plan", "Preference", "Range", "plan", "render", "wire_text"]

LINKS_FROM_BYTES = 2048  # a shorter text is shown in lists, where targets of links are noise

_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\r\n"))


def render(plan: Plan, pieces: Sequence[bytes]) -> Body:
    """The Body of the first candidate that AllOrNone lets pass; *pieces* are the bytes of `plan.ranges`, in order."""
    for candidate, piece in zip(plan.candidates, pieces, strict=True):
        preference = candidate.preference
        limit = preference.truncation_size
        content, is_whole, estimate = _content(plan, candidate, piece)
        is_cut = not is_whole or (limit is not None and len(content) > limit)
        if is_cut and preference.all_or_none and limit is not None:
            continue
        data = None if limit == 0 else _cut(preference.type, content, limit)
        size = len(content) if is_whole else max(estimate, len(data or b"") + 1)
        return _body(plan, preference, size, data, is_cut=is_cut)
    # Nothing may be sent: type and size alone, so that the phone can ask again without a limit.
    return _body(plan, plan.refused, plan.estimate, None, is_cut=plan.estimate > 0)


def _body(plan: Plan, preference: Preference, size: int, data: bytes | None, *, is_cut: bool) -> Body:
    wants_preview = plan.shows_preview and preference.preview > 0
    if preference.type == BodyType.PLAIN and data is not None:
        wants_preview = False  # [MS-ASAIRS] Preview: not beside the plain text itself
    return Body(
        type=preference.type,
        estimated_data_size=size,
        truncated=is_cut,
        data=None if data is None else data.decode(),
        preview=plan.summary.preview[: preference.preview] if wants_preview else None,
        native_body_type=plan.summary.native_body_type,
    )


def _content(plan: Plan, candidate: Candidate, piece: bytes) -> tuple[bytes, bool, int]:
    """The content in UTF-8 as far as the piece goes, whether that is all of it, and an estimate of the whole."""
    preference, source, _ = candidate
    if preference.type == BodyType.MIME:
        data = wire_bytes(plan.summary, piece)
        return cut_utf8(data, len(data)), len(piece) == plan.summary.size, plan.summary.size
    if source is None:
        return b"", True, 0
    is_whole = len(piece) == source.size
    if preference.type == BodyType.PLAIN:
        return _plain(source, piece, preference.truncation_size), is_whole, source.text_size
    text = wire_text(part_text(source, piece)) if piece else ""
    if is_converted(preference.type, source):
        return text_to_html(text).encode(), is_whole, source.text_size + DOCUMENT_BYTES
    return complete_document(text).encode(), is_whole, source.text_size


def _plain(source: Part, piece: bytes, limit: int | None) -> bytes:
    text = part_text(source, piece)
    if is_converted(BodyType.PLAIN, source):
        text = html_to_text(text, links=limit is None or limit >= LINKS_FROM_BYTES)
    return wire_text(text).encode()


def wire_text(text: str) -> str:
    """Text as phones expect it: CRLF line ends, no NUL and no other control characters.

    Every body goes through here, so it is done by what runs in C: a regular expression costs five times as much.
    """
    data = text.encode("utf-8", "surrogatepass").translate(None, _CONTROLS)
    clean = data.decode("utf-8", "surrogatepass").replace("\ufffe", "").replace("\uffff", "")
    return "\r\n".join(f"{clean}.".splitlines())[:-1]  # the full stop: what ends the last line is an end, too


def _cut(body_type: int, content: bytes, limit: int | None) -> bytes:
    if limit is None:
        return content
    return cut_html(content, limit) if body_type == BodyType.HTML else cut_utf8(content, limit)
