"""Steps of a plan rendered as items, as far as bytes and time allow.

At least one step is told, so that every Sync gets on.  An item that cannot be rendered, however often it is tried, must
not stop its folder: it counts as told, is logged, and remembered for the administrator (`failed`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from eas.commands.options import Options
from eas.commands.sync_response import CollectionAnswer, Told
from eas.context import Context
from eas.items.email import render_email, render_news
from eas.mail.email_item import Message, email_of, read_ahead
from eas.sync.delta import Act, Plan, Step
from eas.wbxml.element import Element
from storage.engine import Unavailable
from storage.message.summary import Summary
from storage.state import State

_LIGHT = {"read", "flag", "categories"}
"""Properties that are told by themselves; of others the whole item is sent."""
_ITEM_BYTES = 600
"""What an item weighs beside its body, roughly."""
_MESSAGES_AT_ONCE = 32

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Renderer:
    """Renders for one answer, and watches its size and its time."""

    context: Context
    state: State
    left_bytes: int = field(init=False)
    failed: list[str] = field(default_factory=list)
    """ServerIds of items that could not be rendered."""

    def __post_init__(self) -> None:
        self.left_bytes = self.context.client.answer_bytes

    async def tell(self, plan: Plan, wanted: int, options: Options, answer: CollectionAnswer) -> int:
        """Render the first *wanted* steps of *plan* into *answer*, or fewer; return how many were told."""
        folder, steps = plan.view.folder, plan.steps[:wanted]
        messages: dict[str, Message] = {}
        forced = plan.forced()
        for place, step in enumerate(steps):
            if place >= max(forced, 1) and plan.whole(place) == place and self._is_exhausted():
                return place
            if place % _MESSAGES_AT_ONCE == 0:
                messages = await self._messages(steps[place : place + _MESSAGES_AT_ONCE], options)
            answer.told += await self._told(step, folder, messages.get(step.item.id))
        return wanted

    async def _messages(self, steps: Sequence[Step], options: Options) -> dict[str, Message]:
        """Return the mails of those of *steps* that show them; what their bodies take is read in one go."""
        contents = await self.state.contents(step.item.id for step in steps if _is_rendered(step))
        messages: dict[str, Message] = {}
        for item, content in contents.items():
            try:
                summary = Summary.unpack(content.summary)
                messages[item] = Message.planned(content, summary, options.wish, self.context.version)
            except Exception:
                _log.exception("sync.item_unreadable", device=self.context.device, item=item)
        whole = [messages[step.item.id] for step in steps if step.item.id in messages and not _is_light(step)]
        await read_ahead(self.context.account, whole)
        return messages

    def _is_exhausted(self) -> bool:
        return self.left_bytes <= 0 or asyncio.get_running_loop().time() >= self.context.deadline

    async def _told(self, step: Step, folder: str, message: Message | None) -> list[Told]:
        server_id = f"{folder}:{step.item.id}"
        if not self.context.client.takes_own_moves and self._is_own_move(step):
            return []
        if not _is_rendered(step):
            return [Told(step.act, server_id)]
        try:
            data = await self._data(step, folder, message)
        except Unavailable:
            raise
        except Exception:
            _log.exception("sync.item_failed", device=self.context.device, item=server_id)
            self.failed.append(server_id)
            return []
        if step.act is Act.CHANGE and not data:
            return []  # news of what this version of the protocol does not know
        told = [Told(step.act, server_id, data)]
        if step.known_before and not self.context.client.upserts:
            told.insert(0, Told(Act.DELETE, server_id))
        return told

    async def _data(self, step: Step, folder: str, message: Message | None) -> list[Element]:
        version = self.context.version
        if message is None:
            raise LookupError(f"no content of {step.item.id}")
        email = email_of(step.item, folder, message.summary)
        if _is_light(step):
            return render_news(email, version, step.names)
        body = await message.body(self.context.account)
        self.left_bytes -= _ITEM_BYTES + len(body.data or "")
        return render_email(email, version, body)

    def _is_own_move(self, step: Step) -> bool:
        made = {add.rid for add in step.item.adds}  # a copy in Sent Items is made, not moved: it is to be told
        return (
            step.act in (Act.ADD, Act.DELETE)
            and bool(step.unseen)
            and all(rid not in made and step.item.device_of(rid) == self.context.device for rid in step.unseen)
        )


def _is_rendered(step: Step) -> bool:
    return step.act in (Act.ADD, Act.CHANGE)


def _is_light(step: Step) -> bool:
    return step.act is Act.CHANGE and _LIGHT.issuperset(step.names)
