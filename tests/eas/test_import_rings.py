"""Mail that is imported, and items that are brought back, come to phones like any mail."""

import asyncio
import subprocess
from pathlib import Path

from eas.demo.site import CONFIGURATION, address, password
from tests.support.client import EasClient
from tests.support.demo_process import ROOT, command, demo

MBOX = b"""From x Fri Mar  8 16:30:02 2024
Status: RO
X-Status: F
Subject: imported

text

From x Fri Mar  8 16:30:03 2024
Subject: imported, too

text
"""


async def test_imported_mail_rings_a_phone_and_what_is_brought_back_does_so_again(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(MBOX)

    async def run(*arguments: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            command(*arguments, "--password-stdin", "--config", str(tmp_path / "demo" / CONFIGURATION)),
            input=password(1) + "\n",
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=True,
        )
        return done.stdout

    with demo("--dir", str(tmp_path / "demo")) as running:
        async with EasClient(running.http, address(1), password(1)) as client:
            await client.options()
            inbox = await client.inbox()
            box = await client.sync_all(inbox)
            before = set(box.items)
            for arguments in (
                ("import", address(1), "--mbox", str(tmp_path / "old"), "--into", "Inbox"),
                ("account", "empty", address(1), "--folder", "Inbox", "--yes"),
                ("undelete", address(1), "--folder", "Inbox", "--yes"),
            ):
                ping = asyncio.create_task(client.ping([inbox], 60))
                await asyncio.sleep(0.3)
                await run(*arguments)
                assert (await ping).folders == (inbox,)
                box = await client.sync_all(inbox)
                subjects = sorted(item.subject for key, item in box.items.items() if key not in before)
                assert subjects == ([] if "empty" in arguments else ["imported", "imported, too"])
            imported = next(item for item in box.items.values() if item.subject == "imported")
            assert (imported.is_read, imported.is_flagged) == (True, True)
