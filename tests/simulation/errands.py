"""Requests of a phone that stand alone: moves, changes of the folder list, mail that goes out."""

import asyncio
from typing import Any

from eas.commands import folder_create, folder_delete, folder_update, move_items, send_mail
from eas.commands.compose_request import ComposeRequest
from eas.commands.folder_create import FolderCreate
from eas.commands.folder_delete import FolderDelete
from eas.commands.folder_update import FolderUpdate
from eas.commands.folders import FolderStatus
from eas.commands.move_items import Move, MoveStatus
from eas.context import CommandFailed
from eas.protocol.status import Common
from storage.engine import EngineError
from storage.folders import DRAFTS, FolderType
from tests.simulation.box import LOCAL
from tests.simulation.line import Lost
from tests.simulation.node import USER, Node
from tests.simulation.outgoing import Letter
from tests.simulation.phone import Phone
from tests.simulation.weather import MINUTE

SENDS_MAX = 12
"""How often a phone tries to send; after that its user gives up."""


async def move(phone: Phone, node: Node) -> None:
    """Move some items of one folder to another."""
    random = phone.random
    sources = [box for box in phone.boxes.values() if any(not item.startswith(LOCAL) for item in box.items)]
    targets = [folder for folder in phone.boxes if folder != DRAFTS.id]
    if not sources or not targets:
        return
    box, target = random.choice(sources), random.choice(targets)
    items = [item for item in box.items if not item.startswith(LOCAL)]
    items = random.sample(items, min(len(items), random.choice([1, 1, 3])))
    now = asyncio.get_running_loop().time()
    claims = {item: phone.ledger.claim(item, "folder", target, phone.name, now) for item in items}
    moves = [Move(f"{box.folder}:{item}", box.folder, target) for item in items]
    answers = await phone.ask(node, lambda node: move_items.handle(node.context(phone.device), moves))
    for item, answer in zip(items, answers, strict=True):
        if answer.status is MoveStatus.SUCCESS:
            claims[item].acked = asyncio.get_running_loop().time()
            box.drop(item)
    statuses = [int(answer.status) for answer in answers]
    phone.history.say(f"{phone.name} via {node.name}: moved {items} from {box.folder} to {target}: {statuses}")


async def change_folders(phone: Phone, node: Node, number: int) -> None:
    """Make, rename or remove a folder; what others see of it, the next FolderSync tells."""
    random = phone.random
    own = [
        folder for folder, (_, _, kind) in phone.folders.items() if kind == FolderType.USER_MAIL and folder[0] == "f"
    ]
    chance = random.random()
    key = phone.folder_key
    if key == "0":
        return
    if not own or chance < 0.5:
        parent = random.choice([None, *own])
        create = FolderCreate(key, parent, f"folder {number}", FolderType.USER_MAIL)
        what = f"makes folder {number} in {parent}"
        made = await _folder_command(
            phone, node, what, lambda node: folder_create.handle(node.context(phone.device), create)
        )
        if made is not None:
            phone.folder_key = made.sync_key
            phone.folders[made.server_id] = (create.name, parent, FolderType.USER_MAIL)
    elif chance < 0.75:
        folder = random.choice(own)
        _, parent, kind = phone.folders[folder]
        update = FolderUpdate(key, folder, parent, f"renamed {number}")
        what = f"renames {folder}"
        done = await _folder_command(
            phone, node, what, lambda node: folder_update.handle(node.context(phone.device), update)
        )
        if done is not None:
            phone.folder_key = done
            phone.folders[folder] = (update.name, parent, kind)
    else:
        delete = FolderDelete(key, random.choice(own))
        what = f"removes {delete.server_id}"
        phone.ledger.sweep(delete.server_id)
        done = await _folder_command(
            phone, node, what, lambda node: folder_delete.handle(node.context(phone.device), delete)
        )
        if done is not None:
            phone.folder_key = done
            phone.drop_tree(delete.server_id)
    phone.needs_folders = True


async def _folder_command(phone: Phone, node: Node, what: str, work: Any) -> Any:
    try:
        answer = await phone.ask(node, work)
    except CommandFailed as failed:
        phone.history.say(f"{phone.name} via {node.name}: {what}: Status {failed.status}")
        if failed.status == FolderStatus.INVALID_SYNC_KEY:
            phone.history.broken(f"{phone.name}: {what} with {phone.folder_key} got Status 9")
        return None
    phone.history.say(f"{phone.name} via {node.name}: {what}: done")
    return answer


async def send(phone: Phone, letter: Letter) -> None:
    """Send a message, again and again under one ClientId until the server says that it is out."""
    request = ComposeRequest("SendMail", letter.client_id, letter.mime(USER.address), is_saved=True)
    for _ in range(SENDS_MAX):
        node = phone.random.choice(phone.around.nodes)

        async def work(node: Node) -> None:
            await send_mail.handle(node.context(phone.device), request)
            letter.note()

        try:
            await phone.ask(node, work)
            letter.is_acknowledged = True
        except CommandFailed as failed:
            phone.history.say(f"{phone.name} via {node.name}: {letter.client_id}: Status {failed.status}")
            if failed.status == Common.MESSAGE_PREVIOUSLY_SENT:
                letter.is_acknowledged = True
        except (Lost, EngineError, TimeoutError) as error:
            phone.history.say(f"{phone.name} via {node.name}: {letter.client_id}: {type(error).__name__}")
        if letter.is_acknowledged:
            phone.history.say(f"{phone.name} via {node.name}: {letter.client_id} is out")
            return
        await asyncio.sleep(phone.random.choice([1.0, 3 * MINUTE, 20 * MINUTE]))
