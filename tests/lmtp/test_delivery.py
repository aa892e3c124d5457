import asyncio

import pytest

from lmtp import reply
from lmtp.delivery import DEPOSITS_AT_ONCE, Postman
from lmtp.reply import Refused, Reply
from lmtp.spool import Spool
from lmtp.transaction import Delivery, Resolve
from storage.delivery import NotYetCreated
from storage.engine import EngineError, Unavailable
from storage.errors import DirectoryUnavailable, QuotaExceeded, UnknownAddress
from tests.lmtp.mailroom import Box, Letter, Mailroom, Noted, postman_for

MESSAGE = b"Subject: x\r\n\r\ntext\r\n"


async def _deliver(postman: Postman[Box], *addresses: str, message: bytes = MESSAGE, declared: int = 0) -> list[Reply]:
    recipients = [await postman.resolve(Resolve(address, declared)) for address in addresses]
    spool = Spool(100_000)
    spool.write(message)
    delivery: Delivery[Letter] = Delivery("c.test", "s@x", False, tuple(recipients), spool)
    try:
        return await postman.deliver(delivery, "[127.0.0.1]")
    finally:
        spool.close()


@pytest.mark.parametrize(
    ("error", "why", "is_foreseen"),
    [
        (UnknownAddress("a@y"), reply.UNKNOWN_ADDRESS, True),
        (DirectoryUnavailable(), reply.DIRECTORY_TROUBLE, True),
        (NotYetCreated("a"), reply.NO_MAILBOX_YET, True),
        (QuotaExceeded(1, 1), reply.OVER_QUOTA, True),
        (EngineError(), reply.STORAGE_TROUBLE, True),
        (TimeoutError(), reply.STORAGE_TROUBLE, True),
        (ValueError("a mistake of ours"), reply.STORAGE_TROUBLE, False),
    ],
)
async def test_what_errors_mean_to_the_sending_server(error: Exception, why: Reply, is_foreseen: bool) -> None:
    noted = Noted()
    with pytest.raises(Refused) as refused:
        await postman_for(Mailroom(directory_trouble=error), noted).resolve(Resolve("a@y", 0))
    assert refused.value.reply == why
    assert await _deliver(postman_for(Mailroom(trouble={"a": error}), noted), "a@y") == [why]
    assert noted.refusals == [why, why]
    assert noted.failures == ([] if is_foreseen else [error, error])


def test_nothing_but_an_unknown_address_is_refused_for_good() -> None:
    for answer in (reply.DIRECTORY_TROUBLE, reply.NO_MAILBOX_YET, reply.OVER_QUOTA, reply.STORAGE_TROUBLE):
        assert 400 <= answer.code < 500


async def test_an_unknown_user_is_refused_and_a_detail_is_not() -> None:
    postman = postman_for(Mailroom())
    addressee = await postman.resolve(Resolve("a+news@y", 0))
    assert (addressee.recipient.account_id, addressee.recipient.detail) == ("a", "news")
    with pytest.raises(Refused):
        await postman.resolve(Resolve("x+news@y", 0))


async def test_a_declared_size_that_has_no_room_is_refused_at_once() -> None:
    postman = postman_for(Mailroom())
    await postman.resolve(Resolve("small@y", 1000))
    with pytest.raises(Refused) as refused:
        await postman.resolve(Resolve("small@y", 1001))
    assert refused.value.reply == reply.OVER_QUOTA


async def test_room_is_asked_for_again_if_the_message_is_larger_than_declared() -> None:
    mailroom = Mailroom()
    assert await _deliver(postman_for(mailroom), "small@y", message=b"x" * 1001) == [reply.OVER_QUOTA]
    assert mailroom.asked == [("small", 0), ("small", 1001)]
    assert await _deliver(postman_for(mailroom), "small@y", message=b"x" * 9, declared=9) == [reply.DELIVERED]
    assert mailroom.asked[2:] == [("small", 9)]


async def test_each_recipient_fails_alone() -> None:
    mailroom, noted = Mailroom(trouble={"b": Unavailable()}), Noted()
    outcomes = await _deliver(postman_for(mailroom, noted), "a@y", "b@y", "small@y", message=b"X-Spam-Flag: YES\r\n")
    assert outcomes == [reply.DELIVERED, reply.STORAGE_TROUBLE, reply.DELIVERED]
    assert [account for account, *_ in mailroom.stored] == ["a", "small"]
    assert noted.deliveries == [(18, True), (18, True)]


async def test_two_addresses_of_one_account_bring_one_copy_and_two_replies() -> None:
    mailroom = Mailroom(trouble={"b": Unavailable()})
    outcomes = await _deliver(postman_for(mailroom), "a@y", "b@y", "a+news@y", "b@y")
    assert outcomes == [reply.DELIVERED, reply.STORAGE_TROUBLE] * 2
    assert [account for account, *_ in mailroom.stored] == ["a"]
    assert b"Delivered-To: a@y\r\n" in mailroom.stored[0][1]


async def test_the_trace_is_apart_from_the_message() -> None:
    mailroom = Mailroom()
    await _deliver(postman_for(mailroom), "a+news@y")
    ((account, trace, message, junk),) = mailroom.stored
    assert (account, message, junk) == ("a", MESSAGE, False)
    assert trace == (
        b"Return-Path: <s@x>\r\nDelivered-To: a+news@y\r\nReceived: from c.test ([127.0.0.1])\r\n"
        b"\tby mx.test with LMTP id id1\r\n\tfor <a+news@y>; Tue, 02 Jan 2024 00:00:00 +0000\r\n"
    )


async def test_a_spool_that_failed_is_temporary_for_all(tmp_path: object) -> None:
    postman = postman_for(Mailroom())
    addressee = await postman.resolve(Resolve("a@y", 0))
    spool = Spool(1000, f"{tmp_path}/missing", memory_bytes_max=1)
    spool.write(b"xx")
    delivery: Delivery[Letter] = Delivery("c", "s@x", False, (addressee, addressee), spool)
    assert await postman.deliver(delivery, "") == [reply.STORAGE_TROUBLE] * 2


async def test_deposits_and_questions_that_take_too_long_are_temporary() -> None:
    mailroom = Mailroom(gate=asyncio.Event())
    postman = postman_for(mailroom)
    addressee = await postman.resolve(Resolve("a@y", 0))
    delivery: Delivery[Letter] = Delivery("c", "s@x", False, (addressee,), Spool(1000))
    assert await postman_for(mailroom, seconds=0).deliver(delivery, "") == [reply.STORAGE_TROUBLE]
    assert mailroom.stored == []


async def test_deposits_of_one_message_run_side_by_side_up_to_a_bound() -> None:
    names = [f"user{n}" for n in range(DEPOSITS_AT_ONCE * 3)]
    mailroom = Mailroom(quotas=dict.fromkeys(names))
    outcomes = await _deliver(postman_for(mailroom), *(f"{name}@y" for name in names))
    assert outcomes == [reply.DELIVERED] * len(names)
    assert mailroom.at_once_seen == DEPOSITS_AT_ONCE
