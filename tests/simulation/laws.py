"""What must hold once a history has come to rest."""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

from storage.engine import Unavailable
from storage.items import Item
from storage.message.summary import Summary
from storage.state import State
from storage.views import TOP, Floor
from tests.simulation import reach, upkeep
from tests.simulation.box import Box
from tests.simulation.node import Node
from tests.simulation.phone import Phone
from tests.simulation.weather import DAY
from tests.simulation.world import World


async def check_all(world: World) -> None:
    """Check every law.  Raises `LawBroken` for the first that does not hold."""
    await check_agreement(world)
    check_mails(world)
    check_claims(world)
    check_letters(world)
    world.history.check()
    await check_garbage(world)
    world.history.check()
    await world.synchronise()  # phones that were idle for months go on where they were
    await check_agreement(world)
    world.history.check()


async def check_agreement(world: World) -> None:
    """All have the same: nodes, warm and cold, and phones."""
    await check_replicas(world)
    for phone in world.phones:
        check_phone(world, phone)


# -- replicas


async def check_replicas(world: World) -> None:
    """All nodes, the warm ones and one that opens the account now, agree with the truth."""
    for node in world.nodes:
        await _compare_with(world, node, f"{node.name}, warm,")
    world.nodes[0].restart()
    await _compare_with(world, world.nodes[0], "who opens the account anew")


async def _compare_with(world: World, node: Node, who: str) -> None:
    with suppress(Unavailable):  # its pages were collected: the next turn opens anew
        async with node.account.turn() as state:
            await _walked(state)
    async with node.account.turn() as state:
        await _compare(world, who, state)


async def _walked(state: State) -> dict[str, Item]:
    return {item.id: item async for item in state._all()}


async def _compare(world: World, who: str, state: State) -> None:
    truth, history = world.truth.state, world.history
    if state.commits != truth.commits:
        history.broken(f"{who} has folded {_difference(truth.commits, state.commits)}")
        return
    rows = await _walked(state)
    for item_id, item in truth.touched.items():
        if item.exists:
            await _compare_row(world, who, item, rows.pop(item_id, None), state)
    for item_id in rows:
        history.broken(f"{who} has {item_id}, which never came")
    if state.folders.tree() != truth.folders.tree() or state.folders.gone != truth.folders.gone:
        history.broken(f"{who} has other folders: {_difference(truth.folders.tree(), state.folders.tree())}")


async def _compare_row(world: World, who: str, item: Item, row: Item | None, state: State) -> None:
    if row is None:
        if item.membership.folder is not None:
            world.history.broken(f"{who} lacks {item.id} of {item.membership.folder}")
        return
    if _shown(item) != _shown(row):
        world.history.broken(f"{who} has {item.id} otherwise: {_difference(_shown(item), _shown(row))}")
    if item.membership.folder is not None:
        contents = await state.contents([item.id])
        if contents.get(item.id) != world.truth.state.fresh.get(item.id):
            world.history.broken(f"{who} has another content of {item.id}")


def _shown(item: Item) -> dict[str, Any]:
    return {
        "folder": item.membership,
        "date": item.date_ms,
        "kind": item.kind,
        "size": item.size_bytes,
        "values": item.adds[0].values,
        **item.registers,
    }


# -- phones


def check_phone(world: World, phone: Phone) -> None:
    """A phone that keeps synchronising has what the server has."""
    truth, history = world.truth.state, world.history
    tree = {folder.id: (folder.name, folder.parent, folder.type) for folder in truth.folders.tree().values()}
    if phone.folders != tree:
        history.broken(f"{phone.name} has other folders: {_difference(tree, phone.folders)}")
    for box in phone.boxes.values():
        floor = _floor_of(world, phone, box)
        want = {
            item.id: {
                "subject": subject_of(truth, item.id),
                "read": bool(item.value("read", False)),
                "categories": tuple(item.value("categories", ())),
            }
            for item in truth.touched.values()
            if item.exists and truth.folders.resting_place(item).folder == box.folder and item.floor >= floor
        }
        if want != box.items:
            history.broken(f"{phone.name} {box.folder}: {_difference(want, box.items)}")


