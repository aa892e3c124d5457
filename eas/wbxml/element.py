"""The element tree that commands read and write, between WBXML below and typed requests above."""

import re
from typing import Final, TypeVar

from eas.wbxml.tag import Tag

T = TypeVar("T")

FLAGS: Final = {"": True, "0": False, "1": True}
NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}")  # 64 bits: more than any integer of the schemas


class MissingElement(Exception):
    """The request lacks an element that the schema requires."""

    def __init__(self, tag: Tag) -> None:
        super().__init__(repr(tag))
        self.tag = tag


class InvalidValue(Exception):
    """An element holds a value that its type does not allow."""

    def __init__(self, tag: Tag, value: str | bytes) -> None:
        super().__init__(repr(tag))
        self.tag = tag
        self.value = value


class Element:
    """An element: its tag, and either children in their order or a value (bytes are a WBXML OPAQUE).

    An element with neither is empty.  A value is never empty once decoded: `""` and an empty element are one thing.
    The look-ups read the children; where a single-valued element is given twice, the first counts.
    """

    __slots__ = ("children", "tag", "value")

    def __init__(self, tag: Tag, children: "list[Element] | None" = None, value: str | bytes | None = None) -> None:
        self.tag = tag
        self.children = [] if children is None else children
        self.value = value

    __hash__ = None  # type: ignore[assignment]  # changeable, and compared by what it holds

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return self.tag is other.tag and self.value == other.value and self.children == other.children

    def __repr__(self) -> str:
        if self.children:
            return f"<{self.tag!r} with {len(self.children)} children>"
        return f"<{self.tag!r}>" if self.value is None else f"<{self.tag!r} {type(self.value).__name__}>"

    def first(self, tag: Tag) -> "Element | None":
        """Return the first child of that tag."""
        for child in self.children:
            if child.tag is tag:
                return child
        return None

    def all(self, tag: Tag) -> "list[Element]":
        """Return the children of that tag, in their order."""
        return [child for child in self.children if child.tag is tag]

    def has(self, tag: Tag) -> bool:
        """Tell whether there is a child of that tag, empty or not."""
        return self.first(tag) is not None

    def text(self, tag: Tag) -> str:
        """Return the text of the first child of that tag, "" for an empty one.

        Raises `MissingElement`, and `InvalidValue` for bytes that are not UTF-8.
        """
        return self._required(tag).as_text()

    def text_or(self, tag: Tag, default: T) -> str | T:
        """Return the text of the first child of that tag, or *default* without one.  Raises `InvalidValue`."""
        child = self.first(tag)
        return default if child is None else child.as_text()

    def number(self, tag: Tag) -> int:
        """Return the integer in the first child of that tag.  Raises `MissingElement`, `InvalidValue`."""
        return self._required(tag).as_number()

    def number_or(self, tag: Tag, default: T) -> int | T:
        """Return the integer in the first child of that tag, or *default* without one.  Raises `InvalidValue`."""
        child = self.first(tag)
        return default if child is None else child.as_number()

    def flag_or(self, tag: Tag, default: T) -> bool | T:
        """Return the boolean in the first child of that tag, or *default* without one; an empty one is True.

        Raises `InvalidValue` for anything but 0 and 1.
        """
        child = self.first(tag)
        if child is None:
            return default
        flag = FLAGS.get(child.as_text())
        if flag is None:
            raise InvalidValue(tag, child.value or "")
        return flag

    def opaque(self, tag: Tag) -> bytes:
        """Return the bytes of the first child of that tag; a text is taken as UTF-8.  Raises `MissingElement`."""
        return self._required(tag).as_bytes()

    def opaque_or(self, tag: Tag, default: T) -> bytes | T:
        """Return the bytes of the first child of that tag, or *default* without one."""
        child = self.first(tag)
        return default if child is None else child.as_bytes()

    def as_text(self) -> str:
        """Return this element's own value as text, "" when it has none.  Raises `InvalidValue` for non-UTF-8."""
        if isinstance(self.value, bytes):  # some clients send a text as OPAQUE
            try:
                return self.value.decode()
            except UnicodeDecodeError as error:
                raise InvalidValue(self.tag, self.value) from error
        return self.value or ""

    def as_number(self) -> int:
        """Return this element's own value as integer.  Raises `InvalidValue`, for an empty element too."""
        text = self.as_text().strip()
        if not NUMBER.fullmatch(text):
            raise InvalidValue(self.tag, text)
        return int(text)

    def as_bytes(self) -> bytes:
        """Return this element's own value as bytes, b"" when it has none."""
        if isinstance(self.value, str):  # some clients send bytes as STR_I
            return self.value.encode("utf-8", "replace")
        return self.value or b""

    def _required(self, tag: Tag) -> "Element":
        child = self.first(tag)
        if child is None:
            raise MissingElement(tag)
        return child


def element(tag: Tag, *children: Element | None) -> Element:
    """Return an element with these children, those that are None left out."""
    return Element(tag, [child for child in children if child is not None])


def leaf(tag: Tag, value: str | int | bool | bytes | None) -> Element | None:
    """Return an element with that value (True is "1", bytes are an OPAQUE), or None for None."""
    if value is None:
        return None
    if isinstance(value, int):
        value = str(int(value))  # int() first: True is "1"
    return Element(tag, value=value)


def empty(tag: Tag) -> Element:
    """Return an element without content."""
    return Element(tag)
