"""Bytes of any declared charset to text: never fails, and never brings a lone surrogate.

Labels are read as browsers read them (WHATWG Encoding): mail that says iso-8859-1 means windows-1252, gb2312 means
gb18030.  Only codecs of a fixed list are used: Python's registry also knows some that are slow on purpose-made bytes
(punycode, idna).
"""

import codecs
from functools import lru_cache

LABEL_CHARACTERS_MAX = 40

_ASCII = bytes(range(128))

_ALIASES = {
    **dict.fromkeys(
        ("ansi_x3.4-1968", "ascii", "us-ascii", "iso646-us", "default", "unknown-8bit", "x-unknown", "binary"), ""
    ),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1", "cp819", "ibm819"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "iso8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620", "windows-874"), "cp874"),
    **dict.fromkeys(("gb2312", "gb_2312-80", "gbk", "x-gbk", "euc-cn", "cp936", "gb-2312", "chinese"), "gb18030"),
    **dict.fromkeys(("hz-gb-2312", "hz-gb2312"), "hz"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ks_c_5601", "ksc5601", "korean", "ks_c_5601-1989"), "cp949"),
    **dict.fromkeys(("shift_jis", "shift-jis", "x-sjis", "sjis", "ms_kanji", "windows-31j"), "cp932"),
    **dict.fromkeys(("big5", "big-5", "x-x-big5", "cn-big5", "big5-hkscs"), "big5hkscs"),
    **dict.fromkeys(("utf8", "utf-8mb4", "unicode-1-1-utf-8", "x-utf-8", "utf_8"), "utf-8"),
    **dict.fromkeys(("unicode-1-1-utf-7", "x-unicode-2-0-utf-7"), "utf-7"),
    **dict.fromkeys(("unicode", "ucs-2", "iso-10646-ucs-2"), "utf-16"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e"), "iso8859-8"),
    **dict.fromkeys(("macintosh", "x-mac-roman", "mac"), "mac-roman"),
    "x-mac-cyrillic": "mac-cyrillic",
    "x-euc-jp": "euc-jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "cp-850": "cp850",
}

_SINGLE_BYTE = frozenset(
    [f"cp{number}" for number in (437, 850, 852, 855, 857, 858, 862, 866, 874, *range(1250, 1259))]
    + [f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)]
    + ["koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "mac-greek", "mac-turkish", "mac-latin2"]
)
_MULTIBYTE = frozenset(
    (
        *("big5hkscs", "cp932", "cp949", "euc_jp", "euc_jis_2004", "gb18030", "hz", "johab", "shift_jis_2004", "utf-7"),
        *(
            "iso2022_jp",
            "iso2022_jp_1",
            "iso2022_jp_2",
            "iso2022_jp_3",
            "iso2022_jp_2004",
            "iso2022_jp_ext",
            "iso2022_kr",
        ),
        *("utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le"),
    )
)


@lru_cache(maxsize=512)
def codec_name(label: str) -> str:
    """The codec for a declared charset: "" when it says nothing of use (us-ascii, unknown)."""
    label = label.strip().strip("\"'").lower()
    if not label or len(label) > LABEL_CHARACTERS_MAX or not label.isascii():
        return ""
    try:
        name = codecs.lookup(_ALIASES.get(label, label) or "ascii").name
    except (LookupError, ValueError):
        return ""
    return name if name == "utf-8" or name in _SINGLE_BYTE or name in _MULTIBYTE else ""


def to_text(data: bytes, label: str = "", *, is_cut: bool = False) -> str:
    """Decode: the declared charset, then UTF-8, then windows-1252.  *is_cut*: the end may lie inside a character.

    A byte order mark at the start is dropped.  Nothing is raised: what cannot be read becomes U+FFFD.
    """
    name = codec_name(label)
    if name in ("", "utf-8"):
        return _from_utf8(data, is_cut=is_cut)
    text = _strict(data, name, is_cut=is_cut)
    if text is None:
        text = _strict(data, "utf-8", is_cut=is_cut)
    if text is None:
        text = data.decode(name, "replace")
    if name in _MULTIBYTE:  # a few of these let surrogates through
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.removeprefix("\ufeff")


def _from_utf8(data: bytes, *, is_cut: bool) -> str:
    text = _strict(data, "utf-8", is_cut=is_cut)
    if text is not None:
        return text.removeprefix("\ufeff")
    text = data.decode("utf-8", "replace")
    if len(data.translate(None, _ASCII)) >= 4 * text.count("\ufffd"):  # UTF-8 with a few bad bytes
        return text.removeprefix("\ufeff")
    return data.decode("cp1252", "replace")  # UTF-8 by label, one-byte text by content


def _strict(data: bytes, name: str, *, is_cut: bool) -> str | None:
    try:
        if is_cut:
            return codecs.getincrementaldecoder(name)().decode(data, final=False)
        return data.decode(name)
    except (UnicodeError, ValueError):
        return None
