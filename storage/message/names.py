"""The file name of an attachment: decoded, safe to show and to store, never empty."""

import re

from storage.message.headers import Buffer, parse_fields
from storage.message.splitter import Leaf
from storage.message.words import decode_text

NAME_CHARACTERS_MAX = 255
_INNER_HEADER_BYTES = 16 * 1024

_UNSAFE = re.compile(
    r"[/\\\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+"
)  # paths, controls, text direction
_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".htm",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/ms-tnef": ".dat",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/amr": ".amr",
    "video/mp4": ".mp4",
}
_FIXED = {
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
}


def declared_name(leaf: Leaf, disposition: dict[str, str]) -> str:
    """The name that the sender gave, from Content-Disposition or Content-Type; "" when there is none."""
    return clean_name(disposition.get("filename") or leaf.parameters.get("name") or "")


def attachment_name(data: Buffer, leaf: Leaf, declared: str, number: int) -> str:
    """The declared name, or one made of the type; *number* counts the attachments of the message from 1.

    An attached message is named after its subject and ends in ".eml": phones open it by that ending.
    """
    if leaf.content_type == "message/rfc822":
        name = declared or clean_name(_inner_subject(data, leaf)) or f"ATT{number:05}"
        return name if name.lower().endswith(".eml") else name[: NAME_CHARACTERS_MAX - 4] + ".eml"
    if declared:
        return declared
    return _FIXED.get(leaf.content_type) or f"ATT{number:05}{_EXTENSIONS.get(leaf.content_type, '.bin')}"


def clean_name(name: str) -> str:
    """Without path separators, controls and direction marks; bounded, with its ending kept."""
    name = _UNSAFE.sub("_", name).strip(" .")
    if len(name) > NAME_CHARACTERS_MAX:
        stem, dot, ending = name.rpartition(".")
        keep = dot + ending if dot and len(ending) <= 16 else ""
        name = (stem if keep else name)[: NAME_CHARACTERS_MAX - len(keep)] + keep
    return name


def _inner_subject(data: Buffer, leaf: Leaf) -> str:
    block = bytes(data[leaf.start : min(leaf.end, leaf.start + _INNER_HEADER_BYTES)])
    fields = parse_fields(block)
    return next((decode_text(value) for name, value in fields if name == b"subject"), "")
