"""The demo's own delivery: to its accounts, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from eas.demo.post import OwnDelivery
from eas.mail.submission import SubmissionFailed
from tests.eas.world import address, world

MESSAGE = b"Subject: a\r\n\r\n.dot\n..two\rmac\r\nend"


async def test_a_mail_reaches_every_account_that_is_named() -> None:
    async with world() as w:
        deliver = OwnDelivery(*w.lmtp_address)
        await deliver("u1@example.test", [address(1), address(2), address(1)], MESSAGE)
        for n in (1, 2):
            async with (await w.account(n)).turn() as state:
                [item] = await state.changed("inbox", {})
                content = (await state.contents([item.id]))[item.id]
            stored = await (await w.account(n)).read(content)
            assert stored.endswith(b"Subject: a\r\n\r\n.dot\r\n..two\r\nmac\r\nend\r\n")
            assert b"Return-Path: <u1@example.test>" in stored


async def test_strangers_are_refused_for_good_and_then_nobody_gets_it() -> None:
    async with world() as w:
        with pytest.raises(SubmissionFailed) as failed:
            await OwnDelivery(*w.lmtp_address)("u1@example.test", [address(2), "x@example.org"], MESSAGE)
        assert (failed.value.permanent, failed.value.recipients) == (True, ("x@example.org",))
        async with (await w.account(2)).turn() as state:
            assert await state.changed("inbox", {}) == []


async def test_an_address_cannot_smuggle_commands() -> None:
    async with world() as w:
        with pytest.raises(SubmissionFailed) as failed:
            await OwnDelivery(*w.lmtp_address)("u1@example.test", ["a>\r\nRSET\r\n<b"], MESSAGE)
        assert failed.value.permanent


async def test_a_server_that_is_not_there_is_no_reason_to_give_up() -> None:
    with pytest.raises(SubmissionFailed) as failed:
        await OwnDelivery("127.0.0.1", 1)("a@example.test", [address(1)], MESSAGE)
    assert not failed.value.permanent


@pytest.mark.parametrize("said", [b"", b"garbage\r\n", b"250-a\r\n" * 200, b"x" * 100_000])
async def test_a_server_that_talks_nonsense_is_no_reason_to_give_up(said: bytes) -> None:
    async with talking(said) as port:
        with pytest.raises(SubmissionFailed) as failed:
            await OwnDelivery("127.0.0.1", port)("a@example.test", [address(1)], MESSAGE)
        assert not failed.value.permanent


@asynccontextmanager
async def talking(said: bytes) -> AsyncIterator[int]:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
