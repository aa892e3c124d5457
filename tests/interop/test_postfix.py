"""Debian's Postfix with the files of `deploy/postfix`: mail comes in, mail goes out, and none is lost or doubled."""

import asyncio
import random
import re
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import make_msgid

import aiosmtplib
import pytest

from tests.interop.postfix import Postfix, running_postfix
from tests.interop.programs import free_ports, wait_until
from tests.interop.server import DemoServer
from tests.support.client import EasClient

pytestmark = pytest.mark.interop

MAILS = 500
CONNECTIONS = 25
DELIVERED_SECONDS = 30.0
ALL_DELIVERED_SECONDS = 120.0


@dataclass(frozen=True)
class Site:
    """A server and a Postfix that know each other."""

    server: DemoServer
    postfix: Postfix

    def smtp(self) -> smtplib.SMTP:
        """Connect to Postfix as a stranger from the Internet."""
        return smtplib.SMTP("127.0.0.1", self.postfix.smtp_port, "client.example.net", timeout=30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    http, https, lmtp = free_ports(3)
    with running_postfix(lmtp) as postfix:
        folder = tmp_path_factory.mktemp("server")
        server = DemoServer(folder, accounts=3, submission=postfix.submission_port, ports=[http, https, lmtp])
        server.start()
        try:
            yield Site(server, postfix)
        finally:
            server.stop()


def mail(subject: str, to: str = "u1@example.test", sender: str = "friend@example.net") -> EmailMessage:
    """Return a short message."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Message-ID"] = make_msgid(domain="example.net")
    message.set_content(f"This is the text of {subject}.\n")
    return message


async def until_there(site: Site, client: EasClient, folder: str, subject: str) -> None:
    """Synchronise a folder until it holds that mail."""
    end = time.monotonic() + DELIVERED_SECONDS
    while subject not in {item.subject for item in (await client.sync_all(folder, window_size=100)).items.values()}:
        assert time.monotonic() < end, f"{subject} did not arrive\n{site.postfix.log()}\n{site.server.log()}"
        await asyncio.sleep(0.1)


async def test_mail_sent_through_postfix_arrives_and_rings(site: Site) -> None:
    async with site.server.client(1) as phone:
        inbox = await phone.inbox()
        await phone.sync_all(inbox, window_size=100)
        ringing = asyncio.create_task(phone.ping([inbox], 60))
        await asyncio.sleep(1.0)  # so that the phone waits, and is not answered at once
        started = time.monotonic()
        with site.smtp() as smtp:
            smtp.send_message(mail("Through Postfix"))
        rung = await ringing
        assert (rung.status, rung.folders) == (2, (inbox,))
        assert time.monotonic() - started < DELIVERED_SECONDS
        folder = await phone.sync_all(inbox, window_size=100)
        assert "This is the text of Through Postfix." in folder.find("Through Postfix").body


@pytest.mark.parametrize(
    ("recipient", "subject"),
    [("u1+list@example.test", "To an address with a detail"), ("U1@EXAMPLE.TEST", "To an address in capitals")],
)
async def test_an_address_is_known_in_every_spelling(site: Site, recipient: str, subject: str) -> None:
    with site.smtp() as smtp:
        smtp.send_message(mail(subject), to_addrs=[recipient])
    async with site.server.client(1) as phone:
        await until_there(site, phone, await phone.inbox(), subject)


async def test_one_mail_for_two_accounts_is_in_both(site: Site) -> None:
    with site.smtp() as smtp:
        smtp.send_message(mail("For both"), to_addrs=["u1@example.test", "u2@example.test"])
    for n in (1, 2):
        async with site.server.client(n) as phone:
            await until_there(site, phone, await phone.inbox(), "For both")


async def test_a_mail_of_megabytes_with_8_bit_text_arrives_unchanged(site: Site) -> None:
    message = mail("Grüße mit Anlage")
    message.add_attachment(random.Random(1).randbytes(3 << 20), "application", "octet-stream", filename="zufall.bin")
    with site.smtp() as smtp:
        smtp.sendmail("friend@example.net", ["u1@example.test"], message.as_bytes(policy=SMTPUTF8))
    async with site.server.client(1) as phone:
        inbox = await phone.inbox()
        await until_there(site, phone, inbox, "Grüße mit Anlage")


def test_an_unknown_recipient_is_refused_while_the_sender_waits(site: Site) -> None:
    with site.smtp() as smtp, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        smtp.send_message(mail("To nobody"), to_addrs=["nobody@example.test"])
    assert {code for code, _ in refused.value.recipients.values()} == {550}


def test_strangers_may_not_send_to_strangers(site: Site) -> None:
    with site.smtp() as smtp, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        smtp.send_message(mail("Relayed"), to_addrs=["somebody@example.com"])
    assert {code // 100 for code, _ in refused.value.recipients.values()} <= {4, 5}


async def test_mail_from_the_phone_leaves_through_postfix(site: Site) -> None:
    async with site.server.client(1) as phone:
        await phone.set_up()
        sent = mail("From the phone", to="stranger@example.net", sender="u1@example.test")
        sent["Cc"] = "u2@example.test"
        assert (await phone.send_mail(sent.as_bytes(policy=SMTP))).is_empty
        await until_there(site, phone, phone.mailbox.of_type(5), "From the phone")
    wait_until(lambda: any("text of From the phone" in one for one in site.postfix.sent()), 30, "it is in the sink")
    (left,) = (one for one in site.postfix.sent() if "From the phone" in one)
    assert "X-Mail-Args: <u1@example.test>" in left
    assert "X-Rcpt-Args: <stranger@example.net>" in left
    async with site.server.client(2) as phone:
        await until_there(site, phone, await phone.inbox(), "From the phone")


async def inject(port: int, numbers: range) -> None:
    """Send one mail for each number, over one connection."""
    async with aiosmtplib.SMTP(
        hostname="127.0.0.1", port=port, local_hostname="client.example.net", timeout=60
    ) as smtp:
        for n in numbers:
            await smtp.send_message(mail(f"Number {n}", "u3@example.test"))


def kill_after(server: DemoServer, deliveries: int) -> None:
    """Kill the server in the midst of its work, once it has told of so many deliveries, and start it again."""
    wait_until(lambda: server.log().count("lmtp.delivered") >= deliveries, DELIVERED_SECONDS, "deliveries")
    server.kill()
    server.start()


async def test_mails_delivered_while_the_server_is_killed_are_there_once_each(site: Site) -> None:
    """250 means durable: what was not acknowledged Postfix sends again, and what was stored already is known again."""
    server, postfix = site.server, site.postfix
    with site.smtp() as smtp:
        smtp.send_message(mail("Number -1", "u3@example.test"))  # so that the address counts as known
    seed = time.time_ns()
    moments = [random.Random(seed).randint(low, low + MAILS // 4) for low in (MAILS // 10, MAILS // 2)]
    before = server.log().count("lmtp.delivered")
    injecting = asyncio.gather(
        *(inject(postfix.smtp_port, range(start, MAILS, CONNECTIONS)) for start in range(CONNECTIONS))
    )
    for moment in moments:
        await asyncio.to_thread(kill_after, server, before + moment)
    await injecting
    await asyncio.to_thread(wait_until, lambda: not postfix.queue(), ALL_DELIVERED_SECONDS, "the queue is empty")
    async with server.client(3) as phone:
        folder = await phone.sync_all(await phone.inbox(), window_size=100)
    subjects = sorted(item.subject for item in folder.items.values() if item.subject.startswith("Number"))
    assert subjects == sorted(f"Number {n}" for n in range(-1, MAILS)), f"seed {seed}, killed after {moments}"
    assert re.search(r"lost connection with 127\.0\.0\.1", postfix.log()), "no conversation was interrupted"
