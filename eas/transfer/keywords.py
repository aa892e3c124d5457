"""Keywords of mail programs (atoms) and categories (texts): one for the other, both ways."""

from urllib.parse import quote

from eas.transfer.names import unquoted

FORWARDED = "$Forwarded"
_SYSTEM = {"junk", "nonjunk", "notjunk", "forwarded", "mdnsent", "redirected", "recent", "unseen"}


def keyword_of(category: str) -> str:
    """Return the keyword for a category: what no atom may hold is written =41."""
    word = quote(category, safe="!#'+,-./:;<>?@^_`|~&$", errors="replace").replace("%", "=")
    return f"={ord(word[0]):02X}{word[1:]}" if word.startswith("$") else word


def categories_of(keywords: list[str]) -> tuple[str, ...]:
    """Return the categories among *keywords*: those that no program set for itself."""
    found = [word for word in keywords if word and word[0] not in "$\\" and word.casefold() not in _SYSTEM]
    return tuple(dict.fromkeys(unquoted(word.replace("%", "%25").replace("=", "%")) for word in found))
