"""What a tag is: a code page, a token, a name; compared by identity, since pages reuse token values."""

from typing import Final

HAS_CONTENT: Final = 0x40  # the bit of a tag's byte that announces content and an END
STR_I: Final = 0x03
UNKNOWN_PREFIX: Final = "Unknown_"


class Tag:
    """A tag of a code page.  There is one object a tag: tags are equal only to themselves.

    `name` and `page_name` come from the class that the tag is declared in.  The byte strings are what the
    encoder writes: the tag without content, with content, and with content that begins with a text.
    `since` and `until` are protocol versions times ten (161 is 16.1), as in the base64 query of [MS-ASHTTP].
    """

    __slots__ = ("empty", "name", "page", "page_name", "since", "start", "text_start", "token", "until")

    def __init__(self, page: int, token: int, *, since: int = 25, until: int = 161) -> None:
        self.page = page
        self.token = token
        self.since = since
        self.until = until
        self.name = f"{UNKNOWN_PREFIX}{token:02X}"
        self.page_name = ""
        self.empty = bytes((token,))
        self.start = bytes((token | HAS_CONTENT,))
        self.text_start = bytes((token | HAS_CONTENT, STR_I))

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.page_name = owner.__name__

    def __deepcopy__(self, memo: object) -> "Tag":
        return self

    def __repr__(self) -> str:
        return f"{self.page_name}:{self.name}"


class Unknown(Tag):
    """A token that no revision of [MS-ASWBXML] names, on a page that we know: perhaps a newer client's."""

    __slots__ = ()

    def __init__(self, page: int, token: int, page_name: str) -> None:
        super().__init__(page, token)
        self.page_name = page_name
