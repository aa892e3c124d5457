"""How events are logged: one line each, as JSON for machines or in columns for a terminal, and never a secret.

Names that sound like secrets lose their value, bytes show only how many they are, and addresses anywhere in a text
become a keyed hash, the same for the same address, so that a user can be followed through a log without being named.
What libraries log goes the same way.
"""

import logging
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from storage.seal import derive, keyed_hash

HIDDEN = "[hidden]"
DEPTH_MAX = 5
_SECRET_NAME = re.compile(
    r"passw|secret|authorization|cookie|credential|token|master|private|deployment_key|recovery|(^|_)(key|body|pin)$",
    re.IGNORECASE,
)
_NAME_OF_USER = frozenset({"user", "login", "username", "address"})
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;\[\]]+@[^\s@<>\"'(),:;\[\]]+")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logging(level: str, *, address_key: bytes | None, stream: TextIO | None = None) -> None:
    """Make structlog and the standard library log to *stream* (standard error).

    *address_key*: the deployment key, for the hashes that stand for addresses; None leaves addresses as they are.
    """
    stream = stream if stream is not None else sys.stderr
    structlog.configure(
        processors=processors(address_key, is_terminal=stream.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # a module's logger is made at import, before this is called
    )
    logging.basicConfig(handlers=[_IntoStructlog()], level=max(_LEVELS[level], logging.INFO), force=True)


def processors(address_key: bytes | None, *, is_terminal: bool) -> list[Processor]:
    """Return what an event passes through before it is written."""
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if is_terminal
        else [structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]
    )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redactor(None if address_key is None else derive(address_key, "log")),
        *last,
    ]


class Redactor:
    """A structlog processor that takes secrets out of events, and addresses unless *key* is None."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        """Return the event as it may be shown."""
        return {name: self._shown(name, value, 0) for name, value in event.items()}

    def _shown(self, name: str, value: object, depth: int) -> object:
        if _SECRET_NAME.search(name) and value is not None and not isinstance(value, bool):
            return HIDDEN
        if depth > DEPTH_MAX:
            return HIDDEN
        match value:
            case bool() | int() | float() | None:
                return value
            case bytes() | bytearray() | memoryview():
                return f"[{len(value)} bytes]"
            case dict():
                return {str(key): self._shown(str(key), item, depth + 1) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._shown(name, item, depth + 1) for item in value]
        text = str(value)
        if self._key is None:
            return text
        return self._hashed(text) if name in _NAME_OF_USER else _ADDRESS.sub(lambda found: self._hashed(found[0]), text)

    def _hashed(self, text: str) -> str:
        if self._key is None:
            return text
        return "~" + keyed_hash(self._key, text.strip().lower().encode("utf-8", "replace"), size=5).hex()


class _IntoStructlog(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record.  Never raises, as handlers must not."""
        try:
            log: Callable[..., Any] = structlog.get_logger().log
            log(record.levelno, "library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)
        except Exception:  # a log line is not worth a request
            self.handleError(record)
