"""The way of a message from the session into an account, with nothing in between that is not real."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from lmtp.delivery import Addressee, Postman
from lmtp.reply import DELIVERED, UNKNOWN_ADDRESS, Refused
from lmtp.session import Session
from lmtp.spool import Spool
from lmtp.transaction import Resolve
from storage.delivery import Recipient
from storage.directories.directory import Entry, Mailbox
from storage.errors import UnknownAddress
from storage.feeds.feed import LocalFeed
from storage.folders import INBOX, JUNK
from storage.store import Store
from tests.storage.vaults import PASSWORD, SECRET, World

ANNA = Mailbox("anna@example.org", ("a.smith@example.org",))
LARGE = b"Subject: large\r\nX-Spam-Flag: YES\r\n\r\n" + b"0123456789" * 200_000 + b"\r\n"


class OneUser:
    """A directory."""

    async def resolve(self, address: str) -> Mailbox:
        if address not in ANNA.addresses:
            raise UnknownAddress(address)
        return ANNA

    async def login(self, name: str) -> tuple[Mailbox, ...]:
        return (ANNA,)

    async def user_secrets(self, mailbox: Mailbox) -> tuple[bytes, ...]:
        return (SECRET,)

    async def search(self, words: Sequence[str] | str, limit: int) -> list[Entry]:
        return []


async def _stored() -> Store:
    world = World()
    store = Store(world.engine(), OneUser(), world.vault, LocalFeed(), world.wall)
    await store.create(ANNA, PASSWORD)
    return store


def _postman(store: Store) -> Postman[Recipient]:
    return Postman(store.delivery, "mx", now=lambda: datetime(2024, 1, 2, tzinfo=UTC), new_id=lambda: "7")


async def _send(postman: Postman[Recipient], data: bytes) -> str:
    session: Session[Addressee[Recipient]] = Session("mx", 10**7, 100, lambda: Spool(10**7))
    question = session.receive_data(data)
    while question is not None:
        if isinstance(question, Resolve):
            session.accept(await postman.resolve(question))
        else:
            session.settle(await postman.deliver(question, ""))
        question = session.receive_data(b"")
    return session.data_to_send().decode()


def _transaction(address: bytes, message: bytes) -> bytes:
    envelope = b"LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<" + address + b">\r\n"
    return envelope + b"BDAT %d LAST\r\n" % len(message) + message


async def test_what_was_answered_250_is_in_the_account_once() -> None:
    store = await _stored()
    postman = _postman(store)
    messages = [b"Subject: small\r\n\r\ntext\r\n", LARGE]
    for message in messages:
        for address in (b"anna+news@example.org", b"a.smith@example.org"):
            replies = await _send(postman, _transaction(address, message))
            assert replies.endswith(DELIVERED.encode().decode())
    account, _ = await store.unlock("anna", PASSWORD)
    async with account.turn() as state:
        contents = [await account.read(content) for content in (await state.contents(state.touched)).values()]
        folders = {add.folder for item in state.touched.values() for add in item.adds}
    for message in messages:
        (found,) = [content for content in contents if content.endswith(message)]
        assert found.startswith(b"Return-Path: <s@x>\r\nDelivered-To: anna+news@example.org\r\nReceived: from c\r\n")
    assert folders == {INBOX.id, JUNK.id}
    await store.close()


async def test_nobody_is_unknown() -> None:
    store = await _stored()
    for address in ("postmaster", "bob@example.org", "+anna@example.org", '"anna"@example.org'):
        with pytest.raises(Refused) as refused:
            await _postman(store).resolve(Resolve(address, 0))
        assert refused.value.reply == UNKNOWN_ADDRESS
    await store.close()
