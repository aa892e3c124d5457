"""What the product logs during a history: nothing of it is shown, and some of it breaks a law."""

from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict

ALARMS = frozenset(
    {
        "checkpoint.damaged",
        "collector.refused",
        "delivery.checkpoint_damaged",
        "folders.store_lost_data",
        "log.broken",
        "sync.fetch_failed",
        "sync.item_failed",
        "sync.item_unreadable",
        "sync.store_lost_data",
    }
)
"""Events that say that the store lost or spoiled something."""


class Noise:
    """Takes the place of the log for the time of a `with`."""

    def __init__(self) -> None:
        self.complain: Callable[[str], None] = lambda _text: None

    def __enter__(self) -> "Noise":
        self._before = structlog.get_config()
        structlog.configure(processors=[self._hear], wrapper_class=structlog.make_filtering_bound_logger("error"))
        return self

    def __exit__(self, *_: object) -> None:
        structlog.configure(**self._before)

    def _hear(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        if event["event"] in ALARMS:
            self.complain(f"logged {event}")
        raise structlog.DropEvent
