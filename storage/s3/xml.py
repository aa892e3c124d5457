"""The documents in which an object store answers: errors, listings, what was deleted.

Parsed without entities, without network, and only within the bound that their bytes have been read with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from storage.engine import Entry

_SHOWN = 200


class UnexpectedAnswer(Exception):
    """A document is not the one that was asked for."""


@dataclass(frozen=True, slots=True)
class StoreError:
    """What the store gives as a reason; code "": the bytes are no error of a store's."""

    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that was begun and not ended; *begun* by the store's clock."""

    key: str
    upload_id: str
    begun: datetime


def error_in(content: bytes) -> StoreError:
    """Return the error that a store's answer tells."""
    try:
        root = _root(content, "Error")
    except UnexpectedAnswer:
        return StoreError()
    return StoreError(_text(root, "Code")[:_SHOWN], _text(root, "Message")[:_SHOWN])


def entries_in(content: bytes, own: str, prefix: str, after: str, count_max: int) -> tuple[list[Entry], bool]:
    """Return a listing's entries, keys without *own*, and whether they are the last.

    Raises `UnexpectedAnswer` for entries that were not asked for, or that are not in order.
    """
    root = _root(content, "ListBucketResult")
    entries = []
    for found in root.iterfind("{*}Contents"):
        key = _text(found, "Key")
        size = _text(found, "Size")
        if not key.startswith(own + prefix) or not size.isascii() or not size.isdigit():
            raise UnexpectedAnswer(f"a listing of {own + prefix!r} has {key[:_SHOWN]!r}, size {size[:_SHOWN]!r}")
        key = key[len(own) :]
        if key <= after:
            raise UnexpectedAnswer(f"a listing is not in order: {key[:_SHOWN]!r} after {after!r}")
        entries.append(Entry(key, int(size)))
        after = key
    if len(entries) > count_max:
        raise UnexpectedAnswer(f"a listing of {count_max} has {len(entries)} entries")
    # Some leave the word out where it would be "false": a full page may then have a successor.
    truncated = _text(root, "IsTruncated") or ("true" if len(entries) == count_max else "false")
    if truncated not in ("true", "false") or (truncated == "true" and not entries and count_max):
        raise UnexpectedAnswer(f"a listing of {len(entries)} entries goes on: {truncated[:_SHOWN]!r}")
    return entries, truncated == "false"


def delete_document(keys: Iterable[str]) -> bytes:
    """Return the document that asks for these keys to be removed, and for errors only to be told."""
    names = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{names}</Delete>'.encode()


def not_deleted_in(content: bytes) -> list[StoreError]:
    """Return why keys were not removed; a key that is not there is no error.  Raises `UnexpectedAnswer`."""
    errors = [StoreError(_text(e, "Code")[:_SHOWN]) for e in _root(content, "DeleteResult").iterfind("{*}Error")]
    return [error for error in errors if error.code != "NoSuchKey"]


def uploads_in(content: bytes) -> list[Upload]:
    """Return the uploads that are under way, or were left.  Raises `UnexpectedAnswer`."""
    uploads = []
    for found in _root(content, "ListMultipartUploadsResult").iterfind("{*}Upload"):
        try:
            begun = datetime.fromisoformat(_text(found, "Initiated"))
        except ValueError as error:
            raise UnexpectedAnswer(f"an upload without a time: {error}") from error
        uploads.append(Upload(_text(found, "Key"), _text(found, "UploadId"), begun))
    return uploads


def _root(content: bytes, name: str) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnexpectedAnswer(f"not XML: {content[:_SHOWN]!r}") from error
    if etree.QName(root).localname != name:
        raise UnexpectedAnswer(f"not {name}: {content[:_SHOWN]!r}")
    return root


def _text(root: Any, name: str) -> str:
    found = root.find(f"{{*}}{name}")
    return "" if found is None else found.text or ""
