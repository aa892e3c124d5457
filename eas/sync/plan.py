"""Gather from an account's state what a plan is made of.  Reads pages, changes nothing; inside a turn."""

from collections.abc import Iterable

from eas.sync.collection import added_before
from eas.sync.delta import Act, Knowledge, Plan, Step, moving_steps, pending
from storage.cursor import Cursor, Rid
from storage.state import State
from storage.views import Floor, View, ViewId


async def make_plan(
    state: State, key: ViewId, view: View, own: Iterable[Rid], head: Cursor, *, goal: Floor, window: int, size: int
) -> Plan:
    """Return what the device that presents *key* can be told, at most *size* steps of it and what must be.

    *goal* is where the filter *window* begins now.  With the window unchanged, it never falls: a clock that was set
    back must not bring back what was told to go.
    """
    known = Knowledge.of(view, state.views.children(key), own)
    if window == view.window:
        goal = max(goal, view.window_start)
    steps = pending(known, await state.changed(known.folder, known.seen), state.folders)
    plan = Plan(view, key, known, head, added_before(state, key, view), goal, window, steps, [], [])
    room = max(size - len(steps), 0)
    plan.moving = await _moving(state, known, goal, room)
    if len(plan.moving) <= room:
        plan.doubtful = await _doubtful(state, known, plan)
    return plan


async def _moving(state: State, known: Knowledge, goal: Floor, room: int) -> list[Step]:
    low, high = sorted((goal, known.high))
    down = goal < known.high
    members = await state.members(known.folder, low, high, limit=room + 1, newest_first=down)
    return moving_steps(known, goal, members)


async def _doubtful(state: State, known: Knowledge, plan: Plan) -> list[Step]:
    """Members that the device may hold below the floor at which this plan ends."""
    if known.low >= plan.goal or (known.low >= known.high and not known.is_replay):
        return []
    told = {step.item.id for step in plan.pending} | {step.item.id for step in plan.moving}
    members = await state.members(known.folder, known.low, plan.goal, newest_first=False)
    return [Step(Act.SOFT_DELETE, item) for item in members if item.id not in told]
