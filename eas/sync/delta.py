"""What a device must be told: view × state → steps, and the view that it then has.  Pure.

The law (`tests/simulation`): *a client that applies what it is told ends equal to the server*, whatever was lost,
repeated or half applied on the way.  The invariant that carries it: if the record that put an item where it is lies
inside a view's cursor, then the device agrees on whether it has the item, and on every property whose record lies
inside, too.

An answer is made of steps, in this order, and may end after any one of them (window, bytes, time):

1. *pending*: what changed since the cursor, in commit order.  An Add or Delete stands at the membership record, a
   Change at its earliest unseen property record.  Where telling stops, the new cursor stops in every writer before
   the first record of whatever is not yet told.
2. *floor*: only with nothing pending.  Down, with Adds, newest first; or up, with SoftDeletes, oldest first.
3. *doubt*: SoftDeletes for what the device may hold below the new floor from an answer that was lost.

A key that is presented again means that its answer was lost: applied wholly, partly or not at all.  *Certain* is then
the old view above the highest floor among it and its children; *possible* the join of all their cursors down to their
lowest floor.  What is possible and no longer here is deleted, the rest told anew (Add is an upsert by ServerId).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate

from storage.cursor import Cursor, Rid, beyond, covers, cut_before, join
from storage.folders import TRASH, Folders
from storage.items import Item
from storage.views import Floor, View, ViewId


class Act(Enum):
    """What a device is told to do with an item."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    SOFT_DELETE = "SoftDelete"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to tell."""

    act: Act
    item: Item
    unseen: tuple[Rid, ...] = ()
    names: tuple[str, ...] = ()
    """Of a Change: which properties are news."""
    known_before: bool = False
    """Of an Add: the device may have the item already, under this very id."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a device that presents a key certainly and possibly has, besides this request's own records."""

    device: str
    folder: str
    seen: Cursor
    possible: Cursor
    high: Floor
    """It certainly has every seen member at or above."""
    low: Floor
    """It possibly has members down to here."""
    own: frozenset[Rid]
    is_replay: bool

    @classmethod
    def of(cls, view: View, children: Sequence[View], own: Iterable[Rid] = ()) -> "Knowledge":
        """Derive it from the view of the key presented, and the views given out in answer to that key before."""
        floors = [view.floor, *(child.floor for child in children)]
        return cls(
            view.device,
            view.folder,
            view.cursor,
            join(view.cursor, view.possible, *(child.cursor for child in children)),
            max(floors),
            min(view.low, *floors),
            frozenset(own),
            bool(children),
        )

    def has_seen(self, rid: Rid) -> bool:
        """Whether the device knows what *rid* says."""
        return rid in self.own or covers(self.seen, rid)

    def may_have_seen(self, rid: Rid) -> bool:
        """Whether the device possibly knows what *rid* says."""
        return rid in self.own or covers(self.possible, rid)


def pending(known: Knowledge, items: Iterable[Item], folders: Folders) -> list[Step]:
    """Return what changed for the device among *items*, in the order of telling."""
    steps = [step for item in items if (step := _pending_step(known, item, folders))]
    steps.sort(key=lambda step: (min(step.unseen), step.item.id))
    if known.is_replay:  # Deletes are told whatever the window: the cursor cannot speak for what is only possible
        steps.sort(key=lambda step: step.act is not Act.DELETE)
    return steps


def _pending_step(known: Knowledge, item: Item, folders: Folders) -> Step | None:
    # That a folder was removed is news of the Trash alone: what an item left, it left by its own record.
    membership = folders.resting_place(item) if known.folder == TRASH.id else item.membership
    # Where several records make a membership it stands at the last of them, and is told and cut there: told at an
    # earlier one, the cursor could stop between them, and a later leave would not be known for one.
    unseen = tuple(sorted(rid for rid in membership.rids if not known.has_seen(rid)))[-1:]
    if membership.folder == known.folder:
        entered = bool(unseen) and _may_have_entered(known, item, folders)
        if item.floor < known.high:  # the floor's business, unless the item came to lie there by another date
            return Step(Act.SOFT_DELETE, item, unseen) if entered and _is_date_new(known, item) else None
        if unseen:
            return Step(Act.ADD, item, unseen, known_before=entered)
        news = [(name, rid) for name, rid in item.property_rids() if not known.has_seen(rid)]
        if news:
            return Step(Act.CHANGE, item, tuple(rid for _, rid in news), tuple(sorted(name for name, _ in news)))
        return None
    if not unseen:
        return None
    if item.added_by(known.device, known.folder):
        return Step(Act.DELETE, item, unseen)
    is_within = item.floor >= known.low or _is_date_new(known, item)
    return Step(Act.DELETE, item, unseen) if is_within and _may_have_entered(known, item, folders) else None


def _may_have_entered(known: Knowledge, item: Item, folders: Folders) -> bool:
    """Tell whether the device possibly knows of a way in which *item* came into the folder."""
    return any(all(map(known.may_have_seen, way)) for way in folders.entering(item, known.folder))


def _is_date_new(known: Knowledge, item: Item) -> bool:
    """Tell whether the device may know *item* by another date: of several adds the first counts, and may come last."""
    return not known.has_seen(item.adds[0].rid)


