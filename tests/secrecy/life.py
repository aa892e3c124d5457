"""A whole life of an account, every word of it unusual: through the real server, by HTTP, LMTP and the command line."""

import asyncio
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final

from eas.wbxml.element import element, leaf
from eas.wbxml.pages import Settings
from tests.interop.programs import free_ports, listens, replace
from tests.soak.kept import ROOT, petitbleu
from tests.soak.nodes import run
from tests.soak.stores import StorePlace
from tests.support.client import Device, EasClient
from tests.support.drafts import Draft, DraftFile
from tests.support.sync_requests import categories, delete, flag, read
from tests.system.service import MailServer

ADDRESS: Final = "zwirbelhans@seidelbast.example"
NAME: Final = "Zwirbelhans Obermoosbrugger"
PASSWORDS: Final = ("Nachtigallenschlag-17", "Hagebuttentee-und-Zwieback")
APP_LABEL: Final = "Kutschenuhr"
DEVICE: Final = Device("androidc0123456789", "Android", "Wurzelphone/7.1")
WORDS: Final = (
    "Zwirbelhans", "Obermoosbrugger", "seidelbast", *PASSWORDS, APP_LABEL,
    "Quittenbrot", "Wolpertinger", "dachsbau", "Nebelkrähenfeder", "Pumpernickelrezept", "Ziegenpeterchen",
    "Murmeltierfell", "Schnurrbarttasse", "Sauerampferwiese", "Gänseblümchenkranz", "Blechtrommelwirbel",
    "Krautwickelkiste", "Kirschkernkissen", "Heidschnucke", "Wanderdünenkarte", "Bratapfelduft",
)  # fmt: skip
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0


class Home:
    """A node's files, apart from the store."""

    def __init__(self, folder: Path, place: StorePlace, submission_port: int) -> None:
        self.folder, self.log = folder, folder / "log"
        self.secrets: list[str] = []
        """What the command line printed once: an app password and recovery keys among other words."""
        self.config = folder / "petitbleu.toml"
        self.http_port, self.lmtp_port = free_ports(2)
        changes = {
            **place.settings(folder),
            '# directory_file = "/etc/petitbleu/accounts.toml"': f'directory_file = "{folder}/accounts.toml"',
            '# deployment_key_file = "/etc/petitbleu/deployment.key"': f'deployment_key_file = "{folder}/key"',
            '# http = "127.0.0.1:8080"': f'http = "127.0.0.1:{self.http_port}"',
            '# submission = "127.0.0.1:587"': f'submission = "127.0.0.1:{submission_port}"',
            '# listen = ["127.0.0.1:2424"]': f'listen = ["127.0.0.1:{self.lmtp_port}"]',
            '# log_level = "info"': 'log_level = "debug"',
        }
        self.config.write_text(replace(run("init", "--print-config"), changes))
        run("init", "--config", str(self.config))

    def command(self, *arguments: str, given: str = "") -> str:
        """Run `petitbleu` on this node; its errors are the log's."""
        command = [*arguments, "--config", str(self.config)]
        done = subprocess.run(petitbleu(*command), cwd=ROOT, input=given, capture_output=True, text=True, check=False)
        with self.log.open("a") as log:
            log.write(done.stderr)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run the server."""
        with self.log.open("a") as log:
            serve = petitbleu("serve", "--config", str(self.config), "--workers", "1")
            process = subprocess.Popen(serve, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            end = time.monotonic() + READY_SECONDS
            while not (listens(self.http_port) and listens(self.lmtp_port)):
                assert process.poll() is None, self.log.read_text()[-3000:]
                assert time.monotonic() < end
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)

    def phone(self, password: str) -> EasClient:
        return EasClient(f"http://127.0.0.1:{self.http_port}", ADDRESS, password, device=DEVICE)


async def lived(folder: Path, place: StorePlace) -> Home:
    """Live it; on return nothing runs any more."""
    outgoing = MailServer()
    listening = await asyncio.start_server(outgoing.talk, "127.0.0.1", 0)
    home = await asyncio.to_thread(Home, folder, place, listening.sockets[0].getsockname()[1])
    await asyncio.to_thread(_account_made, home)
    served = home.served()
    await asyncio.to_thread(served.__enter__)
    try:
        await asyncio.to_thread(_delivered, home)
        async with home.phone(PASSWORDS[0]) as phone:
            await _used(phone)
        assert outgoing.taken
        await asyncio.to_thread(_guarded, home)
        async with home.phone(PASSWORDS[1]) as phone:
            await phone.set_up()
            await phone.sync_all(phone.mailbox.of_type(2))
            await phone.ping([phone.mailbox.of_type(2)], 1, timeout=10)
    finally:
        await asyncio.to_thread(served.__exit__, None, None, None)
        listening.close()
    return home


def _account_made(home: Home) -> None:
    told = home.command("account", "add", "--password-stdin", "--name", NAME, ADDRESS, given=f"{PASSWORDS[0]}\n")
    home.secrets += told.split()


def _guarded(home: Home) -> None:
    given = "".join(f"{password}\n" for password in PASSWORDS)
    home.command("account", "password", "--password-stdin", ADDRESS, given=given)
    opened = ("--password-stdin", ADDRESS)
    label = ("--device", "tablet0123456789", "--label", APP_LABEL)
    home.secrets += home.command("account", "app-password", "add", *label, *opened, given=f"{PASSWORDS[1]}\n").split()
    home.secrets += home.command("account", "recovery-key", *opened, given=f"{PASSWORDS[1]}\n").split()
    home.command("account", "rotate-keys", *opened, given=f"{PASSWORDS[1]}\n")


def letter(number: int) -> bytes:
    """Return a mail full of words."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Wolpertinger <wolpertinger@dachsbau.example>"
    message["To"] = f"{NAME} <{ADDRESS}>"
    message["Subject"] = f"Quittenbrot {number} und Nebelkrähenfeder"
    message["Message-ID"] = f"<{number}@dachsbau.example>"
    message["Date"] = datetime.now(UTC)
    message.set_content(f"Das Pumpernickelrezept, {number}.\n" * 20, cte=("8bit", "quoted-printable")[number % 2])
    message.add_alternative(f"<p>Ein <b>Ziegenpeterchen</b> {number}</p>", subtype="html")
    attached = (b"Murmeltierfell " * (9000 if number == 3 else 3)) + bytes([number])
    message.add_attachment(attached, maintype="application", subtype="octet-stream", filename="Schnurrbarttasse.bin")
    return message.as_bytes()


