"""What benchmarks of a whole server stand on: a server apart, phones that read only what they need, and the post."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from eas.wbxml.decoder import decode
from eas.wbxml.pages import AirSync
from storage.store import Store
from tests.bench.support_phone import PING_INBOX, START, Phone, Synced, read_sync, sync_request
from tests.bench.support_post import Post
from tests.bench.support_server import Served, deposited, filled, served
from tests.support.messages import mixed_message

MAILS = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("served")

    async def fill(store: Store) -> None:
        await deposited(store, 1, map(mixed_message, range(MAILS)), at_once=2)

    filled(folder, 1, fill)
    with served(folder, 1) as found:
        yield found


def test_what_is_read_of_an_answer_is_what_it_says(server: Served) -> None:
    with closing(Phone(server.http, 1, "APPLREADS")) as phone:
        assert phone.sync() == Synced(phone.key, more=False, adds=0)
        assert phone.key != START
        body = phone.post("Sync", sync_request(phone.key, window=MAILS - 2))
        [collections] = decode(body).children
        [collection] = collections.children
        [commands] = collection.all(AirSync.Commands)
        has_more = collection.first(AirSync.MoreAvailable) is not None
        assert read_sync(body) == Synced(collection.text(AirSync.SyncKey), has_more, len(commands.children))
        assert has_more
        assert len(commands.children) == MAILS - 2


def test_mail_rings_a_phone_that_waits_and_no_known_phone_costs_a_run_of_argon2(server: Served) -> None:
    with closing(Phone(server.http, 1, "APPLRINGS")) as phone, closing(Post(server.lmtp)) as post:
        before = server.counted()
        phone.folder_sync()
        assert server.calls_since(before)["argon2"] == 1
        phone.begin()
        phone.send("Ping", PING_INBOX)
        before = server.counted()
        post.deliver(1)
        assert b"inbox" in phone.receive()
        assert phone.sync().adds == 1
        calls = server.calls_since(before)
        assert calls["put"] >= 2  # the mail and its record, the view
        assert calls["argon2"] == 0


def test_a_server_is_measured_from_outside(server: Served) -> None:
    assert server.resident_bytes > server.anonymous_bytes > 1_000_000
    assert server.processor_seconds() > 0


def test_an_answer_other_than_200_is_no_measurement(server: Served) -> None:
    with closing(Phone(server.http, 99, "APPLNOBODY")) as phone, pytest.raises(AssertionError, match="401"):
        phone.folder_sync()
