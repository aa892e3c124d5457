"""Every conversation that was captured is answered as it was, but for what is new each time."""

from itertools import groupby

import pytest

from eas.wbxml.dump import dump
from tests.replay.mailbox import mailbox
from tests.replay.replayer import replay
from tests.support.captures import Capture, load_captures

CONVERSATIONS = {client: list(captures) for client, captures in groupby(load_captures(), lambda one: one.client)}


@pytest.mark.parametrize("captures", CONVERSATIONS.values(), ids=CONVERSATIONS)
async def test_answers_as_captured(captures: list[Capture]) -> None:
    async with mailbox(captures[0].about.mailbox) as running:
        async for answer in replay(running, captures):
            told = dump(answer.root) if answer.root is not None else "(nothing)"
            assert not answer.faults, f"{answer.capture}:\n" + "\n".join((*answer.faults, "", told))


def test_the_requests_of_a_conversation_are_numbered_from_1() -> None:
    for client, captures in CONVERSATIONS.items():
        assert [one.number for one in captures] == list(range(1, len(captures) + 1)), client
