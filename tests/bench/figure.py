"""What a measurement is, and how one is taken."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value beside its budget; one without a budget is only shown."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    comparison: Literal["at most", "at least"] = "at most"

    @property
    def passes(self) -> bool:
        """Whether the value keeps within its budget."""
        if self.budget is None:
            return True
        return self.value <= self.budget if self.comparison == "at most" else self.value >= self.budget

    def __str__(self) -> str:
        budget = "" if self.budget is None else f"   {self.comparison} {self.budget:g} {self.unit}"
        return f"{'    ' if self.passes else 'PAST'} {self.name:<58} {self.value:>10.3f} {self.unit}{budget}"


def best_seconds(action: Callable[[], object], *, repeats: int = 30) -> float:
    """Return the time of the quickest of *repeats* runs: what the code needs when nobody disturbs it."""
    best = float("inf")
    for _ in range(repeats):
        gc.collect()  # each run pays for its own garbage alone
        started = perf_counter()
        action()
        best = min(best, perf_counter() - started)
    return best
