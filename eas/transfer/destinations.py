"""Where an import puts things: a source's folders found among the account's, or made."""

from collections.abc import Sequence

from eas.transfer.names import fit_name
from eas.transfer.source import INBOX_PATH, Found
from storage.account import Account
from storage.folders import FolderType
from storage.ids import own_folder
from storage.records import FolderSet
from storage.state import State

FOLDERS_MAX = 2000
DEPTH_MAX = 50


class TooManyFolders(Exception):
    """More folders, or deeper ones, than phones are given; the message says which did not fit."""


class Destinations:
    """The folders of one import.  A folder's id is made of its path, so that a second run finds it renamed, too."""

    def __init__(self, account: Account, roles: dict[tuple[str, ...], str]) -> None:
        self._account = account
        self._folders: dict[tuple[str, ...], str] = dict(roles)

    def _id(self, path: Sequence[str]) -> str:
        return own_folder(self._account.keys.ids, "import", *path)

    def known(self, state: State, path: tuple[str, ...]) -> str | None:
        """Return the folder that *path* is, or None if it is not there."""
        if path in self._folders:
            return self._folders[path]
        tree, own = state.folders.tree(), self._id(path)
        if own in tree:
            self._folders[path] = own
            return own
        parent = self.known(state, path[:-1]) if len(path) > 1 else None
        if len(path) > 1 and parent is None:
            return None
        name, claimed = fit_name(path[-1]).casefold(), set(self._folders.values())
        for folder in tree.values():
            if folder.parent == parent and folder.name.casefold() == name and folder.holds == "Email":
                if folder.id in claimed:  # by another folder of the source, whose name differs in capitals only
                    continue
                self._folders[path] = folder.id
                return folder.id
        return None

    def was_removed(self, state: State, path: tuple[str, ...]) -> bool:
        """Tell whether an earlier import made the folder, and somebody removed it since."""
        return self._id(path) in state.folders.gone

    async def made(self, state: State, path: tuple[str, ...]) -> str:
        """Return the folder that *path* is, made if need be.  Inside a turn.  Raises `TooManyFolders`."""
        known = self.known(state, path)
        if known is not None:
            return known
        parent = await self.made(state, path[:-1]) if len(path) > 1 else None
        tree = state.folders.tree()
        if len(tree) >= FOLDERS_MAX or len(path) > DEPTH_MAX:
            raise TooManyFolders(f"the folder {'/'.join(path)!r} is one too many, or too deep")
        folder, again = self._id(path), 0
        while folder in state.folders.gone:  # removal is for ever
            again += 1
            folder = own_folder(self._account.keys.ids, "import", *path, f"\0{again}")
        if folder not in tree:
            values = {"name": fit_name(path[-1]), "parent": parent, "type": int(FolderType.USER_MAIL)}
            await self._account.commit([FolderSet(folder, name, value) for name, value in values.items()])
        self._folders[path] = folder
        return folder


def below(found: Sequence[Found], top: str, *, is_file: bool) -> list[Found]:
    """Return the folders as they are to be put below one called *top* (`A/B`: B in A); roles are then of no account.

    The Inbox goes into *top* itself, as does a source that *is_file*.
    """
    names = tuple(name for name in top.split("/") if name)
    paths = [() if is_file or one.path == INBOX_PATH else one.path for one in found]
    return [Found((*names, *path), one.key, "", one.total) for one, path in zip(found, paths, strict=True)]
