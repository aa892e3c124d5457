"""Several processes with one parent that watches: it starts again what dies, passes on what it is told, and waits.

The parent forks before anything is opened, holds no connection and no key, and does nothing but wait.  A worker whose
parent is gone ends by itself: it holds one end of a pipe of which the parent has the other.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

import structlog

STOP_SECONDS = 4.8
"""Workers that have not ended so long after they were told are killed."""
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 10.0
"""A worker that lived so long is started again at once; else later and later."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_log = structlog.get_logger(__name__)


class Lifeline:
    """A worker's tie to its parent: *descriptor* becomes readable when the parent is gone."""

    def __init__(self, descriptor: int, readiness: int) -> None:
        self.descriptor = descriptor
        self._readiness = readiness

    def ready(self) -> None:
        """Tell the parent that this worker serves."""
        with suppress(OSError):
            os.write(self._readiness, b"+")


@dataclass(slots=True)
class _Worker:
    started: float


def supervise(count: int, work: Callable[[Lifeline], int], ready: Callable[[], None]) -> int:
    """Run *work* in *count* processes until SIGTERM or SIGINT, and return the exit code.

    *ready* is called once, when each has said so.  A worker that fails before that ends the others and gives its code.
    """
    return _Supervisor(count, work, ready).run()


class _Supervisor:
    def __init__(self, count: int, work: Callable[[Lifeline], int], ready: Callable[[], None]) -> None:
        self._count, self._work, self._ready = count, work, ready
        self._workers: dict[int, _Worker] = {}
        self._waiting_for = count
        self._due: list[float] = []
        self._pause = 1.0
        self._stop_by: float | None = None
        self._code = 0
        self._life_read, self._life_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._signal_read, self._signal_write = socket.socketpair()

    def run(self) -> int:
        """Supervise to the end."""
        self._signal_read.setblocking(False)
        self._signal_write.setblocking(False)
        before = {number: signal.signal(number, _noted) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._signal_write.fileno(), warn_on_full_buffer=False)
        try:
            for _ in range(self._count):
                self._start()
            while self._workers or (self._due and self._stop_by is None):
                self._turn()
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            for end in (self._life_read, self._life_write, self._ready_read, self._ready_write):
                os.close(end)
            self._signal_read.close()
            self._signal_write.close()
        return self._code

    def _turn(self) -> None:
        now = time.monotonic()
        moments = [*self._due, *([self._stop_by] if self._stop_by is not None else [])]
        timeout = max(0.0, min(moments) - now) if moments else None
        readable, _, _ = select.select([self._signal_read.fileno(), self._ready_read], [], [], timeout)
        if self._ready_read in readable:
            self._count_ready(len(os.read(self._ready_read, 1024)))
        if self._signal_read.fileno() in readable:
            received = self._signal_read.recv(1024)
            if signal.SIGTERM in received or signal.SIGINT in received:
                self._stop()
            elif signal.SIGHUP in received:
                self._tell(signal.SIGHUP)
            self._reap()
        now = time.monotonic()
        if self._stop_by is not None:
            if now >= self._stop_by:
                self._kill()
            return
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            self._start()

    def _count_ready(self, count: int) -> None:
        if self._waiting_for > 0:
            self._waiting_for -= count
            if self._waiting_for <= 0 and self._stop_by is None:
                self._ready()

    def _start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be_worker()
        self._workers[pid] = _Worker(time.monotonic())

    def _be_worker(self) -> None:
        """Run the work in the child; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.close(self._life_write)  # or the pipe would never end
            os.close(self._ready_read)
            self._signal_read.close()
            self._signal_write.close()
            code = self._work(Lifeline(self._life_read, self._ready_write))
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self._workers:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:
                self._ended(pid, worker, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, worker: _Worker, code: int) -> None:
        if self._stop_by is not None:
            if code not in (0, -signal.SIGTERM):  # one that was just starting dies of the signal itself
                self._code = 1
            return
        if self._waiting_for > 0:  # it does not even start: what was wrong, it has said
            self._code = 1
            self._stop()
            return
        lived = time.monotonic() - worker.started
        self._pause = 0.0 if lived >= STEADY_SECONDS else min(RESTART_SECONDS_MAX, max(1.0, self._pause * 2))
        _log.error("worker.died", pid=pid, code=code, lived_seconds=round(lived, 1), again_in_seconds=self._pause)
        self._due.append(time.monotonic() + self._pause)

    def _stop(self) -> None:
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_SECONDS
        self._tell(signal.SIGTERM)

    def _kill(self) -> None:
        _log.error("worker.killed", pids=list(self._workers))
        self._code = 1
        self._tell(signal.SIGKILL)
        self._stop_by = time.monotonic() + 1.0

    def _tell(self, number: signal.Signals) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up descriptor has it."""
