"""Random answers: made from the tables, right or slightly wrong, by a given source of chance."""

import copy
from random import Random

from eas.protocol.versions import Version
from eas.wbxml.element import Element
from eas.wbxml.pages import AirSync, AirSyncBase, Email, Email2, FolderHierarchy, ItemOperations, Ping, Search
from eas.wbxml.tag import Tag
from tests.support.schema import ROOTS
from tests.support.schema_language import ByPage, Content, Group, Loose
from tests.support.schema_leaves import Binary, Leaf

ATTEMPTS = 1000
ODD_TEXTS = ("", " ", "0", "1", "2", "-1", "7", "255", "256", "4294967296", "true", "01", "x" * 65, "y" * 257, "5-1")
ODD_TAGS = (
    AirSync.Status,
    AirSync.ServerId,
    AirSync.Commands,
    AirSync.Responses,
    AirSyncBase.Body,
    AirSyncBase.Type,
    Email.Subject,
    Email.Read,
    Email2.Sender,
    FolderHierarchy.Status,
    ItemOperations.Part,
    Ping.Folders,
    Search.LongId,
)


def answer(root: Tag, version: Version, random: Random) -> Element:
    """Make an answer that the tables call right."""
    return _made(root, ROOTS[root], version, random)


def _made(tag: Tag, content: Content, version: Version, random: Random) -> Element:
    for _ in range(ATTEMPTS):
        element = Element(tag)
        match content:
            case Leaf(examples=examples):
                element.value = random.choice(examples) or None
            case Binary():
                element.value = random.randbytes(random.choice((1, 5, 16)))
            case ByPage(contents=contents, default=default):
                tables = [table for table in contents.values() if not isinstance(table, Loose)]
                return _made(tag, random.choice([default, *tables]), version, random)
            case Group():
                element.children = _children(content, version, random)
        if not content.faults(element, tag.name, version):
            return element
    raise AssertionError(f"no right {tag!r} in {ATTEMPTS} attempts")


def _children(group: Group, version: Version, random: Random) -> list[Element]:
    likely = random.choice((0.1, 0.5, 0.9))
    made = []
    for child in group.children:
        if child.is_in(version):
            extra = random.randint(0, min(2, child.at_most - child.at_least)) if random.random() < likely else 0
            made += [_made(child.tag, child.content, version, random) for _ in range(child.at_least + extra)]
    if not group.ordered:
        random.shuffle(made)
    return made


def spoilt(document: Element, random: Random) -> Element:
    """Return a copy with one or two small changes, which may leave it right or make it wrong."""
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, 2)):
        _spoil(random.choice(_with_parents(document)), random)
    return document


def _with_parents(element: Element) -> list[tuple[list[Element], Element]]:
    pairs = [(element.children, child) for child in element.children]
    return pairs + [pair for child in element.children for pair in _with_parents(child)] or [([], element)]


def _spoil(pair: tuple[list[Element], Element], random: Random) -> None:
    siblings, element = pair
    match random.randrange(7):
        case 0 if siblings:
            siblings[:] = [sibling for sibling in siblings if sibling is not element]
        case 1:
            siblings.append(copy.deepcopy(element))
        case 2:
            random.shuffle(siblings)
        case 3 if element.children:
            element.children.clear()
        case 4 if not element.children:
            element.value = random.choice(ODD_TEXTS) or None
        case 5:
            element.tag = random.choice(ODD_TAGS)
        case _:
            siblings.insert(random.randint(0, len(siblings)), Element(random.choice(ODD_TAGS), value="1"))
