"""Debian's nginx with the files of `deploy/nginx` between a phone and the server."""

import asyncio
import contextlib
import http.client
import smtplib
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
import pytest

from eas.protocol.versions import Version
from eas.settings import Settings
from eas.wire.tls import SELF_SIGNED_FILE
from tests.interop.nginx import Nginx, running_nginx
from tests.interop.server import DemoServer, demo_server
from tests.support.client import Device, EasClient

pytestmark = pytest.mark.interop

MESSAGE = (
    b"From: friend@example.net\r\nTo: u1@example.test\r\nSubject: %s\r\nMessage-ID: <%s@example.net>\r\n\r\nText.\r\n"
)
LONGER_THAN_A_SITES_OWN_TIMEOUT = 3.0  # `nginx.MAIN` has 2 s


@dataclass(frozen=True)
class Site:
    """A server and the nginx in front of it."""

    server: DemoServer
    nginx: Nginx

    def phone(self, **options: object) -> EasClient:
        """Return a phone of account 1 that reaches the server through nginx."""
        return EasClient(self.nginx.url, "u1@example.test", "pw-u1", **options)  # type: ignore[arg-type]

    def deliver(self, subject: str) -> None:
        """Deliver a mail to account 1."""
        name = subject.replace(" ", ".").encode()
        with smtplib.LMTP("127.0.0.1", self.server.lmtp_port) as lmtp:
            lmtp.sendmail("friend@example.net", ["u1@example.test"], MESSAGE % (subject.encode(), name))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with (
        demo_server(tmp_path_factory.mktemp("server")) as server,
        running_nginx(tmp_path_factory.mktemp("nginx"), server.http_port) as nginx,
    ):
        yield Site(server, nginx)


async def test_a_waiting_phone_is_rung_through_nginx(site: Site) -> None:
    async with site.phone() as phone:
        inbox = await phone.inbox()
        await phone.sync_all(inbox, window_size=100)
        ringing = asyncio.create_task(phone.ping([inbox], 60))
        await asyncio.sleep(LONGER_THAN_A_SITES_OWN_TIMEOUT)
        assert not ringing.done()
        await asyncio.to_thread(site.deliver, "Rung through nginx")
        started = time.monotonic()
        assert (await ringing).status == 2
        assert time.monotonic() - started < 5


async def test_an_empty_answer_stays_empty(site: Site) -> None:
    """Nothing compressed, length 0, and the type of WBXML: old phones wait for minutes on anything else."""
    async with site.phone(version=Version.V14_1) as phone:
        inbox = await phone.inbox()
        await phone.sync_all(inbox, window_size=100)
        result = await phone.sync(inbox)
        assert result.sync_key is None
        assert phone.last is not None
        assert phone.last.is_empty
        headers = phone.last.headers
        assert headers["Content-Length"] == "0"
        assert headers["Content-Type"] == "application/vnd.ms-sync.wbxml"
        assert "Content-Encoding" not in headers


async def test_the_server_compresses_and_nginx_does_not(site: Site) -> None:
    async with site.phone() as phone:
        await phone.sync_all(await phone.inbox(), window_size=100)  # its answers are examined: whole gzip, right length
    async with site.phone(gzip=False, device=Device(id="plain")) as phone:
        await phone.sync_all(await phone.inbox(), window_size=100)
        assert phone.last is not None
        assert "Content-Encoding" not in phone.last.headers


@pytest.mark.parametrize("key", [0, 0xFFFFFFFF, 0xFBEFBEFB], ids=hex)
@pytest.mark.parametrize("version", [Version.V12_1, Version.V14_1, Version.V16_1], ids=lambda version: version.text)
async def test_base64_queries_pass_untouched(site: Site, version: Version, key: int) -> None:
    """The bytes of a policy key become + and /; the lengths of the names make padding of all kinds."""
    for n in range(6):
        device = Device(id=f"base64{'x' * n}", type="Test")
        async with site.phone(version=version, base64_form=True, device=device) as phone:
            phone.policy_key = key
            assert await phone.folder_sync()


@pytest.mark.parametrize(
    "path",
    [
        "/Microsoft-Server-ActiveSync",
        "/Microsoft-Server-ActiveSync/",
        "/microsoft-server-activesync",
        "/MICROSOFT-SERVER-ACTIVESYNC/default.eas",
    ],
)
async def test_the_path_is_known_in_every_spelling(site: Site, path: str) -> None:
    async with EasClient(f"{site.nginx.url}{path}", "u1@example.test", "pw-u1") as phone:
        assert await phone.options()


async def test_wrong_passwords_are_answered_by_the_server(site: Site) -> None:
    async with EasClient(site.nginx.url, "u2@example.test", "wrong") as phone:
        answer = await phone.post("FolderSync", b"")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_other_paths_do_not_reach_the_server(site: Site) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{site.nginx.url}/metrics", ssl=False) as answer,
    ):
        assert answer.status == 404
        assert answer.headers["Server"].startswith("nginx")


async def test_a_large_mail_is_sent_through_nginx_and_not_put_on_its_disk(site: Site) -> None:
    text = b"x" * 70 + b"\r\n"
    mail = b"From: u1@example.test\r\nTo: u2@example.test\r\nSubject: Large\r\n\r\n" + text * 10_000
    async with site.phone() as phone:
        await phone.set_up()
        assert (await phone.send_mail(mail)).is_empty
        folder = await phone.sync_all(phone.mailbox.of_type(5), window_size=10)
        assert folder.find("Large")
    assert "buffered to a temporary file" not in (site.nginx.folder / "error.log").read_text()
    assert [file for file in (site.nginx.folder / "temporary").rglob("*") if file.is_file()] == []


def test_a_body_over_the_limit_is_refused(site: Site) -> None:
    context = ssl.create_default_context(cafile=site.nginx.folder / SELF_SIGNED_FILE)
    connection = http.client.HTTPSConnection("127.0.0.1", site.nginx.port, context=context, timeout=20)
    with contextlib.closing(connection):
        connection.putrequest(
            "POST", "/Microsoft-Server-ActiveSync?Cmd=SendMail&User=u1&DeviceId=large&DeviceType=Test"
        )
        connection.putheader("Content-Length", str(Settings().body_bytes_max + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413


async def test_while_the_server_is_away_phones_are_told_to_come_again(site: Site) -> None:
    """Runs last: it restarts the server."""
    site.server.stop()
    try:
        async with site.phone() as phone:
            answer = await phone.post("FolderSync", b"")
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "30"
            assert answer.headers["Content-Type"] == "text/plain"
    finally:
        await asyncio.to_thread(site.server.start)
    async with site.phone() as phone:
        assert await phone.inbox()
