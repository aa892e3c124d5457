"""What is new at every run: keys, times, ids of items.

In a capture's response the value `"*abc"` stands for any, and says that it was `abc` when the capture was recorded.
Where a later request of the same conversation says `abc`, the value that was answered this time is put in its place:
byte for byte, so that everything else of the request stays what the client wrote.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from eas.wbxml.element import Element
from tests.support.captures import ANY, Capture

KEPT_CHARS_MAX = 200
"""Longer values are not named by any request: they become a mere `*`."""
_STRING, _END = b"\x03", b"\x00"
_PAIR = re.compile(r"(?P<name>[^=&?]+)=(?P<value>[^&]*)")
_POLICY_KEY = "X-MS-PolicyKey"


@dataclass(frozen=True, slots=True)
class Rebound:
    """A request as it is to be sent."""

    target: str
    headers: Mapping[str, str]
    body: bytes


def mark(expected: Element, answer: Element) -> Element:
    """Return *expected* with a mark on every value that is another one in *answer*, which is of the same shape.

    Raises ValueError when it is not.
    """
    if expected.tag is not answer.tag or len(expected.children) != len(answer.children):
        raise ValueError(f"{expected!r} is answered as {answer!r}")
    children = [mark(old, new) for old, new in zip(expected.children, answer.children, strict=True)]
    return Element(expected.tag, children, _marked(expected.value, answer.value))


def _marked(old: str | bytes | None, new: str | bytes | None) -> str | bytes | None:
    if old == new or (isinstance(old, str) and old.startswith(ANY)):
        return old
    return ANY + old if isinstance(old, str) and len(old) <= KEPT_CHARS_MAX else ANY


def bind(expected: Element | None, answer: Element | None) -> dict[str, str]:
    """Return what marked values were at the recording → what they are in *answer*; where shapes differ, nothing."""
    if expected is None or answer is None or len(expected.children) != len(answer.children):
        return {}
    bound = {}
    if isinstance(expected.value, str) and expected.value.startswith(ANY) and isinstance(answer.value, str):
        bound[expected.value.removeprefix(ANY)] = answer.value
    for old, new in zip(expected.children, answer.children, strict=True):
        bound |= bind(old, new)
    bound.pop("", None)
    return bound


def plain(expected: Element) -> Element:
    """Return *expected* with a mere `*` for every marked value, as `captures.differences` knows it."""
    value = ANY if isinstance(expected.value, str) and expected.value.startswith(ANY) else expected.value
    return Element(expected.tag, [plain(child) for child in expected.children], value)


def rebind(capture: Capture, bound: Mapping[str, str]) -> Rebound:
    """Return the request of *capture* with the values of this run: in its strings, parameters and policy key."""
    body = capture.request
    for old, new in bound.items():
        body = body.replace(_STRING + old.encode() + _END, _STRING + new.encode() + _END)

    def parameter(found: re.Match[str]) -> str:
        old = unquote(found["value"])
        return f"{found['name']}={quote(bound[old], safe=':@')}" if old in bound else found[0]

    target = _PAIR.sub(parameter, capture.request_line.split(" ")[1])
    headers = {
        name: bound.get(value, value) if name == _POLICY_KEY else value for name, value in capture.headers.items()
    }
    return Rebound(target, headers, body)
