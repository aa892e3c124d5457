"""Mails that were found, made ready for the answer: Search and Find."""

import asyncio
from dataclasses import dataclass

import structlog

from eas.context import Context
from eas.finding.mailsearch import Hit
from eas.items.email import Email
from eas.mail.body import Body
from eas.mail.email_item import Wish, email_of, load_body
from storage.engine import Unavailable
from storage.items import Item
from storage.message.summary import Summary
from storage.records import Content
from storage.state import State

_ITEM_BYTES = 600
"""What a result weighs beside its body, roughly."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FoundMail:
    """One result."""

    server_id: str
    folder: str
    email: Email
    summary: Summary
    body: Body | None = None


async def load(context: Context, state: State, hits: list[Hit], wish: Wish | None) -> list[FoundMail]:
    """Return the mails of *hits*, or the first of them: as many as there is room and time for, at least one.

    *state* is the snapshot that was searched.  A body that cannot be read is left out, and so is a mail that cannot be
    told at all.  Raises `Unavailable`.
    """
    ids = [hit.floor.item for hit in hits]
    items, contents = await state.items(ids), await state.contents(ids)
    clock, left_bytes = asyncio.get_running_loop().time, context.client.answer_bytes
    found: list[FoundMail] = []
    for hit in hits:
        if found and (left_bytes <= 0 or clock() >= context.deadline):
            break
        mail = await _loaded(context, items[hit.floor.item], hit, contents[hit.floor.item], wish)
        if mail is not None:
            left_bytes -= _ITEM_BYTES + len((mail.body.data if mail.body else None) or "")
            found.append(mail)
    return found


async def _loaded(context: Context, item: Item, hit: Hit, content: Content, wish: Wish | None) -> FoundMail | None:
    try:
        summary = Summary.unpack(content.summary)
        email = email_of(item, hit.folder, summary)
    except Exception:
        _log.exception("search.item_failed", device=context.device, item=hit.server_id)
        return None
    body = None if wish is None else await _body(context, content, summary, wish)
    return FoundMail(hit.server_id, hit.folder, email, summary, body)


async def _body(context: Context, content: Content, summary: Summary, wish: Wish) -> Body | None:
    try:
        return await load_body(context.account, content, summary, wish, context.version)
    except Unavailable:
        raise
    except Exception:
        _log.exception("search.body_failed", device=context.device)
        return None
