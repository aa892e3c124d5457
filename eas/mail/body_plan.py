"""Which form of a body a phone gets, how much of it, and the bytes for it ([MS-ASAIRS] BodyPreference, Body).

The first of two steps, so that storage is read once and no more than needed: `plan` says which ranges of the message
are wanted; `eas.mail.body.render` makes the `Body` of them.  Both are pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from eas.protocol.versions import Version
from storage.message.charsets import codec_name
from storage.message.summary import Part, Summary
from storage.message.transfer import EXACT_BYTES_MAX

CONVERTED_BYTES_MAX = 4 * 1024 * 1024  # of HTML that is turned into text; what lies behind counts as cut

_SLACK_BYTES = 4096
_HTML_PER_TEXT = 32  # bytes of HTML read for a byte of text
_HTML_BYTES_MIN = 256 * 1024  # newsletters begin with that much style


class BodyType(IntEnum):  # [MS-ASAIRS] Type
    """The forms of a body."""

    PLAIN = 1
    HTML = 2
    RTF = 3  # never sent: no mail is stored as RTF
    MIME = 4


class MimeSupport(IntEnum):  # [MS-ASCMD] MIMESupport
    """For which messages a phone takes MIME."""

    NEVER = 0
    SMIME_ONLY = 1
    ALWAYS = 2


@dataclass(frozen=True, slots=True)
class Preference:
    """One BodyPreference.  Sizes in bytes; None = no limit."""

    type: int
    truncation_size: int | None = None
    all_or_none: bool = False
    preview: int = 0  # characters


@dataclass(frozen=True, slots=True)
class Body:
    """A Body element; *data* None = no Data element."""

    type: int
    estimated_data_size: int  # bytes of the whole content; at least those of *data*
    truncated: bool
    data: str | None
    preview: str | None
    native_body_type: int


class Range(NamedTuple):
    """Bytes of the stored message."""

    start: int
    size: int


class Candidate(NamedTuple):
    """One way to answer; the next is tried when AllOrNone forbids this one."""

    preference: Preference
    source: Part | None  # None for MIME, and where the message has no body
    range: Range


@dataclass(frozen=True, slots=True)
class Plan:
    """The ways to answer, best first, and (parallel to them) the bytes that each needs.  A range may be empty."""

    summary: Summary
    candidates: tuple[Candidate, ...]
    refused: Preference  # what the answer names when no candidate will do
    estimate: int
    shows_preview: bool

    @property
    def ranges(self) -> tuple[Range, ...]:
        """What `render` wants, in this order."""
        return tuple(candidate.range for candidate in self.candidates)


def plan(
    summary: Summary,
    preferences: Sequence[Preference],
    mime_support: int,
    version: Version,
    *,
    mime_truncation: int | None = None,
    cut_mime: bool = True,
) -> Plan:
    """Order the preferences: MIME where it is wanted and allowed, then the native type, then the rest.

    *mime_truncation* is the limit of MIMETruncation in bytes; the smaller of it and TruncationSize counts.  *cut_mime*
    False is for phones that break on half a MIME message: one above its limit counts as refused, as by AllOrNone.
    """
    offered = {preference.type: preference for preference in reversed(preferences)}
    wanted = _order(summary, offered, mime_support)
    candidates: list[Candidate] = []
    for preference in wanted:
        if preference.type == BodyType.MIME:
            preference = _mime_preference(preference, mime_truncation, cut_mime=cut_mime)
        candidate = _candidate(summary, preference)
        if _is_hopeless(summary, candidate):
            continue
        candidates.append(candidate)
        if not _may_be_refused(candidate.preference):
            break
    refused = wanted[0] if wanted else Preference(summary.native_body_type)
    estimate = summary.size if refused.type == BodyType.MIME else _size(_source(summary, refused.type))
    return Plan(summary, tuple(candidates), refused, estimate, version >= Version.V14_0)


def _order(summary: Summary, offered: dict[int, Preference], mime_support: int) -> list[Preference]:
    order = [BodyType.HTML, BodyType.PLAIN] if summary.native_body_type == BodyType.HTML else [1, 2]
    if mime_support == MimeSupport.ALWAYS or (mime_support == MimeSupport.SMIME_ONLY and summary.is_smime):
        order = [BodyType.MIME, *order]
    return [offered[number] for number in order if number in offered]


def _mime_preference(preference: Preference, mime_truncation: int | None, *, cut_mime: bool) -> Preference:
    limits = [limit for limit in (preference.truncation_size, mime_truncation) if limit is not None]
    limit = min(limits) if limits else None
    return Preference(BodyType.MIME, limit, preference.all_or_none or not cut_mime, preference.preview)


def _source(summary: Summary, body_type: int) -> Part | None:
    """The part that a body of that type is made of: its own form, else the other."""
    if body_type == BodyType.PLAIN and summary.text is not None and summary.text.text_size > 2:
        return summary.text
    if body_type == BodyType.PLAIN:
        return summary.html or summary.text
    return summary.html or summary.text


def _size(source: Part | None) -> int:
    return 0 if source is None else source.text_size


def _may_be_refused(preference: Preference) -> bool:
    return preference.all_or_none and preference.truncation_size is not None


def _is_hopeless(summary: Summary, candidate: Candidate) -> bool:
    """Whether AllOrNone forbids the candidate for certain, so that nothing need be read for it."""
    preference, source, _ = candidate
    limit = preference.truncation_size
    if limit is None or not preference.all_or_none:
        return False
    if preference.type == BodyType.MIME:
        return summary.size > limit
    if source is None or is_converted(preference.type, source):
        return False  # the size of a conversion is known afterwards
    # A document may lose charset declarations; the size of a big text is an estimate, three times too high at worst.
    least = source.text_size if source.size <= EXACT_BYTES_MAX else source.text_size // 4
    return least - (_SLACK_BYTES if preference.type == BodyType.HTML else 0) > limit


def is_converted(body_type: int, source: Part) -> bool:
    """Whether a body of that type is made of the other form."""
    return (body_type == BodyType.PLAIN) != (source.content_type == "text/plain")


def _candidate(summary: Summary, preference: Preference) -> Candidate:
    limit = preference.truncation_size
    source = None if preference.type == BodyType.MIME else _source(summary, preference.type)
    if limit == 0:
        return Candidate(preference, source, Range(0, 0))
    if preference.type == BodyType.MIME:
        size = summary.size if limit is None else min(summary.size, limit + _SLACK_BYTES)
        return Candidate(preference, None, Range(0, size))
    if source is None:
        return Candidate(preference, None, Range(0, 0))
    if preference.type == BodyType.PLAIN and is_converted(preference.type, source):
        if limit is None or preference.all_or_none:
            limit = CONVERTED_BYTES_MAX
        else:
            limit = min(CONVERTED_BYTES_MAX, max(_HTML_BYTES_MIN, limit * _HTML_PER_TEXT))
    return Candidate(preference, source, Range(source.start, _needed(source, limit)))


def _needed(source: Part, limit: int | None) -> int:
    """Encoded bytes of the part that surely bring *limit* bytes of UTF-8."""
    if limit is None:
        return source.size
    limit += _SLACK_BYTES
    if source.encoding == "base64":
        limit = limit * 3 // 2
    elif source.encoding == "quoted-printable":
        limit = limit * 13 // 4  # three bytes for one, and soft line breaks
    charset = codec_name(source.charset)
    if charset.startswith("utf-32"):
        limit *= 4
    elif charset.startswith("utf-16") or charset == "utf-7":
        limit *= 3
    return min(source.size, limit)