@dataclass(slots=True)
class Plan:
    """Everything that could be told now, and the view after any part of it."""

    view: View
    key: ViewId
    known: Knowledge
    head: Cursor
    """What the state had folded, this request's own commit included."""
    added: Mapping[str, tuple[str, int]]
    """What the device added lately: `{client id: (item, generation)}`."""
    goal: Floor
    """Where the floor is to go: the start of the filter window."""
    window: int
    pending: list[Step]
    moving: list[Step]
    """Floor steps; as many as fit the window, and one more if there are more."""
    doubtful: list[Step]
    """Possible members below the goal; all of them."""

    @property
    def steps(self) -> list[Step]:
        """All steps, in order."""
        return [*self.pending, *self.moving, *self.doubtful]

    def forced(self) -> int:
        """How many steps must be told whatever the limits: a replay's Deletes."""
        if not self.known.is_replay:
            return 0
        return sum(step.act is Act.DELETE for step in self.pending)

    def fitting(self, window: int, *, in_pairs: bool) -> int:
        """Return how many of the first steps come to at most *window* commands; one, if the window has room at all.

        *in_pairs*: a Delete goes before each Add of what the device may have.
        """
        told = self.commands(in_pairs=in_pairs)
        fitting = next((place for place, commands in enumerate(accumulate(told)) if commands > window), len(told))
        return max(fitting, min(window, len(told), 1))

    def commands(self, *, in_pairs: bool) -> list[int]:
        """Return for each step how many commands tell it."""
        return [1 + (in_pairs and step.act is Act.ADD and step.known_before) for step in self.steps]

    def whole(self, told: int) -> int:
        """Return *told*, or more where the telling may not stop there: between what one and the same record made.

        A cursor cannot stop in the midst of a record, and the removal of a folder puts all its members into the Trash.
        """
        while 0 < told < len(self.pending) and min(self.pending[told].unseen) == min(self.pending[told - 1].unseen):
            told += 1
        return told

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell and no reason for a new view."""
        return not (self.pending or self.moving or self.doubtful) and self.goal >= self.known.high

    def floor_after(self, told: int) -> Floor:
        """Return the floor once the first *told* steps were told."""
        of_moving = told - len(self.pending)
        if of_moving < 0:
            return self.known.high
        if of_moving >= len(self.moving):
            return self.goal if self.moving or self.goal < self.known.high else self.known.high
        if of_moving == 0:
            return self.known.high
        if self.moving[0].act is Act.ADD:
            return self.moving[of_moving - 1].item.floor
        return self.moving[of_moving].item.floor

    def view_after(self, told: int, added: dict[str, tuple[str, int]]) -> View:
        """Return the view that the device has once the first *told* steps were told (and this request's own acts)."""
        untold = [rid for step in self.pending[told:] for rid in step.unseen]
        cursor = join(self.view.cursor, cut_before(self.head, untold))
        floor = self.floor_after(told)
        possible = beyond(self.known.possible, cursor)
        generation = self.view.generation + 1
        kept = {name: (item, since) for name, (item, since) in self.added.items() if since >= generation - 2}
        return View(
            self.view.device,
            self.view.folder,
            self.view.lineage,
            generation,
            self.key,
            cursor,
            floor,
            self.window,
            self.goal,
            possible,
            self._low_after(told, floor, in_doubt=bool(untold or possible)),
            {**kept, **added},
        )

    def _low_after(self, told: int, floor: Floor, *, in_doubt: bool) -> Floor:
        """Return down to where the device may hold more than *floor* says."""
        of_doubtful = told - len(self.pending) - len(self.moving)
        if in_doubt or of_doubtful < 0:
            return min(self.known.low, floor)
        # Doubtful members are told off oldest first: what remains in doubt begins with the first that was not.
        return self.doubtful[of_doubtful].item.floor if of_doubtful < len(self.doubtful) else floor


def moving_steps(known: Knowledge, goal: Floor, members: Sequence[Item]) -> list[Step]:
    """Return the steps that bring the floor to *goal*, for the *members* on the way in their order."""
    act = Act.ADD if goal < known.high else Act.SOFT_DELETE
    return [Step(act, item, known_before=act is Act.ADD and item.floor >= known.low) for item in members]


def own_softs(known: Knowledge, items: Iterable[Item], folders: Folders, floor: Floor, told: set[str]) -> list[Step]:
    """Return SoftDeletes for *items* that this request added and that the folder, or the window, no longer has.

    The device holds them under the ids that this answer gives: it must hear of it now, whatever the limits.
    """
    return [
        Step(Act.SOFT_DELETE, item)
        for item in items
        if item.id not in told and (folders.resting_place(item).folder != known.folder or item.floor < floor)
    ]


def wakes(known: Knowledge, steps: Iterable[Step]) -> bool:
    """Tell whether one of *steps* is news that the device did not cause."""
    return any(_is_news(known, step) for step in steps)


def _is_news(known: Knowledge, step: Step) -> bool:
    if any(step.item.device_of(rid) != known.device for rid in step.unseen):
        return True
    if step.act is not Act.ADD:
        return False
    # The device put the item here itself and was not yet told so: what others did with it since then is news.
    return any(
        rid > max(step.unseen) and not known.has_seen(rid) and step.item.device_of(rid) != known.device
        for _, rid in step.item.property_rids()
    )