def _delivered(home: Home) -> None:
    with smtplib.LMTP("127.0.0.1", home.lmtp_port) as lmtp:
        for number in range(6):
            lmtp.sendmail("wolpertinger@dachsbau.example", [ADDRESS], letter(number), ["BODY=8BITMIME"])


async def _used(phone: EasClient) -> None:
    await phone.set_up()
    fields = (leaf(Settings.Model, "Krautwickelkiste"), leaf(Settings.FriendlyName, "Kirschkernkissen"))
    await phone.settings(element(Settings.DeviceInformation, element(Settings.Set, *fields)))
    inbox_id = phone.mailbox.of_type(2)
    folder = await phone.folder_create("Sauerampferwiese")
    inbox = await phone.sync_all(inbox_id)
    first, second, third, *_ = sorted(inbox.items)
    commands = [read(first), flag(first), categories(first, ["Gänseblümchenkranz"]), delete(second)]
    await phone.sync(inbox_id, commands)
    await phone.move([(third, inbox_id, folder)])
    await phone.sync_all(folder)
    await phone.sync_all(inbox_id)
    await phone.search("Pumpernickelrezept")
    await _written(phone)


async def _written(phone: EasClient) -> None:
    drafts = phone.mailbox.of_type(3)
    phone.version = phone.version.V16_0
    await phone.sync_all(drafts)
    file = DraftFile("1", "Wanderdünenkarte.txt", b"Bratapfelduft " * 20)
    draft = Draft("Heidschnucke <heidschnucke@dachsbau.example>", subject="Blechtrommelwirbel", body="x", files=(file,))
    stored = await phone.draft_add(drafts, draft)
    await phone.draft_change(drafts, stored.server_id, Draft(body="Heidschnucke"))
    await phone.draft_send(drafts, stored.server_id)
    await phone.draft_add(drafts, Draft("heidschnucke@dachsbau.example", subject="Blechtrommelwirbel", body="y"))
    await phone.sync_all(drafts)
