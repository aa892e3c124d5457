"""A folder as a phone has it, what its user did there, and how both are written in requests and answers."""

from dataclasses import dataclass, field
from typing import Any

from eas.commands.sync_request import Command, SyncRequest
from eas.commands.sync_response import SyncAnswer, SyncStatus
from eas.wbxml.element import Element, element, leaf
from eas.wbxml.pages import AirSync, AirSyncBase, Email
from tests.simulation.ledger import Claim

Values = dict[str, Any]
LOCAL = "local"
"""Before the names of items that the server has not named yet."""


@dataclass(eq=False)
class Act:
    """What the user did to an item, and no answer has confirmed."""

    what: str
    """`set`, `delete` or `add`."""
    item: str
    name: str = ""
    value: Any = None
    claim: Claim | None = None


@dataclass
class Box:
    """A folder as the phone has it."""

    folder: str
    filter_type: int = 0
    key: str = "0"
    items: dict[str, Values] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)

    def drop(self, item: str) -> None:
        """Forget an item, and what the user did to it."""
        self.items.pop(item, None)
        self.acts = [act for act in self.acts if act.item != item]


def commands(folder: str, acts: list[Act]) -> tuple[Command, ...]:
    """Return the commands of *acts*; what was set of one item goes into one Change."""
    changes: dict[str, list[Element]] = {}
    commands: list[Command] = []
    for act in acts:
        if act.what == "set":
            if act.item not in changes:
                changes[act.item] = []
                data = Element(AirSync.ApplicationData, changes[act.item])
                commands.append(Command(AirSync.Change, server_id=f"{folder}:{act.item}", data=data))
            changes[act.item].append(_written(act))
        elif act.what == "delete":
            commands.append(Command(AirSync.Delete, server_id=f"{folder}:{act.item}"))
        else:
            body = element(AirSyncBase.Body, leaf(AirSyncBase.Type, 1), leaf(AirSyncBase.Data, act.value))
            draft = element(AirSync.ApplicationData, leaf(Email.Subject, act.value), body)
            commands.append(Command(AirSync.Add, client_id=act.item, data=draft))
    return tuple(commands)


def _written(act: Act) -> Element:
    if act.name == "read":
        return Element(Email.Read, value="1" if act.value else "0")
    return Element(Email.Categories, [Element(Email.Category, value=name) for name in act.value])


def values_of(data: list[Element] | None) -> Values:
    """Return of ApplicationData what this phone keeps."""
    values: Values = {}
    for child in data or ():
        if child.tag is Email.Subject:
            values["subject"] = child.as_text()
        elif child.tag is Email.Read:
            values["read"] = child.as_text() == "1"
        elif child.tag is Email.Categories:
            values["categories"] = tuple(name.as_text() for name in child.children)
    return values


def asked_for(request: SyncRequest) -> str:
    parts = []
    for one in request.collections or ():
        if one.commands:
            acts = (f"{command.tag.name}({command.client_id or command.server_id})" for command in one.commands)
            parts.append(f"{one.collection_id} with {one.sync_key[-8:]}: {' '.join(acts)}")
    return "; ".join(parts)


def told_of(answer: SyncAnswer) -> str:
    parts = []
    for one in answer.collections:
        told = " ".join(f"{told.act.value}({told.server_id.partition(':')[2]})" for told in one.told)
        if not told and one.status == SyncStatus.SUCCESS:
            continue
        more = " …" if one.more else ""
        status = "" if one.status == SyncStatus.SUCCESS else f" Status {one.status}"
        parts.append(f"{one.collection_id}{status} [{told}]{more}")
    return "; ".join(parts) or "nothing new"
