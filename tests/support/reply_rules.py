"""What must hold between a request and its answer, whatever the schema says of each alone."""

from eas.wbxml.element import Element
from eas.wbxml.pages import AirSync, ItemOperations, Move, Ping

WINDOW_DEFAULT = 100
WINDOW_MAX = 512
CHANGES = (AirSync.Add, AirSync.Change, AirSync.Delete, AirSync.SoftDelete)


def reply_faults(asked: Element | None, answer: Element | None, parts: int) -> list[str]:
    """Return what is wrong with *answer* (None: empty) as the answer to *asked* (None: unknown)."""
    faults = _part_faults(answer, parts)
    if asked is None:
        return faults
    if asked.tag is AirSync.Sync:
        return faults + (_sync_faults(asked, answer) if answer is not None else _empty_sync_faults(asked))
    if answer is None:
        return faults
    if asked.tag is Move.MoveItems:
        return faults + _move_faults(asked, answer)
    if asked.tag is Ping.Ping:
        return faults + _ping_faults(asked, answer)
    return faults


def _collections(sync: Element) -> dict[str, Element]:
    holder = sync.first(AirSync.Collections)
    children = [] if holder is None else holder.all(AirSync.Collection)
    return {child.text_or(AirSync.CollectionId, ""): child for child in children}


def _window(element: Element, default: int) -> int:
    asked = element.number_or(AirSync.WindowSize, default)
    return asked if 0 < asked <= WINDOW_MAX else WINDOW_MAX


def _empty_sync_faults(asked: Element) -> list[str]:
    faults = []
    for name, collection in _collections(asked).items():
        if collection.text_or(AirSync.SyncKey, "") == "0":
            faults.append(f"collection {name}: the key 0 is answered by nothing")
        if collection.has(AirSync.Commands):
            faults.append(f"collection {name}: commands are answered by nothing, a phone would repeat them for ever")
    return faults


def _sync_faults(asked: Element, answer: Element) -> list[str]:
    wanted = _collections(asked)
    faults = []
    total = 0
    for name, collection in _collections(answer).items():
        if not asked.has(AirSync.Partial) and name not in wanted:
            faults.append(f"collection {name} was not asked for")
            continue
        total += _changes(collection)
        faults += [f"collection {name}: {fault}" for fault in _collection_faults(wanted.get(name), collection)]
    if total > _window(asked, WINDOW_MAX):
        faults.append(f"{total} changes, the window of the request is {_window(asked, WINDOW_MAX)}")
    return faults


def _changes(collection: Element) -> int:
    commands = collection.first(AirSync.Commands)
    return 0 if commands is None else sum(child.tag in CHANGES for child in commands.children)


def _collection_faults(asked: Element | None, answer: Element) -> list[str]:
    if asked is None:
        return []
    faults = []
    key, new_key = asked.text_or(AirSync.SyncKey, ""), answer.text_or(AirSync.SyncKey, "")
    if _changes(answer) > _window(asked, WINDOW_DEFAULT):
        faults.append(f"{_changes(answer)} changes, the window is {_window(asked, WINDOW_DEFAULT)}")
    if answer.text_or(AirSync.Status, "") == "1":
        if key == "0" and (answer.has(AirSync.Commands) or answer.has(AirSync.MoreAvailable) or new_key == "0"):
            faults.append("the key 0 is answered by a fresh key and nothing else")
        if key == new_key and (answer.has(AirSync.Commands) or answer.has(AirSync.MoreAvailable)):
            faults.append("changes under the same key: AOSP takes that for a loop")
    if asked.text_or(AirSync.GetChanges, "1") == "0" and answer.has(AirSync.Commands):
        faults.append("changes, although GetChanges is 0")
    return faults + _unasked_responses(asked, answer)


def _unasked_responses(asked: Element, answer: Element) -> list[str]:
    """Every response names an item of the request, and every Add and Fetch has one."""
    sent = asked.first(AirSync.Commands) or Element(AirSync.Commands)
    told = answer.first(AirSync.Responses) or Element(AirSync.Responses)
    faults = []
    for tag in (AirSync.Add, AirSync.Change, AirSync.Delete, AirSync.Fetch):
        key = AirSync.ClientId if tag is AirSync.Add else AirSync.ServerId
        known = [command.text_or(key, "") for command in sent.all(tag)]
        named = [response.text_or(key, "") for response in told.all(tag)]
        faults += [f"a response to {tag.name} {name}, which was not sent" for name in named if name not in known]
        if tag in (AirSync.Add, AirSync.Fetch) and answer.text_or(AirSync.Status, "") == "1":
            faults += [f"no response to {tag.name} {name}" for name in known if name not in named]
    return faults


def _move_faults(asked: Element, answer: Element) -> list[str]:
    if answer.has(Move.Status):
        return []
    sent = [move.text_or(Move.SrcMsgId, "") for move in asked.all(Move.Move)]
    told = [response.text_or(Move.SrcMsgId, "") for response in answer.all(Move.Response)]
    return [] if sent == told else [f"moved {sent}, answered {told}"]


def _ping_faults(asked: Element, answer: Element) -> list[str]:
    folders, changed = asked.first(Ping.Folders), answer.first(Ping.Folders)
    if folders is None or changed is None:
        return []
    known = {folder.text_or(Ping.Id, "") for folder in folders.children}
    return [f"folder {folder.value!r} was not asked for" for folder in changed.children if folder.value not in known]


def _part_faults(answer: Element | None, parts: int) -> list[str]:
    """Every part of a multipart is pointed to once, by its number."""
    named = [] if answer is None else sorted(_part_numbers(answer))
    return [] if named == list(range(1, parts + 1)) else [f"parts {named} are named, {parts} are there"]


def _part_numbers(element: Element) -> list[int]:
    own = [element.as_number()] if element.tag is ItemOperations.Part else []
    return own + [number for child in element.children for number in _part_numbers(child)]
