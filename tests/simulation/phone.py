"""A phone: what it has, what its user did since, and the requests that it makes of it.

It believes what it is told, as phones do, and complains (`History.broken`) of what no phone may be told: a key refused,
a change of an item that it does not have, the same item twice if it is one that does not upsert.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from eas.commands import folder_sync, sync
from eas.commands.options import Options
from eas.commands.sync_request import CollectionRequest, SyncRequest
from eas.commands.sync_response import CollectionAnswer, Reply, SyncStatus, Told
from eas.context import CommandFailed, Wait
from eas.protocol.versions import Version
from eas.sync.delta import Act as Told_
from storage.folders import DRAFTS, TRASH, FolderType
from tests.simulation.box import LOCAL, Act, Box, asked_for, commands, told_of, values_of
from tests.simulation.history import History
from tests.simulation.ledger import Ledger
from tests.simulation.line import over_the_line
from tests.simulation.node import Device, Node
from tests.simulation.truth import Truth
from tests.simulation.weather import Weather

PATIENCE = 90.0
MAIL_FOLDERS = ("inbox", "drafts", "trash", "sent", "junk", "archive")
FILTERS = (0, 0, 2, 5)


@dataclass
class Surroundings:
    """What all phones share."""

    random: Random
    weather: Weather
    history: History
    ledger: Ledger
    nodes: list[Node]
    truth: Truth


class Phone:
    """One phone."""

    def __init__(self, around: Surroundings, device: Device) -> None:
        self.around, self.device = around, device
        self.random, self.history, self.ledger = around.random, around.history, around.ledger
        self.folder_key = "0"
        self.folders: dict[str, tuple[str, str | None, int]] = {}
        """Name, parent and type, as the server last told."""
        self.boxes: dict[str, Box] = {}
        self.is_busy = False
        self.needs_folders = True
        self._count = 0

    @property
    def name(self) -> str:
        """How it is called in the history."""
        return self.device.id

    @property
    def upserts(self) -> bool:
        """Whether an Add of what it has is a change to it."""
        return "EAS" not in self.device.agent

    # -- the user

    def use(self) -> None:
        """The user does something, of which the server does not know yet."""
        if not self.boxes:
            return
        box = self.boxes[self.random.choice(list(self.boxes))]
        items = [item for item in box.items if not item.startswith(LOCAL)]
        chance = self.random.random()
        if chance < 0.55 and items:
            self._set(box, self.random.choice(items))
        elif chance < 0.72 and items:
            self._delete(box, self.random.choice(items))
        elif self.device.version >= Version.V16_0 and DRAFTS.id in self.boxes:
            self._draft(self.boxes[DRAFTS.id])
        if self.random.random() < 0.05:
            box.filter_type = self.random.choice(FILTERS)

    def _set(self, box: Box, item: str) -> None:
        self._count += 1
        name = self.random.choice(["read", "categories"])
        value: Any = not box.items[item].get("read") if name == "read" else (f"{self.name} {self._count}",)
        box.acts = [act for act in box.acts if (act.what, act.item, act.name) != ("set", item, name)]
        box.acts.append(Act("set", item, name, value, self.ledger.claim(item, name, value, self.name)))
        box.items[item][name] = value

    def _delete(self, box: Box, item: str) -> None:
        box.acts = [act for act in box.acts if act.item != item]
        target = None if box.folder == TRASH.id else TRASH.id
        box.acts.append(Act("delete", item, "folder", target, self.ledger.claim(item, "folder", target, self.name)))
        del box.items[item]

    def _draft(self, box: Box) -> None:
        self._count += 1
        subject = f"draft-{self.name}-{self._count}"
        box.acts.append(
            Act("add", subject, value=subject, claim=self.ledger.claim(subject, "subject", subject, self.name))
        )
        box.items[LOCAL + subject] = {"subject": subject, "read": True, "categories": ()}

    # -- the folder list

    async def list_folders(self, node: Node) -> bool:
        """Ask for what is new of the folder list.  Return whether there was anything."""
        key = self.folder_key
        try:
            listed = await self.ask(node, lambda node: folder_sync.handle(node.context(self.device), key))
        except CommandFailed as failed:
            self.history.broken(f"{self.name}: FolderSync with {key} got Status {failed.status}")
            return False
        for folder in (*listed.changes.added, *listed.changes.updated):
            self.folders[folder.id] = (folder.name, folder.parent, folder.type)
        for gone in listed.changes.deleted:
            self._drop(gone)
        self._open_boxes()
        self.folder_key, self.needs_folders = listed.sync_key, False
        self.history.say(f"{self.name} via {node.name}: {listed.changes.count} folders changed")
        return bool(listed.changes.count)

    def _drop(self, folder: str) -> None:
        self.folders.pop(folder, None)
        self.boxes.pop(folder, None)

    def drop_tree(self, folder: str) -> None:
        """Drop a folder that the user removed, and what lies in it: phones do so by themselves."""
        for child in [child for child, (_, parent, _) in self.folders.items() if parent == folder]:
            self.drop_tree(child)
        self._drop(folder)

    def _open_boxes(self) -> None:
        for folder, (_, _, kind) in self.folders.items():
            if folder in MAIL_FOLDERS or kind == FolderType.USER_MAIL:
                self.boxes.setdefault(folder, Box(folder, self.random.choice(FILTERS)))

    # -- Sync

    async def sync(self, node: Node, *, is_thorough: bool = False) -> bool:
        """Synchronise.  Return whether there may be more to do.  Raises `Lost`, `EngineError`, `TimeoutError`."""
        is_news = (is_thorough or self.needs_folders) and await self.list_folders(node)
        boxes = list(self.boxes.values())
        if not is_thorough:
            boxes = self.random.sample(boxes, self.random.choice([1, 2, len(boxes)]))
        if not boxes:
            return is_news
        sent = {box.folder: self._to_send(box, is_all=is_thorough) for box in boxes}
        keys = {box.folder: box.key for box in boxes}
        request = SyncRequest(tuple(self._asked(box, sent[box.folder], is_thorough) for box in boxes))
        if any(sent.values()):
            self.history.say(f"{self.name} to {node.name}: {asked_for(request)}")
        answer = await self.ask(node, lambda node: sync.handle(node.context(self.device), request))
        assert not isinstance(answer, Wait)
        if answer.status is not None:
            self.history.broken(f"{self.name}: Sync got Status {answer.status}")
            return False
        self.history.say(f"{self.name} via {node.name}: {told_of(answer)}")
        is_half = not is_thorough and self.random.random() < 0.08
        more = False
        for one in answer.collections:
            box = self.boxes[one.collection_id]
            if is_half and self.random.random() < 0.6:
                more = True
                self._take_part(box, one)
            else:
                more |= self._take(box, one, sent[box.folder], keys[box.folder])
        return is_news or more or any(box.acts or box.key == "0" for box in self.boxes.values())

    def _to_send(self, box: Box, *, is_all: bool) -> list[Act]:
        if box.key == "0":
            return []
        if is_all or self.random.random() < 0.8:
            return list(box.acts)
        return box.acts[: self.random.randint(0, len(box.acts))]

    def _asked(self, box: Box, sent: list[Act], is_thorough: bool) -> CollectionRequest:
        now = asyncio.get_running_loop().time()
        for act in sent:
            assert act.claim is not None
            act.claim.began = now if act.claim.began is None else act.claim.began
            act.claim.keys.add(box.key)
        window = self.random.choice([4, 50] if is_thorough else [1, 2, 3, 50])
        wants = is_thorough or self.random.random() < 0.9
        options = Options(box.filter_type)
        return CollectionRequest(
            box.key, box.folder, True, wants, window, options, commands(box.folder, sent), bool(sent)
        )

    def _take(self, box: Box, answer: CollectionAnswer, sent: list[Act], key: str) -> bool:
        if answer.status == SyncStatus.HIERARCHY_CHANGED:
            self.needs_folders = True
            return True
        if answer.status != SyncStatus.SUCCESS:
            self.history.broken(f"{self.name}: {box.folder} with {key} got Status {answer.status}")
            return False
        for act in sent:
            self._settle(box, act, answer.replies)
        for told in answer.told:
            self._do(box, told)
        box.key = answer.sync_key
        return answer.more or bool(answer.told) or bool(sent)

    def _take_part(self, box: Box, answer: CollectionAnswer) -> None:
        """The phone dies while it takes the answer: a part of it is done, and the key is the old one."""
        if answer.status == SyncStatus.SUCCESS:
            for told in answer.told[: self.random.randint(0, len(answer.told))]:
                self._do(box, told)

    def _settle(self, box: Box, act: Act, replies: list[Reply]) -> None:
        if act not in box.acts:  # an earlier one of this answer did away with it
            return
        box.acts.remove(act)
        server_id = f"{box.folder}:{act.item}"
        statuses = [
            reply.status
            for reply in replies
            if (reply.client_id == act.item if act.what == "add" else reply.server_id == server_id)
        ]
        if any(status in (SyncStatus.NOT_FOUND, SyncStatus.CONFLICT) for status in statuses) and act.what != "add":
            return
        if act.what == "delete" and self.around.truth.is_news(act.item, self.name, box.folder, box.key):
            return  # somebody had put it here anew, unseen by the phone, which is told so
        if any(status != SyncStatus.SUCCESS for status in statuses) or (act.what == "add" and not statuses):
            self.history.broken(f"{self.name}: {act.what} of {act.item} in {box.folder} got {statuses}")
            return
        assert act.claim is not None
        act.claim.acked = asyncio.get_running_loop().time()
        if act.what == "add":
            self._name(box, act, replies)

    def _name(self, box: Box, act: Act, replies: list[Reply]) -> None:
        server_id = next(reply.server_id for reply in replies if reply.client_id == act.item)
        local = box.items.pop(LOCAL + act.item, None)
        item = (server_id or "").partition(":")[2]
        if local is not None and not any(other.item == item and other.what == "delete" for other in box.acts):
            box.items.setdefault(item, local)  # half an answer may have brought it already, and be changed

    def _do(self, box: Box, told: Told) -> None:
        item = told.server_id.partition(":")[2]
        if any(act.item == item and act.what == "delete" for act in box.acts):
            return  # the user has thrown it away, and the server will hear of it
        mine = {act.name: act.value for act in box.acts if act.what == "set" and act.item == item}
        if told.act is Told_.ADD:
            if item in box.items and not self.upserts:
                self.history.broken(f"{self.name}: {item} was added to {box.folder} twice")
            box.items[item] = {"read": False, "categories": (), **values_of(told.data), **mine}
        elif told.act is Told_.CHANGE:
            if item not in box.items:
                self.history.broken(f"{self.name}: told a change of {item} in {box.folder}, which it does not have")
            else:
                box.items[item].update({**values_of(told.data), **mine})
        else:
            box.drop(item)

    async def ask(self, node: Node, work: Any) -> Any:
        """Ask *node*; see `over_the_line`."""
        return await over_the_line(self.around.weather, self.around.nodes, node, work, PATIENCE)
