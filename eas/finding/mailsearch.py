"""Searching the mailbox over the summaries: no message is opened, and memory does not grow with the mailbox.

A word is found anywhere, also within words ("letter" in "newsletter"): languages without spaces need it, and it is what
mail programs mostly do.  Looked at are subject, addresses, preview and the names of attachments.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from eas.finding.words import Clause, Term, folded
from storage.folders import Folder, Folders
from storage.message.summary import Part, Summary
from storage.records import Value
from storage.state import State
from storage.summaries import summaries
from storage.views import Floor

ALL_FOLDERS: Final = ("", "0")
"""CollectionIds that mean no folder in particular."""

_PLACE: Final = {field.name: place for place, field in enumerate(fields(Summary))}
_TEXTS: Final = tuple(_PLACE[name] for name in ("subject", "from_", "sender", "to", "cc", "bcc", "preview"))
_PARTS, _CONVERSATION = _PLACE["parts"], _PLACE["conversation_id"]
_PART_PLACE: Final = {field.name: place for place, field in enumerate(fields(Part))}
_NAME, _IS_ATTACHMENT = _PART_PLACE["name"], _PART_PLACE["is_attachment"]


class UnknownFolder(Exception):
    """None of the folders to search is there."""


@dataclass(frozen=True, slots=True)
class MailQuery:
    """What to find: mails in *folders* for which all *clauses* hold.  Times are milliseconds since 1970, exclusive."""

    folders: frozenset[str]
    clauses: tuple[Clause, ...] = ()
    conversation_id: bytes | None = None
    after_ms: int | None = None
    before_ms: int | None = None


class Hit(NamedTuple):
    """A mail that was found, and where."""

    floor: Floor
    folder: str

    @property
    def server_id(self) -> str:
        """The mail's ServerId, and its LongId."""
        return f"{self.folder}:{self.floor.item}"


@dataclass(frozen=True, slots=True)
class Hits:
    """How many mails match, and the newest of them, newest first."""

    total: int
    newest: list[Hit]


async def search(state: State, query: MailQuery, wanted: int) -> Hits:
    """Return how many mails match, and the *wanted* newest.  *state* is a snapshot: this takes seconds for 100,000.

    Cost: two reads for each page that holds mail of the folders and the time asked for.
    """
    low = Floor(-1 if query.after_ms is None else query.after_ms + 1, "")
    high = Floor(1 << 62 if query.before_ms is None else query.before_ms, "")
    total = 0
    newest: list[Hit] = []
    async for batch in summaries(state, query.folders, low, high):
        for floor, folder, summary in batch:
            if summary is None or not _is_wanted(summary, query):
                continue
            total += 1
            if len(newest) < wanted:
                heapq.heappush(newest, Hit(floor, folder))
            elif newest:
                heapq.heappushpop(newest, Hit(floor, folder))
    return Hits(total, sorted(newest, reverse=True))


def folders_of(folders: Folders, collection_ids: Sequence[str], *, deep: bool) -> frozenset[str]:
    """Return the mail folders to search: those named, with *deep* also those below; none named: all.

    Raises `UnknownFolder` when none of those named is there.
    """
    tree = folders.tree()
    mail = frozenset(folder.id for folder in tree.values() if folder.holds == "Email")
    named = [name for name in collection_ids if name not in ALL_FOLDERS]
    if not named or len(named) < len(collection_ids):
        return mail
    found = {name for name in named if name in tree}
    if not found:
        raise UnknownFolder(named[0])
    return mail & (found | (below(tree, found) if deep else set()))


def below(tree: Mapping[str, Folder], tops: set[str]) -> set[str]:
    """Return the folders that lie, at any depth, in one of *tops*."""
    found: set[str] = set()
    layer = tops
    while layer:
        layer = {folder.id for folder in tree.values() if folder.parent in layer} - found
        found |= layer
    return found


def _is_wanted(summary: Value, query: MailQuery) -> bool:
    try:
        return _matches(summary, query)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False  # no summary that we have made: one mail that is not found, not a search that fails


def _matches(summary: Value, query: MailQuery) -> bool:
    if len(summary) < len(_PLACE):
        summary = Summary.unpack(summary).pack()  # made by an older version: with the defaults of what it lacks
    if query.conversation_id is not None and summary[_CONVERSATION] != query.conversation_id:
        return False
    if not query.clauses:
        return True
    whole = folded("\n".join([*(summary[place] for place in _TEXTS), *_names(summary)]))
    return all(any(_holds(term, summary, whole) for term in clause) for clause in query.clauses)


def _holds(term: Term, summary: Value, whole: str) -> bool:
    if not term.fields or term.text not in whole:  # what is nowhere is in none of the fields
        return (term.text in whole) is not term.negated
    texts: list[str] = []
    for name in term.fields:
        texts += _names(summary) if name == "attachments" else [summary[_PLACE[name]]]
    return any(text and term.text in folded(text) for text in texts) is not term.negated


def _names(summary: Value) -> list[str]:
    return [part[_NAME] for part in summary[_PARTS] if part[_IS_ATTACHMENT]]
