"""Folder names as other programs write them: modified UTF-7 (RFC 3501 5.1.3), percent signs, or plain UTF-8."""

import base64
import binascii
import re
from urllib.parse import quote, unquote_to_bytes

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")
_PLAIN = re.compile(r"[\x20-\x7e]*")
NAME_CHARS_MAX = 256


def decode_utf7(text: str) -> str:
    """Return what *text* in modified UTF-7 says.  Raises ValueError for what is not."""
    if not _PLAIN.fullmatch(text):
        raise ValueError("letters that modified UTF-7 does not have")
    decoded, at = [], 0
    for match in _SHIFTED.finditer(text):
        decoded += [text[at : match.start()], _shifted(match[1])]
        at = match.end()
    decoded.append(text[at:])
    if any("&" in part for part in (text[at:], *decoded[::2])):
        raise ValueError("an & that begins nothing")
    return "".join(decoded)


def _shifted(code: str) -> str:
    if not code:
        return "&"
    try:
        raw = base64.b64decode(code.replace(",", "/") + "=" * (-len(code) % 4), validate=True)
        return raw.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def encode_utf7(text: str, escaped: str = "") -> str:
    """Return *text* in modified UTF-7; the letters of *escaped*, which mean something else there, are shifted, too."""
    encoded, run = [], ""
    for letter in text:
        if " " <= letter <= "~" and letter not in escaped:
            encoded += [_shift(run), "&-" if letter == "&" else letter]
            run = ""
        else:
            run += letter
    return "".join([*encoded, _shift(run)])


def _shift(run: str) -> str:
    if not run:
        return ""
    code = base64.b64encode(run.encode("utf-16-be", "surrogatepass")).decode().rstrip("=").replace("/", ",")
    return f"&{code}-"


def read_name(raw: bytes) -> str:
    """Return the name that *raw* stands for: modified UTF-7 if it is that, else UTF-8, else Latin-1."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
    try:
        return decode_utf7(text)
    except ValueError:
        return text


def fit_name(name: str) -> str:
    """Return *name* as a folder here can be called."""
    cleaned = "".join(letter if letter >= " " and not "\ud800" <= letter <= "\udfff" else "_" for letter in name)
    return cleaned.strip()[:NAME_CHARS_MAX].strip() or "_"


def quoted(name: str) -> str:
    """Return *name* as one that any file system takes."""
    text = quote(name, safe=" !#$'()+,;=@[]{}^~`-_.", errors="surrogatepass")
    return "%2E" + text[1:] if text.startswith(".") else text


def unquoted(text: str) -> str:
    """Undo `quoted`; what nobody quoted is left as it is."""
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return text
