"""Two servers that share nothing but a bucket of a real object store are one service to phones and mail servers."""

import asyncio
import secrets
import smtplib
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import pytest
from yarl import URL

from eas.demo.site import address, password
from storage.feeds.lanes import ROUND_SECONDS
from tests.support.client import Device, EasClient
from tests.support.demo_process import ROOT, DemoProcess, command, demo
from tests.support.object_store import shared
from tests.support.seaweed import Seaweed
from tests.support.sync_requests import flag, read
from tests.support.transport import PATH

pytestmark = pytest.mark.interop

RING_SECONDS = 2.0
STEPS = 40
MESSAGE = (
    b"From: friend@example.net\r\nTo: u@example.test\r\nSubject: %s\r\nMessage-ID: <%s@example.net>\r\n\r\nText.\r\n"
)


@dataclass(frozen=True)
class Site:
    """Two nodes, and the options that start a third."""

    nodes: tuple[DemoProcess, DemoProcess]
    store: str


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Let processes find the object store in their environment; return a place in it."""
    store = shared(Seaweed)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment().items():
            patch.setenv(name, value)
        yield f"s3://{store.bucket().name}/{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def site(bucket: str) -> Iterator[Site]:
    with demo("--store", bucket, "--accounts", "5") as one, demo("--store", bucket, "--accounts", "5") as two:
        yield Site((one, two), bucket)


def phone(node: DemoProcess, n: int, device: str = "phone") -> EasClient:
    return EasClient(node.http, address(n), password(n), device=Device(device))


def deliver(node: DemoProcess, n: int, subject: str) -> None:
    with smtplib.LMTP(*node.lmtp) as lmtp:
        lmtp.sendmail("friend@example.net", [address(n)], MESSAGE % (subject.encode(), subject.encode()))


def go_to(client: EasClient, node: DemoProcess) -> None:
    client.url = URL(node.http).with_path(PATH)


async def held_ping(client: EasClient, inbox: str) -> "asyncio.Task[object]":
    ping = asyncio.create_task(client.ping([inbox], 120))
    await asyncio.sleep(0.5)  # held by now: nothing tells from outside
    assert not ping.done()
    return ping


async def test_a_phone_keeps_its_keys_whichever_node_it_comes_to(site: Site) -> None:
    random = Random(5)
    delivered = []
    async with phone(site.nodes[0], 1) as client:
        inbox = await client.inbox()
        for step in range(STEPS):
            go_to(client, random.choice(site.nodes))
            folder = await client.sync_all(inbox)
            what = random.choice(["mail", "read", "hierarchy"])
            go_to(client, random.choice(site.nodes))
            if what == "mail":
                delivered.append(f"step{step}")
                await asyncio.to_thread(deliver, random.choice(site.nodes), 1, delivered[-1])
            elif what == "read":
                item = random.choice(list(folder.items.values()))
                assert (await client.sync(inbox, [read(item.server_id, not item.is_read)])).status == 1
            else:
                await client.folder_sync()
        own = await client.sync_all(inbox)
        for node in site.nodes:
            async with phone(node, 1, "fresh") as other:
                fresh = await other.sync_all(await other.inbox())
                assert {i: (item.subject, item.is_read) for i, item in fresh.items.items()} == {
                    i: (item.subject, item.is_read) for i, item in own.items.items()
                }
    assert Counter(item.subject for item in own.items.values() if item.subject in delivered) == Counter(delivered)


async def test_a_mail_that_comes_to_one_node_rings_a_phone_at_the_other(site: Site) -> None:
    async with phone(site.nodes[1], 2) as client:
        inbox = await client.inbox()
        await client.sync_all(inbox)
        await asyncio.sleep(ROUND_SECONDS * 1.2)  # by then each has found the other
        for n in range(5):
            ping = await held_ping(client, inbox)
            await asyncio.to_thread(deliver, site.nodes[0], 2, f"ring{n}")
            began = time.monotonic()
            await ping
            assert time.monotonic() - began < RING_SECONDS
            assert f"ring{n}" in {item.subject for item in (await client.sync_all(inbox)).items.values()}


async def test_what_is_marked_at_one_node_is_marked_at_the_other(site: Site) -> None:
    async with phone(site.nodes[0], 3, "first") as one, phone(site.nodes[1], 3, "second") as two:
        inbox = await one.inbox()
        await two.inbox()
        mine, theirs = await one.sync_all(inbox), await two.sync_all(inbox)
        wanted = next(iter(mine.items))
        ping = await held_ping(two, inbox)
        assert (await one.sync(inbox, [read(wanted), flag(wanted)])).status == 1
        async with asyncio.timeout(RING_SECONDS + ROUND_SECONDS):
            await ping
        await two.sync_all(inbox)
        assert theirs.items[wanted].is_read
        assert theirs.items[wanted].is_flagged


async def test_a_node_that_is_killed_takes_nothing_with_it_and_its_successor_is_heard(site: Site) -> None:
    with demo("--store", site.store, "--accounts", "5") as third:
        accepted: list[str] = []

        def post() -> None:
            with suppress(smtplib.SMTPException, OSError):
                for n in range(10_000):
                    deliver(third, 4, f"kill{n}")
                    accepted.append(f"kill{n}")

        async with phone(third, 4) as client:
            inbox = await client.inbox()
            await client.sync_all(inbox)
            item = next(iter(client.mailbox.folder(inbox).items))
            assert (await client.sync(inbox, [read(item)])).status == 1
            posting = asyncio.create_task(asyncio.to_thread(post))
            while len(accepted) < 20:
                await asyncio.sleep(0.01)
            third.process.kill()
            await posting
            go_to(client, site.nodes[1])
            await client.sync_all(inbox)
            subjects = Counter(item.subject for item in client.mailbox.folder(inbox).items.values())
            assert [subjects[subject] for subject in accepted] == [1] * len(accepted)
            assert sum(count for name, count in subjects.items() if name.startswith("kill")) <= len(accepted) + 1
            async with phone(site.nodes[0], 4, "fresh") as other:
                assert (await other.sync_all(await other.inbox())).items[item].is_read
            with demo("--store", site.store, "--accounts", "5") as fourth:
                ping = await held_ping(client, inbox)
                await asyncio.to_thread(deliver, fourth, 4, "successor")
                async with asyncio.timeout(ROUND_SECONDS * 1.2 + RING_SECONDS):
                    await ping
                subjects = Counter(item.subject for item in (await client.sync_all(inbox)).items.values())
                assert subjects["successor"] == 1


async def test_what_is_sent_through_one_node_is_in_sent_items_at_the_other(site: Site) -> None:
    async with phone(site.nodes[0], 5) as one, phone(site.nodes[1], 5, "second") as two:
        await one.inbox()
        answer = await one.send_mail(
            b"From: u5@example.test\r\nTo: u1@example.test\r\nSubject: across\r\n\r\nHello\r\n"
        )
        assert answer.status == 200
        await two.inbox()
        async with asyncio.timeout(10):
            while "across" not in {
                item.subject for item in (await two.sync_all(two.mailbox.of_type(5))).items.values()
            }:
                await asyncio.sleep(0.2)


def test_an_object_store_that_does_not_answer_or_lets_us_not_in_is_told_in_one_line(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("S3_ENDPOINT", "http://127.0.0.1:9"), ("S3_SECRET_KEY", "wrong")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            done = subprocess.run(
                command("demo", "--json", "--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0", "--store", bucket),
                capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
            )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith("petitbleu: bucket petitbleu at http://127.0.0.1")
        assert "wrong" not in done.stderr
        assert "Traceback" not in done.stderr
