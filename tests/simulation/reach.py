"""What is reachable, found out apart from the collector: a mark phase over checkpoints, log and the truth.

Roots are the checkpoints that no other covers, and the commits that not all of them cover.  From there: the pages that
they name, the contents of items that are somewhere, or may still be brought back.  Keys and the collector's own notes
are no garbage.
"""

from collections.abc import Iterable, Iterator

from storage import paths
from storage.cursor import dominates, whole
from storage.paths import Kind
from storage.state import State
from tests.simulation.bucket import Bucket
from tests.simulation.truth import REMOVED_KEPT_MS, Truth

KEPT_ANYWAY = frozenset({Kind.SLOT, Kind.RING, Kind.PUBLIC, Kind.SEEN})


def unreachable(bucket: Bucket, truth: Truth, now_ms: int) -> list[str]:
    """Return the objects that nobody will ever ask for."""
    roots = _roots(truth.checkpoints)
    named = {*_pages(truth, roots), *_contents(truth, roots, now_ms)}
    garbage = []
    for key in bucket.objects.keys:
        name = paths.parse(key)
        if name.kind in KEPT_ANYWAY or key in named or key in roots:
            continue
        if name.kind is Kind.LOG and not (roots and all(_covers(root, name.id, name.n) for root in roots.values())):
            continue
        garbage.append(key)
    return garbage


def missing(bucket: Bucket, truth: Truth, now_ms: int) -> list[str]:
    """Return the objects that somebody may ask for, and that are not there."""
    named = {*_pages(truth, truth.checkpoints), *_contents(truth, truth.checkpoints, now_ms)}
    gone = sorted(named - bucket.objects.contents.keys())
    for key in truth.bytes:
        name = paths.parse(key)
        if key not in bucket.objects.contents and not any(
            _covers(kept, name.id, name.n) for kept in truth.checkpoints.values()
        ):
            gone.append(key)
    return gone


def _roots(checkpoints: dict[str, State]) -> dict[str, State]:
    """Return the checkpoints that say all that any of them says; of two that say the same, the later in key order."""
    roots: dict[str, State] = {}
    for name in sorted(checkpoints, reverse=True):
        commits = whole(checkpoints[name].commits)
        if not any(dominates(whole(kept.commits), commits) for kept in roots.values()):
            roots = {kept: state for kept, state in roots.items() if not dominates(commits, whole(state.commits))}
            roots[name] = checkpoints[name]
    return roots


def _covers(root: State, writer: str, n: int) -> bool:
    return root.commits.get(writer, 0) >= n


def _pages(truth: Truth, roots: dict[str, State]) -> Iterator[str]:
    for root in roots.values():
        for ref in root.base.refs:
            yield paths.page(truth.account, ref.rows)
            yield paths.page(truth.account, ref.contents)


def _contents(truth: Truth, checkpoints: Iterable[str], now_ms: int) -> Iterator[str]:
    for item_id, content in truth.state.fresh.items():
        removed_ms = truth.removed_ms.get(item_id)
        if removed_ms is None or now_ms - removed_ms < REMOVED_KEPT_MS:
            yield from truth.objects_of(content.blob, checkpoints)
