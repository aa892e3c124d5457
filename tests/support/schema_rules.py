"""What the shape of a table cannot say: rules between the children of one element."""

from eas.wbxml.element import Element
from eas.wbxml.tag import Tag
from tests.support.schema_language import Rule


def text_of(element: Element, tag: Tag) -> str | None:
    """The text of the first child *tag*; None without one."""
    child = element.first(tag)
    return None if child is None else str(child.value or "")


def exactly_one_of(*tags: Tag) -> Rule:
    """One of the children, and no two of them."""

    def rule(element: Element) -> str | None:
        there = [tag.name for tag in tags if element.has(tag)]
        return None if len(there) == 1 else f"needs exactly one of {', '.join(tag.name for tag in tags)}, has {there}"

    return rule


def at_most_one_of(*tags: Tag) -> Rule:
    """No two of the children."""

    def rule(element: Element) -> str | None:
        there = [tag.name for tag in tags if element.has(tag)]
        return None if len(there) < 2 else f"{' and '.join(there)} exclude each other"

    return rule


def at_least_one_of(*tags: Tag) -> Rule:
    """One of the children, or more."""
    return lambda element: None if any(map(element.has, tags)) else f"needs {' or '.join(tag.name for tag in tags)}"


def together(*tags: Tag) -> Rule:
    """All of the children, or none."""

    def rule(element: Element) -> str | None:
        there = sum(map(element.has, tags))
        return None if there in (0, len(tags)) else f"{', '.join(tag.name for tag in tags)} come together or not at all"

    return rule


def only_with(status: Tag, values: tuple[int, ...], tag: Tag) -> Rule:
    """*tag* only beside a Status of these values."""

    def rule(element: Element) -> str | None:
        if element.has(tag) and text_of(element, status) not in [str(value) for value in values]:
            return f"{tag.name} beside Status {text_of(element, status)}"
        return None

    return rule


def needs(status: Tag, value: int, *tags: Tag) -> Rule:
    """All of *tags* beside a Status of this value."""

    def rule(element: Element) -> str | None:
        missing = [tag.name for tag in tags if not element.has(tag)]
        if missing and text_of(element, status) == str(value):
            return f"Status {value} without {', '.join(missing)}"
        return None

    return rule


def if_and_only_if(status: Tag, value: int, *tags: Tag) -> tuple[Rule, ...]:
    """All of *tags* beside a Status of this value; none of them beside another."""
    return (needs(status, value, *tags), *(only_with(status, (value,), tag) for tag in tags))


def fails(status: Tag) -> Rule:
    """A Status other than 1: success would have said more, or nothing."""
    return lambda element: "claims success" if text_of(element, status) == "1" else None


def begins_with(tag: Tag) -> Rule:
    """*tag* is the first child."""
    return lambda element: None if element.children[0].tag is tag else f"must begin with {tag.name}"


def distinct(parent: Tag, key: Tag) -> Rule:
    """No two *parent* children with the same *key*."""

    def rule(element: Element) -> str | None:
        keys = [text_of(child, key) for child in element.all(parent)]
        return None if len(set(keys)) == len(keys) else f"the same {key.name} twice below {parent.name}"

    return rule
