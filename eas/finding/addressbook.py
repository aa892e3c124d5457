"""The address book (GAL) as phones see it: the directory's users, page by page, by name."""

from dataclasses import dataclass

from eas.wbxml import pages
from eas.wbxml.element import Element, element, leaf
from storage.directories.directory import SEARCH_RESULTS_MAX, Directory, Entry

TAG = pages.GAL
NO_PICTURE = 173
"""[MS-ASCMD] Status (Picture): there is none."""


@dataclass(frozen=True, slots=True)
class People:
    """How many users match (as far as the directory counts, `SEARCH_RESULTS_MAX`), and those asked for, by name."""

    total: int
    found: tuple[Entry, ...]


async def search(directory: Directory, text: str, first: int, last: int) -> People:
    """Return the users of whose name or address each word of *text* begins a word; nobody for no word at all.

    Raises `DirectoryUnavailable`.
    """
    found = await directory.search(text, SEARCH_RESULTS_MAX) if text.strip() else []
    return People(len(found), tuple(found[first : last + 1]))


def render_person(person: Entry, *, wants_picture: bool) -> list[Element]:
    """Return the properties of one user; to whoever wants a picture it is said that there is none."""
    user, _, _ = person.address.partition("@")
    return [
        Element(TAG.DisplayName, value=person.display_name or person.address),
        Element(TAG.Alias, value=user),
        Element(TAG.FirstName, value=""),  # Nokia's Mail for Exchange wants it, empty or not
        Element(TAG.EmailAddress, value=person.address),
        *([element(TAG.Picture, leaf(TAG.Status, NO_PICTURE))] if wants_picture else []),
    ]
