"""Parts and multiparts, written.  A part is its complete bytes: header, empty line, content; no line end after it."""

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from hashlib import blake2b
from urllib.parse import quote

from eas.mail.header_fields import Block, encoded_words, parameter, plain_line, raw_field
from storage.message.summary import Part

_TYPE = re.compile(r"[!#$&^_.+a-zA-Z0-9-]{1,127}/[!#$&^_.+a-zA-Z0-9-]{1,127}")
_NOT_ID = re.compile(r"[^!-;=?-~]+")
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"
_OLD_NAME_CHARACTERS_MAX = 50
_LEGIBLE_SHARE = 0.75  # of ASCII, from which on quoted-printable is shorter and can be read


def text_part(text: str, subtype: str = "plain") -> bytes:
    """A text in UTF-8; *text* has CRLF line ends."""
    data = text.encode("utf-8", "replace")
    if sum(byte < 128 for byte in data[:4096]) >= _LEGIBLE_SHARE * len(data[:4096]):
        encoding, content = "quoted-printable", _quoted(data)
    else:
        encoding, content = "base64", _base64(data)
    header = raw_field("Content-Type", f"text/{subtype};", "charset=utf-8")
    return header + raw_field("Content-Transfer-Encoding", encoding) + b"\r\n" + content


def attachment_part(
    content: bytes,
    content_type: str,
    name: str,
    *,
    content_id: str = "",
    content_location: str = "",
    inline: bool = False,
) -> bytes:
    """A file.  A message (message/rfc822) goes in as it is: RFC 2046 5.2.1 forbids to encode it."""
    is_message = content_type == "message/rfc822"
    if not _TYPE.fullmatch(content_type):
        content_type = "application/octet-stream"
    header = raw_field("Content-Type", f"{content_type};", *_old_name(name))
    header += raw_field("Content-Disposition", "inline;" if inline else "attachment;", *parameter("filename", name))
    if content_id:
        header += raw_field("Content-ID", "<" + _NOT_ID.sub("", content_id) + ">")
    if content_location:
        header += raw_field("Content-Location", quote(plain_line(content_location), safe=_URL_SAFE, errors="replace"))
    header += raw_field("Content-Transfer-Encoding", _message_encoding(content) if is_message else "base64")
    return header + b"\r\n" + (content if is_message else _base64(content))


def copied_part(message: bytes, part: Part) -> bytes:
    """A part of another message as it stands there; of the header only what describes the content."""
    block = Block(message[part.header_start : part.end])
    block.keep(lambda name: name.startswith(b"content-"))
    if not block.has(b"content-type"):
        block.put(b"content-type", raw_field("Content-Type", part.content_type))
    return block.header() + b"\r\n" + message[part.start : part.end]


def multipart(subtype: str, parts: Sequence[bytes], *parameters: str) -> bytes:
    """A multipart of at least two parts; a single part is given back as it is.

    The boundary is a hash of the parts: the same for the same content, and not to be found in it.
    """
    if len(parts) == 1:
        return parts[0]
    digest = blake2b(subtype.encode(), digest_size=15, person=b"boundary")
    for part in parts:
        digest.update(part)
    boundary = "=_" + digest.hexdigest()
    header = raw_field("Content-Type", f"multipart/{subtype};", *parameters, f'boundary="{boundary}"')
    delimiter = b"\r\n--" + boundary.encode()
    return (
        header
        + b"\r\n"
        + b"".join(delimiter + b"\r\n" + part for part in parts).removeprefix(b"\r\n")
        + delimiter
        + b"--"
    )


def _old_name(name: str) -> list[str]:
    """The parameter `name` for readers without RFC 2231: encoded words inside quotes, as everybody writes it."""
    name = plain_line(name)
    if name.isascii() and len(name) < _OLD_NAME_CHARACTERS_MAX:
        return parameter("name", name)
    words = encoded_words(name)
    words[0], words[-1] = 'name="' + words[0], words[-1] + '"'
    return words


def _base64(data: bytes) -> bytes:
    return encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def _quoted(data: bytes) -> bytes:
    return b"\r\n".join(b2a_qp(line).replace(b"=\n", b"=\r\n") for line in data.split(b"\r\n"))


def _message_encoding(content: bytes) -> str:
    return "7bit" if content.isascii() else "8bit"
