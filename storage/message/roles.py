"""Which leaf is the text body, which the HTML body, and which are attachments.

The first text leaf that is no attachment decides: when it stands in an alternative, the bodies are the first plain
and the first HTML leaf of that alternative; else it is the only body.  Later texts (footers of lists, what Apple Mail
writes below a picture) become attachments: a text that is not shown must at least be found.
"""

from dataclasses import dataclass, replace

from storage.message.headers import Buffer
from storage.message.names import attachment_name, declared_name
from storage.message.parameters import parse_field
from storage.message.splitter import Container, Leaf
from storage.message.summary import Part
from storage.message.transfer import decoded_size
from storage.message.words import decode_text

EMBEDDED_MESSAGE = 5  # [MS-ASAIRS] Attachment/Method
FIELD_CHARACTERS_MAX = 1000  # Content-ID, Content-Location
TYPE_CHARACTERS_MAX = 255  # two names of at most 127 (RFC 6838 4.2): 500 of 16 KB each made a summary of 8 MB
_BLANK_BYTES_MAX = 4  # a text part that holds no more than line ends is nothing to show

_ENCODINGS = frozenset(("base64", "quoted-printable", "7bit", "8bit", "binary"))
_SMIME_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")


@dataclass(frozen=True, slots=True)
class Roles:
    """Every leaf as a `Part` (the sizes of the bodies still to come), and the indexes of those with a role."""

    parts: tuple[Part, ...]
    text: int | None
    html: int | None
    calendar: int | None


def assign(data: Buffer, leaves: list[Leaf]) -> Roles:
    """Decide the role of every leaf."""
    drafts = [_draft(leaf) for leaf in leaves]
    text, html, group = _bodies(leaves, drafts)
    calendar = _calendar(leaves)
    parts: list[Part] = []
    attachments = 0
    for index, (leaf, part) in enumerate(zip(leaves, drafts, strict=True)):
        if index in (text, html):
            parts.append(part)  # the sizes of bodies come with their text
            continue
        is_said = index == calendar and (text is not None or html is not None)
        if _is_attachment(leaf, part, is_said, group):
            attachments += 1
            part = replace(
                part,
                name=attachment_name(data, leaf, part.name, attachments),
                is_attachment=True,
                is_inline=html is not None and _is_inline(leaf, part),
                method=EMBEDDED_MESSAGE if leaf.content_type == "message/rfc822" else 1,
            )
        parts.append(replace(part, decoded_size=decoded_size(data, part)))
    return Roles(tuple(parts), text, html, calendar)


def _draft(leaf: Leaf) -> Part:
    """The part as its own header describes it."""
    disposition, parameters = parse_field(leaf.headers.first(b"content-disposition"))
    raw_encoding = leaf.headers.first(b"content-transfer-encoding").partition(b";")[0].strip(b" \t\"'").lower()
    encoding = raw_encoding.decode("latin-1")
    return Part(
        path=leaf.path,
        content_type=leaf.content_type[:TYPE_CHARACTERS_MAX],
        charset=leaf.parameters.get("charset", "")[:40].lower(),
        encoding=encoding if encoding in _ENCODINGS else "7bit",
        header_start=leaf.header_start,
        start=leaf.start,
        size=leaf.end - leaf.start,
        name=declared_name(leaf, parameters),
        content_id=decode_text(leaf.headers.first(b"content-id")).strip("<> ")[:FIELD_CHARACTERS_MAX],
        content_location=decode_text(leaf.headers.first(b"content-location"))[:FIELD_CHARACTERS_MAX],
        disposition=disposition if disposition in ("attachment", "inline") else "",
        is_signed=any(container.subtype == "signed" for container in leaf.containers),
    )


def _bodies(leaves: list[Leaf], parts: list[Part]) -> tuple[int | None, int | None, Container | None]:
    """The indexes of the text and the HTML body, and the alternative that they are taken from."""
    first = next((index for index, leaf in enumerate(leaves) if _may_be_body(leaf, parts[index], index)), None)
    if first is None:
        return None, None, None
    group = next((each for each in leaves[first].containers if each.subtype == "alternative"), None)
    chosen: dict[str, int] = {leaves[first].content_type: first}
    if group is not None:
        for index, leaf in enumerate(leaves):
            if group in leaf.containers and _may_be_body(leaf, parts[index], index):
                chosen.setdefault(leaf.content_type, index)
    return chosen.get("text/plain"), chosen.get("text/html"), group


def _may_be_body(leaf: Leaf, part: Part, index: int) -> bool:
    if leaf.content_type not in ("text/plain", "text/html") or part.disposition == "attachment":
        return False
    return not part.name or index == 0 or _in(leaf, "alternative")


def _calendar(leaves: list[Leaf]) -> int | None:
    """The first text/calendar leaf, or application/ics where there is none."""
    for content_type in ("text/calendar", "application/ics"):
        for index, leaf in enumerate(leaves):
            if leaf.content_type == content_type:
                return index
    return None


def _is_attachment(leaf: Leaf, part: Part, is_said: bool, group: Container | None) -> bool:
    """*is_said*: it is the meeting's calendar object, and there is a body that says the same."""
    if part.disposition == "attachment":
        return True
    if is_said and _in(leaf, "alternative"):
        return False
    if part.name or part.content_id or leaf.content_type in _SMIME_SIGNATURES:
        return True
    if leaf.content_type.startswith("text/") and group is not None and group in leaf.containers:
        return False  # one more form of what the bodies say
    return not (leaf.content_type in ("text/plain", "text/html") and part.size <= _BLANK_BYTES_MAX)


def _is_inline(leaf: Leaf, part: Part) -> bool:
    is_image = leaf.content_type.startswith("image/")
    if not part.content_id:
        return False
    return (_in(leaf, "related") and (is_image or part.disposition != "attachment")) or (
        part.disposition == "inline" and is_image
    )


def _in(leaf: Leaf, subtype: str) -> bool:
    return any(container.subtype == subtype for container in leaf.containers)
