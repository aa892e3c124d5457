"""The client by hand: `python -m tests.support.client --url http://127.0.0.1:8080 --user … --password … list`."""

import argparse
import asyncio
import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from eas.protocol.versions import parse_version
from eas.wbxml.pages import Email
from tests.support.client import EasClient
from tests.support.commanding import Refused

WINDOW = 100


def main(arguments: list[str] | None = None) -> None:
    """Run one action and print what came."""
    asked = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(asked))
    except Refused as refused:
        sys.exit(f"refused: {refused}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.support.client", description="A phone on the command line.")
    parser.add_argument("--url", required=True, help="of the server: http://127.0.0.1:8080")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--protocol", help="12.1, 14.0, 14.1, 16.0 or 16.1; the highest that is announced if left out")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("folders", help="list the folders")
    listing = actions.add_parser("list", help="list the mails of a folder")
    listing.add_argument("--folder", help="by its name; the Inbox if left out")
    shown = actions.add_parser("show", help="print a mail")
    shown.add_argument("subject")
    waiting = actions.add_parser("ping", help="wait for new mail in the Inbox")
    waiting.add_argument("--heartbeat", type=int, default=480, help="seconds")
    sending = actions.add_parser("send", help="send a mail; the text is read from standard input")
    sending.add_argument("to")
    sending.add_argument("subject")
    return parser


async def _run(asked: argparse.Namespace) -> None:
    async with EasClient(asked.url, asked.user, asked.password) as client:
        await client.options()
        if asked.protocol:
            client.version = parse_version(asked.protocol)
        await client.set_up()
        match asked.action:
            case "folders":
                for folder in client.mailbox.hierarchy.values():
                    print(f"{folder.server_id:20} {folder.type:2} {folder.name}")
            case "list":
                name = asked.folder
                await _list(client, client.mailbox.named(name) if name else client.mailbox.of_type(2))
            case "show":
                print((await client.sync_all(client.mailbox.of_type(2), window_size=WINDOW)).find(asked.subject).body)
            case "ping":
                await _ping(client, asked.heartbeat)
            case "send":
                answer = await client.send_mail(_message(asked.user, asked.to, asked.subject, sys.stdin.read()))
                print("sent" if answer.is_empty else f"refused: HTTP {answer.status}, {answer.root!r}")


async def _list(client: EasClient, collection_id: str) -> None:
    folder = await client.sync_all(collection_id, window_size=WINDOW)
    for item in sorted(folder.items.values(), key=lambda one: one.text(Email.DateReceived)):
        mark = " " if item.is_read else "*"
        print(f"{mark} {item.text(Email.DateReceived)[:16]}  {item.text(Email.From)[:30]:30}  {item.subject}")


async def _ping(client: EasClient, heartbeat: int) -> None:
    inbox = client.mailbox.of_type(2)
    known = set((await client.sync_all(inbox, window_size=WINDOW)).items)
    result = await client.ping([inbox], heartbeat)
    print(f"Status {result.status}, changed: {', '.join(result.folders) or 'nothing'}")
    if result.status == 2:
        folder = await client.sync_all(inbox, window_size=WINDOW)
        for server_id in folder.items.keys() - known:
            print(f"* {folder.items[server_id].subject}")


def _message(sender: str, to: str, subject: str, text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid()
    message.set_content(text)
    return message.as_bytes()
