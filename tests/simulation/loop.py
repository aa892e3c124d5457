"""An event loop whose time is virtual: it jumps to whatever is due next, so that a week costs nothing.

Everything runs in one thread and in the order of its due time; what is due at once runs in the order in which it was
asked for.  With a seeded source of pauses the whole interleaving follows from the seed.  Nothing reads a wall clock.

Tasks belong to the process (of the simulated service) that started them, directly or not: when a process is killed, all
of them end.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Everybody waits for somebody else: nothing will ever happen again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop.  A job for a thread is done at once, in place."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self  # whom the base class asks to wait for sockets or until something is due
        self._clock_resolution = 1e-6  # a float of seconds, after months, is not finer
        self.set_task_factory(_make_task)  # type: ignore[arg-type]  # typeshed's protocol is that of a later version
        self.set_exception_handler(lambda _loop, _context: None)  # of killed processes: nobody asks any more

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass."""
        if timeout is None:
            raise Stuck("everybody waits for somebody else")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """Do the work of a thread now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class Process:
    """A process of the simulated service: the tasks that it runs, and whether it lives."""

    def __init__(self) -> None:
        self.is_alive = True
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in order, which a set would not keep

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Let the process do something."""
        context = copy_context()
        context.run(_PROCESS.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Note a task as one of this process, as long as it lasts."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def kill(self) -> None:
        """End the process: nothing of it goes on.  What it has on the wire may still arrive."""
        self.is_alive = False
        for task in list(self._tasks):
            task.cancel()


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, T], *, context: Context | None = None
) -> "asyncio.Task[T]":
    task = asyncio.Task(coro, loop=loop, context=context)
    process = _PROCESS.get() if context is None else context.get(_PROCESS)
    if process is not None:
        process.adopt(task)
    return task


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* on a loop of its own, from time 0; what is still under way at its end is dropped."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
