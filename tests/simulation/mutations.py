"""Rules broken on purpose: a simulation that does not notice proves nothing."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from itertools import count
from typing import Any
from unittest.mock import patch

from eas.sync import delta
from storage import delivery
from storage.collecting.collector import Grace
from storage.collecting.unneeded import Listed, Roots
from storage.cursor import Cursor, Rid
from storage.paths import Kind
from storage.views import View, ViewId, Views
from tests.simulation import upkeep

_add = Views.add


def _covered(_roots: Roots, found: Listed) -> set[str]:
    return set(found.of(Kind.LOG))


def _add_alone(views: Views, rid: Rid, view: View) -> None:
    """Let the last written view of a generation stand alone."""
    _add(views, rid, view)
    own = ViewId(rid.writer, rid.n, rid.place)
    for lineages in views._pairs.values():
        for lineage in lineages.values():
            beside = {key for key, other in lineage.views.items() if other.generation == view.generation}
            if own in beside:
                views._drop(lineage, [key for key in beside if key != max(beside, key=views.time)])


def _uncut(cursor: Cursor, _records: Iterable[Rid]) -> dict[str, tuple[int, int]]:
    return dict(cursor)


def _always_new() -> Callable[..., str]:
    numbers = count(1)
    return lambda *_: f"{next(numbers):020}"


MUTATIONS: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "the collector removes commits that no checkpoint covers": lambda: patch.object(Roots, "covered", _covered),
    "the collector does not wait": lambda: patch.object(upkeep, "GRACE", Grace(log_ms=0, orphan_ms=0, removed_ms=0)),
    "of two views for one key the later one replaces the other": lambda: patch.object(Views, "add", _add_alone),
    "a cursor does not stop before what was not told": lambda: patch.object(delta, "cut_before", _uncut),
    "a mail that comes again is another one": lambda: patch.object(delivery, "delivered_item", _always_new()),
}
"""What is broken, and a context in which it is."""
