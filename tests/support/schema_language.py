"""The words that the response tables are written in: how often a child comes, in which order, from which version on.

A content has one method, `faults`: it looks at an element and names, each with its path, all that is wrong with it.
`sequence` and `any_order` hold children; `ByPage` chooses by the class of an item; `Loose` looks at names only.
Leaves are in `schema_leaves`.  An element may not be empty unless the table says so: clients trip over containers
that promise something and hold nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from eas.protocol.versions import Version
from eas.wbxml.element import Element
from eas.wbxml.tag import Tag

Rule = Callable[[Element], str | None]
NO_LIMIT = 1 << 31


class Content(Protocol):
    """What may be inside an element."""

    def faults(self, element: Element, path: str, version: Version) -> list[str]:
        """Name what is wrong with *element*, which stands at *path*."""


@dataclass(frozen=True, slots=True)
class Child:
    """A place for a tag in its parent: how often, with what inside, in which versions (both ends included)."""

    tag: Tag
    content: Content
    at_least: int
    at_most: int
    since: int
    until: int

    def is_in(self, version: Version) -> bool:
        """Whether both the place and the tag itself exist in *version*."""
        return max(self.since, self.tag.since) <= version <= min(self.until, self.tag.until)


def one(tag: Tag, content: Content, *, since: int = 25, until: int = 161) -> Child:
    """Exactly one."""
    return Child(tag, content, 1, 1, since, until)


def maybe(tag: Tag, content: Content, *, since: int = 25, until: int = 161) -> Child:
    """None or one."""
    return Child(tag, content, 0, 1, since, until)


def many(tag: Tag, content: Content, *, at_most: int = NO_LIMIT, since: int = 25, until: int = 161) -> Child:
    """Any number up to *at_most*."""
    return Child(tag, content, 0, at_most, since, until)


def some(tag: Tag, content: Content, *, since: int = 25, until: int = 161) -> Child:
    """One or more."""
    return Child(tag, content, 1, NO_LIMIT, since, until)


@dataclass(frozen=True, slots=True)
class Group:
    """An element with children."""

    children: tuple[Child, ...]
    ordered: bool
    may_be_empty: bool
    rules: tuple[Rule, ...]

    def faults(self, element: Element, path: str, version: Version) -> list[str]:
        """Check presence, number, order and names of the children, then each of them, then the rules."""
        if element.value:
            return [f"{path}: holds a value, not elements"]
        if not element.children:
            found = [] if self.may_be_empty else [f"{path}: is an empty container"]
            return found + self._missing(Counter(), path, version)
        found = self._places(element, path, version)
        found += [f"{path}: {reason}" for rule in self.rules if (reason := rule(element)) is not None]
        return found

    def _places(self, element: Element, path: str, version: Version) -> list[str]:
        allowed = {child.tag: place for place, child in enumerate(self.children) if child.is_in(version)}
        seen: Counter[Tag] = Counter()
        found: list[str] = []
        reached = 0
        for item in element.children:
            seen[item.tag] += 1
            where = f"{path}/{item.tag.name}" + (f"[{seen[item.tag]}]" if seen[item.tag] > 1 else "")
            place = allowed.get(item.tag)
            if place is None:
                found.append(f"{where}: {self._why_not(item.tag, version)}")
                continue
            if self.ordered and place < reached:
                found.append(f"{where}: must come before {self.children[reached].tag.name}")
            reached = max(place, reached)
            found += self.children[place].content.faults(item, where, version)
        return found + self._missing(seen, path, version)

    def _why_not(self, tag: Tag, version: Version) -> str:
        if any(child.tag is tag for child in self.children):
            return f"is not in version {version.text}"
        return f"does not belong here ({tag!r})"

    def _missing(self, seen: Counter[Tag], path: str, version: Version) -> list[str]:
        found = []
        for child in self.children:
            if not child.is_in(version):
                continue
            if seen[child.tag] < child.at_least:
                found.append(f"{path}: {child.tag.name} is missing")
            if seen[child.tag] > child.at_most:
                found.append(f"{path}: {child.tag.name} comes {seen[child.tag]} times, at most {child.at_most}")
        return found


def sequence(*children: Child, rules: tuple[Rule, ...] = (), may_be_empty: bool = False) -> Group:
    """Children in exactly this order."""
    return Group(children, True, may_be_empty, rules)


def any_order(*children: Child, rules: tuple[Rule, ...] = (), may_be_empty: bool = False) -> Group:
    """Children in any order."""
    return Group(children, False, may_be_empty, rules)


@dataclass(frozen=True, slots=True)
class ByPage:
    """The content of an item by its class, which the first child of one of these code pages tells."""

    contents: Mapping[str, Content]
    default: Content

    def faults(self, element: Element, path: str, version: Version) -> list[str]:
        """Check by the table of the class."""
        pages = (child.tag.page_name for child in element.children)
        content = next((self.contents[page] for page in pages if page in self.contents), self.default)
        return content.faults(element, path, version)


@dataclass(frozen=True, slots=True)
class Loose:
    """Elements of these code pages, however nested: for classes that have no table of their own."""

    pages: frozenset[str]

    def faults(self, element: Element, path: str, version: Version) -> list[str]:
        """Check that every tag is of the pages and of the version, and that there is one."""
        if element.value or not element.children:
            return [f"{path}: holds no elements"]
        return self._children(element, path, version)

    def _children(self, element: Element, path: str, version: Version) -> list[str]:
        found = []
        for child in element.children:
            found += self._below(child, f"{path}/{child.tag.name}", version)
        return found

    def _below(self, element: Element, path: str, version: Version) -> list[str]:
        if element.tag.page_name not in self.pages:
            return [f"{path}: does not belong here ({element.tag!r})"]
        if not element.tag.since <= version <= element.tag.until:
            return [f"{path}: is not in version {version.text}"]
        if isinstance(element.value, bytes):
            return [f"{path}: is OPAQUE, must be text"]
        return self._children(element, path, version)
