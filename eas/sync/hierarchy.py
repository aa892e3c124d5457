"""What a device has of the folder list.  Folders are few, so its view names them all, each with a digest.

The rules are those of item views: a set of views, the two highest generations of a lineage alive, a key presented
again means that its answer was applied wholly, partly or not at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from storage.cursor import Rid
from storage.folders import Folder, Folders
from storage.state import State
from storage.views import TOP, View, ViewId, next_lineage

HIERARCHY = ""
"""The folder id under which views of the folder list are kept."""


POSSIBLE = b""
"""Instead of a digest: the device may have the folder."""
DOUBTFUL = b"?"
"""Instead of a digest: the device has the folder, in which form is not known."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a device is to be told, parents before children in `added`."""

    added: tuple[Folder, ...]
    updated: tuple[Folder, ...]
    deleted: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many changes there are."""
        return len(self.added) + len(self.updated) + len(self.deleted)


def digests(folders: Folders) -> dict[str, bytes]:
    """Return every folder with the digest of what a device is told of it."""
    return {folder.id: folder.digest for folder in folders.tree().values()}


def knowledge(view: View, children: Iterable[View] = ()) -> dict[str, bytes]:
    """Return what the device that presents the key of *view* has; *children* were given out for that key before.

    Where a lost answer leaves it open, `DOUBTFUL` stands for the digest of a folder that it has in some form, and
    `POSSIBLE` for that of one that it may have or not.
    """
    known = dict(view.known)
    for child in children:
        for folder, digest in child.known.items():
            if digest == POSSIBLE or known.setdefault(folder, POSSIBLE) == POSSIBLE:
                known[folder] = POSSIBLE
            elif known[folder] != digest:
                known[folder] = DOUBTFUL
    return known


def known_after_delete(known: Mapping[str, bytes], folders: Folders, removed: str) -> dict[str, bytes]:
    """Return what a device has of *known* once it removed a folder, and by itself all that it takes to lie in there.

    *folders* may be as before or after.  What the device places elsewhere than the server does, or did, it may have
    dropped or kept.
    """
    placed = {**_gone(folders, known), **folders.tree()}
    agreed = {folder for folder in placed if known.get(folder) == placed[folder].digest}
    after: dict[str, bytes] = {}
    for folder, digest in known.items():
        way = _up(placed, folder)
        if folder == removed:
            continue
        if removed not in way:
            after[folder] = digest if agreed.issuperset(way) else POSSIBLE
        elif not agreed.issuperset(way[: way.index(removed)]):
            after[folder] = POSSIBLE
    return after


def _gone(folders: Folders, wanted: Iterable[str]) -> dict[str, Folder]:
    """Return those of *wanted* that were removed, as they were last."""
    return {
        folder: Folder(folder, str(registers["name"].value), registers["parent"].value, registers["type"].value)
        for folder in wanted
        if folder in folders.gone
        and {"name", "parent", "type"} <= (registers := folders.registers.get(folder, {})).keys()
    }


def _up(placed: Mapping[str, Folder], folder: str | None) -> list[str]:
    """Return *folder* and what it lies in, upwards; of removed ones there may be rings."""
    way: list[str] = []
    while folder is not None and folder in placed and folder not in way:
        way.append(folder)
        folder = placed[folder].parent
    return way


def changes(folders: Folders, known: Mapping[str, bytes]) -> Changes:
    """Return what a device lacks that has *known* (`knowledge`).

    A folder that only a lost answer told of is added again, or deleted if it is gone.
    """
    tree = folders.tree()
    added = [folder for folder in _parents_first(tree) if known.get(folder.id, POSSIBLE) == POSSIBLE]
    updated = [folder for folder in tree.values() if known.get(folder.id, POSSIBLE) not in (POSSIBLE, folder.digest)]
    deleted = [folder for folder in known if folder not in tree]
    return Changes(tuple(added), tuple(updated), tuple(deleted))


def _parents_first(tree: Mapping[str, Folder]) -> list[Folder]:
    def depth(folder: Folder) -> int:
        steps = 0
        while folder.parent is not None and steps < len(tree):
            folder, steps = tree[folder.parent], steps + 1
        return steps

    return sorted(tree.values(), key=depth)


def first_view(device: str, rid: Rid, state: State) -> View:
    """Return the view of a device that was told the whole list by the commit of record *rid*."""
    lineage = next_lineage(rid, state.views, device, HIERARCHY, state.devices.forgotten(device))
    return View(device, HIERARCHY, lineage, 1, None, {}, TOP, known=digests(state.folders))


def next_view(view: View, key: ViewId, known: Mapping[str, bytes]) -> View:
    """Return the view that follows that of *key*, in which the device knows *known*."""
    return replace(view, generation=view.generation + 1, parent=key, known=dict(known))
