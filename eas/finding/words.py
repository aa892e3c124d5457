"""What somebody typed to find mail: words, phrases and the keyword language of Exchange (KQL), as far as phones use it.

    invoice from:anna "second reminder" -draft cat OR dog hasattachment:yes

All clauses must hold; a clause is one term, or several joined by OR.  A name that is none of ours is no predicate:
`Re: lunch` and `https://example.org` are looked for as they stand.  Predicates about what the summaries do not tell
(`received:`, `size:` …) are passed over: rather some mails too many than none.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

QUERY_CHARS_MAX: Final = 1024
TERMS_MAX: Final = 32

_FIELDS: Final = {
    "from": ("from_", "sender"),
    "sender": ("from_", "sender"),
    "to": ("to",),
    "cc": ("cc",),
    "bcc": ("bcc",),
    "recipients": ("to", "cc", "bcc"),
    "participants": ("from_", "sender", "to", "cc", "bcc"),
    "subject": ("subject",),
    "body": ("preview",),
    "attachment": ("attachments",),
    "attachments": ("attachments",),
}
"""A predicate's name → the summary's fields that it looks at; `attachments` stands for their names."""
_HAS_ATTACHMENT: Final = ("hasattachment", "hasattachments")
_PASSED_OVER: Final = ("category", "importance", "isflagged", "isread", "kind", "received", "sent", "size")
_NO: Final = ("0", "false", "no")

_COMBINING: Final = re.compile("[\u0300-\u036f]+")
_TOKEN: Final = re.compile(
    r"""(?P<minus>-(?=["\w]))?(?:(?P<name>[A-Za-z]+)(?P<operator>(?:[:=]|[<>]=?)\s*))?(?P<text>"[^"]*"?|[^\s"]+)"""
)


class QueryTooComplex(Exception):
    """Too long a query, or too many terms."""


@dataclass(frozen=True, slots=True)
class Term:
    """A text that must occur in one of *fields* (empty: in any), or, if *negated*, must not.

    With an empty text: that there is anything in them.
    """

    text: str
    fields: tuple[str, ...] = ()
    negated: bool = False


Clause = tuple[Term, ...]
"""Terms of which one must hold."""


def folded(text: str) -> str:
    """Return *text* as it is compared: without case, width and accents."""
    if text.isascii():
        return text.lower()
    return _COMBINING.sub("", unicodedata.normalize("NFKD", text).casefold())


def parse_words(text: str) -> tuple[Clause, ...]:
    """Return what is asked.  Raises `QueryTooComplex`."""
    if len(text) > QUERY_CHARS_MAX:
        raise QueryTooComplex(f"{len(text)} characters")
    clauses: list[Clause] = []
    count, joins, negated = 0, False, False
    for match in _TOKEN.finditer(text.replace("(", " ").replace(")", " ")):
        if match[0] in ("AND", "OR", "NOT"):
            joins, negated = match[0] == "OR", match[0] == "NOT"
            continue
        terms = _terms(match, negated)
        count += len(terms)
        if count > TERMS_MAX:
            raise QueryTooComplex(f"over {TERMS_MAX} terms")
        for term in terms:
            if joins and clauses:
                clauses[-1] = (*clauses[-1], term)
            else:
                clauses.append((term,))
            joins = False
        joins = negated = False
    return tuple(clauses)


def _terms(match: re.Match[str], negated: bool) -> list[Term]:
    negated = negated or match["minus"] is not None
    name, text = (match["name"] or "").lower(), match["text"].strip('"')
    if name in _HAS_ATTACHMENT:
        return [Term("", ("attachments",), negated ^ (text.lower() in _NO))]
    if name in _PASSED_OVER:
        return []
    if name and name not in _FIELDS:
        words = match[0].removeprefix("-").replace('"', " ").split()
    else:
        words = [text] if match["text"].startswith('"') else [text.rstrip("*")]
    return [Term(found, _FIELDS.get(name, ()), negated) for found in map(folded, words) if found.strip()]