def _floor_of(world: World, phone: Phone, box: Box) -> Floor:
    """Return down to where the server says that the phone has the folder."""
    view = world.truth.view_of(phone.device.id, box.folder, box.key)
    if view is None:
        world.history.broken(f"{phone.name}: the key of {box.folder} is no living one")
        return TOP
    return view.floor


def subject_of(truth: State, item: str) -> str:
    """Return the subject of an item's content."""
    content = truth.fresh.get(item)
    return Summary.unpack(content.summary).subject if content else ""


# -- promises


def check_mails(world: World) -> None:
    """Every mail that was answered with 250 is there once, by its content; on a phone without a filter, too."""
    truth, history = world.truth.state, world.history
    items = defaultdict(list)
    for item in truth.touched.values():
        if item.exists:
            items[subject_of(truth, item.id)].append(item)
    for mail in world.postfix.mails:
        found = items.get(mail.subject, [])
        if len(found) != 1 and mail.is_acknowledged:
            history.broken(f"{mail.subject} is there {len(found)} times")
    for phone in world.phones:
        seen = Counter(values["subject"] for box in phone.boxes.values() for values in box.items.values())
        for subject, count in seen.items():
            if count > 1:
                history.broken(f"{phone.name} has {subject} {count} times")


def check_claims(world: World) -> None:
    """Every acknowledged change survives, unless a later one replaced it."""
    truth, ledger, history = world.truth.state, world.ledger, world.history
    for item in truth.touched.values():
        if not item.exists:
            continue
        first, folder = item.adds[0].folder, item.membership.folder
        if folder in ("trash", None) and ledger.swept:
            continue  # a folder's removal moved things into the Trash, whatever was wanted of each
        values = {
            "folder": (folder, first),
            "read": (bool(item.value("read", False)), bool(item.adds[0].values.get("read", False))),
            "categories": (tuple(item.value("categories", ())), ()),
        }
        for name, (value, initial) in values.items():
            if why := ledger.why_not(item.id, name, value, initial):
                history.broken(why)


def check_letters(world: World) -> None:
    """Every letter that is out went out, and once, but for what a crash left open."""
    for letter in world.mail_server.letters.values():
        if letter.is_acknowledged and not letter.submitted:
            world.history.broken(f"{letter.client_id} was said to be sent, and was not")
        if letter.submitted > 1 + len(letter.unnoted):
            world.history.broken(f"{letter.client_id} was sent {letter.submitted} times")


def _difference(want: Any, has: Any) -> dict[Any, Any]:
    return {
        key: (want.get(key), has.get(key)) for key in sorted(want.keys() | has.keys()) if want.get(key) != has.get(key)
    }


# -- garbage


async def check_garbage(world: World) -> None:
    """Of what nobody needs nothing survives two collections that are more than every grace apart; all else does."""
    await asyncio.sleep(40 * DAY)
    for node in world.nodes:
        await upkeep.checkpoint(node)
    garbage = reach.unreachable(world.bucket, world.truth, world.history.now_ms)
    for node in world.nodes[:2]:
        await upkeep.collect(node)
        await asyncio.sleep(2 * DAY)
    for key in garbage:
        if key in world.bucket.objects.contents:
            world.history.broken(f"{key} survived two collections, and nobody needs it")
    for key in reach.missing(world.bucket, world.truth, world.history.now_ms):
        world.history.broken(f"{key} is needed, and missing")
    await check_bytes(world)


async def check_bytes(world: World) -> None:
    """Every content that is needed opens, and is the mail that was delivered."""
    mails = {mail.subject: mail for mail in world.postfix.mails}
    state, account = world.truth.state, world.nodes[0].account
    async with account.turn() as replica:
        for item in state.touched.values():
            if item.exists and item.membership.folder is not None:
                content = (await replica.contents([item.id]))[item.id]
                data = await account.read(content)
                mail = mails.get(subject_of(state, item.id))
                if mail is not None and not data.endswith(mail.data):
                    world.history.broken(f"{mail.subject} has other bytes than were delivered")
