"""Is there news for a device?  The same test as Sync's, against the view that the device was given last."""

from collections.abc import Iterable

from eas.sync import hierarchy
from eas.sync.delta import Knowledge, pending, wakes
from storage.state import State


async def changed_folders(state: State, device: str, folders: Iterable[str]) -> list[str]:
    """Return those of *folders* in which a Sync would tell *device* something that it did not do itself.

    A folder that was never synchronised has no view and no news.  That the filter window moves is no news: else all
    phones would wake at midnight.
    """
    return [folder for folder in folders if await _has_news(state, device, folder)]


async def _has_news(state: State, device: str, folder: str) -> bool:
    newest = state.views.newest(device, folder)
    if newest is None:
        return False
    known = Knowledge.of(newest[1], ())
    return wakes(known, pending(known, await state.changed(folder, known.seen), state.folders))


def hierarchy_changed(state: State, device: str) -> bool:
    """Tell whether the folders differ from what *device* was last told of them (False if it never asked)."""
    newest = state.views.newest(device, hierarchy.HIERARCHY)
    return newest is not None and dict(newest[1].known) != hierarchy.digests(state.folders)
