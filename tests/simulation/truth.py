"""What is true: everything that ever became durable, folded as it became so; and the watch over what is removed.

No replica is asked.  Whatever some collector deletes later, the truth has it: replicas are compared with this.
"""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from eas.sync import synckey
from storage import blobs, checkpoint, objects, paths
from storage.account_keys import AccountKeys
from storage.base import Base
from storage.checkpoint import SealedPages
from storage.cursor import covers, dominates, whole
from storage.paths import Kind, Name
from storage.records import Added, Content, Record, Set
from storage.state import Commit, State
from storage.views import View
from tests.simulation.bucket import Bucket, Direct
from tests.simulation.history import History

T = TypeVar("T")
REMOVED_KEPT_MS = 30 * 86_400_000
"""For so long a removed item may be brought back."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* comes to, which waits for nothing: it works on `Direct`."""
    try:
        work.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise AssertionError("it waits for something")


class Truth:
    """The fold of all commits, and what each checkpoint that is there names."""

    def __init__(self, bucket: Bucket, account: str, keys: AccountKeys, history: History) -> None:
        self._bucket, self.account, self._keys, self._history = bucket, account, keys, history
        self.engine = Direct(bucket)
        self.pages = SealedPages(self.engine, account, keys.page)
        self.state = State(Base(self.pages))
        self.bytes: dict[str, bytes] = {}
        """Every log object that was ever there."""
        self.checkpoints: dict[str, State] = {}
        """Those that are there, by name."""
        self.contents: dict[str, tuple[str, Content]] = {}
        """Every content that a record names, by its blob, and the item it is of."""
        self.places: dict[str, dict[str, str]] = {}
        """By page of contents: of each blob the object in which that page says that it lies."""
        self.removed_ms: dict[str, int] = {}
        """When an item was removed, by the true time."""

    # -- what comes

    def put(self, key: str, data: bytes) -> None:
        """See `Watcher`."""
        name = paths.parse(key)
        if name.kind is Kind.LOG:
            self._log(key, name, data)
        elif name.kind in paths.CHECKPOINTS:
            self._checkpoint(key)

    def _log(self, key: str, name: Name, data: bytes) -> None:
        if key in self.bytes:
            if self.bytes[key] != data:
                self._history.broken(f"{key} was written twice, with other bytes")
            return
        self.bytes[key] = data
        before = self.state.chain.get(name.id, objects.FIRST)
        if name.n != self.state.commits.get(name.id, 0) + 1:
            self._history.broken(f"{key} follows number {self.state.commits.get(name.id, 0)}")
            return
        try:
            commit = objects.open_commit(key, name.id, name.n, self._keys.log, before, data)
        except objects.BrokenObject as error:
            self._history.broken(f"{key}: {error}")
            return
        self._fold(commit)
        self.state.chain[name.id] = objects.digest(data)

    def _fold(self, commit: Commit) -> None:
        self.state.fold(commit)
        for record in commit.records:
            content = _content_of(record)
            if content is not None and isinstance(record, Added | Set):
                self.contents[content.blob] = (record.item, content)
                if paths.blob(self.account, content.blob) not in self._bucket.objects.contents:
                    self._history.broken(f"{record.item}: its record came after its blob had gone")
            if isinstance(record, Added | Set) and (item := self.state.touched[record.item]).exists:
                if item.membership.folder is None:
                    self.removed_ms.setdefault(item.id, self._history.now_ms)
                else:
                    self.removed_ms.pop(item.id, None)

    def _checkpoint(self, key: str) -> None:
        loaded = at_once(checkpoint.load(self.engine, self.account, self._keys.checkpoint, self.pages, key))
        self.checkpoints[key] = loaded
        for page in _pages_of(loaded):
            if paths.page(self.account, page) not in self._bucket.objects.contents:
                self._history.broken(f"{key} names page {page}, which is not there")
                return
        for ref in loaded.base.refs:
            if ref.contents not in self.places:
                packed = at_once(loaded.base.contents_of(ref.contents))
                told = [content for item in packed.packed if (content := packed.find(item)) is not None]
                self.places[ref.contents] = {one.blob: blobs.object_of(self.account, one)[0] for one in told}

    def view_of(self, device: str, folder: str, key: str) -> View | None:
        """Return the living view of a SyncKey."""
        view_id = synckey.decode(self._keys.tokens, device, folder, key)
        return None if view_id is None else self.state.views.get(view_id)

    def is_news(self, item_id: str, device: str, folder: str, key: str) -> bool:
        """Whether somebody else has put the item where it is, unseen by the device that holds this SyncKey."""
        view, item = self.view_of(device, folder, key), self.state.touched[item_id]
        return view is not None and any(
            item.device_of(rid) != device and not covers(view.cursor, rid) for rid in item.membership.rids
        )

    # -- what goes

    def deleting(self, key: str) -> None:
        """See `Watcher`: whatever goes must be needed by nobody, at this very moment."""
        name = paths.parse(key)
        if name.kind is Kind.LOG and not self._is_covered(name):
            self._history.broken(f"{key} was deleted, and no checkpoint covers it")
        elif name.kind in paths.CHECKPOINTS:
            gone = self.checkpoints.pop(key)
            if not any(dominates(whole(kept.commits), whole(gone.commits)) for kept in self.checkpoints.values()):
                self._history.broken(f"{key} was deleted, and no kept checkpoint covers as much")
        elif name.kind is Kind.PAGE:
            if any(name.id in _pages_of(kept) for kept in self.checkpoints.values()):
                self._history.broken(f"{key} was deleted, and a checkpoint names it")
        elif name.kind in (Kind.BLOB, Kind.PACK):
            for blob in [name.id] if name.kind is Kind.BLOB else self._blobs_in(key):
                if (why := self.why_kept(blob)) and key in self.objects_of(blob, self.checkpoints):
                    self._history.broken(f"{key} was deleted, {why}")

    def _is_covered(self, name: Name) -> bool:
        return any(kept.commits.get(name.id, 0) >= name.n for kept in self.checkpoints.values())

    def _blobs_in(self, pack: str) -> list[str]:
        return [blob for places in self.places.values() for blob, place in places.items() if place == pack]

    def objects_of(self, blob: str, checkpoints: Iterable[str]) -> set[str]:
        """Return the objects in which a content lies by these checkpoints; that of its own if none knows of it."""
        pages = (self.places.get(ref.contents, {}) for name in checkpoints for ref in self.checkpoints[name].base.refs)
        return {places[blob] for places in pages if blob in places} or {paths.blob(self.account, blob)}

    def why_kept(self, blob: str) -> str:
        """Return why the blob must stay, or nothing."""
        item_id, _ = self.contents.get(blob, ("", None))
        if not item_id or (present := self.state.fresh.get(item_id)) is None or present.blob != blob:
            return ""
        removed_ms = self.removed_ms.get(item_id)
        if removed_ms is None:
            return f"and {item_id} lives"
        age_ms = self._history.now_ms - removed_ms
        return f"and {item_id} was removed {age_ms} ms ago" if age_ms < REMOVED_KEPT_MS else ""


def _content_of(record: Record) -> Content | None:
    match record:
        case Added(content=Content() as content):
            return content
        case Set(name="content", value=Content() as content):
            return content
    return None


def _pages_of(state: State) -> set[str]:
    return {page for ref in state.base.refs for page in (ref.rows, ref.contents)}
