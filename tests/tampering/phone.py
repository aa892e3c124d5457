"""The phone asks a process directly: no socket, no server."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from yarl import URL

from eas.context import Services
from eas.dispatch import Dispatcher
from eas.login.sessions import Sessions
from eas.protocol.exchange import EasResponse, HttpRequest
from eas.protocol.versions import Version
from eas.settings import Settings
from eas.sync.hub import Hub
from eas.sync.synckey import START as FIRST_KEY
from eas.wbxml.decoder import decode
from storage.store import Store
from tests.eas.world import address
from tests.support.answers import Answer, Request
from tests.support.client import EasClient, Refused
from tests.support.mailbox import Mailbox
from tests.support.transport import TIMEOUT_SECONDS


class DirectPhone(EasClient):
    """A phone whose requests go straight to a dispatcher."""

    dispatcher: Dispatcher

    async def _exchange(
        self,
        asked: Request,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> Answer:
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = HttpRequest(
            method,
            url.path,
            url.raw_query_string,
            authorization=f"Basic {credentials}",
            protocol_version=headers.get("MS-ASProtocolVersion", ""),
            policy_key=headers.get("X-MS-PolicyKey", ""),
            user_agent=self.device.user_agent,
            content_type=headers.get("Content-Type", ""),
            body=body or b"",
        )
        response = await self.dispatcher.answer(request)
        assert isinstance(response, EasResponse)
        assert isinstance(response.body, bytes)
        root = decode(response.body) if response.body else None
        self.last = Answer(asked.command, response.status, response.headers, response.body, root, ())
        return self.last


async def asked(store: Store, mailbox: Mailbox) -> dict[str, str]:
    """Let the phone of account 1, which holds *mailbox*, ask for its folders and for each that it has.

    Return how each was answered: a Status, or what HTTP said.
    """
    hub = Hub(store.feed)
    services = Services(hub, store.feed, store.directory, Settings(), lambda: datetime.now(UTC), _submit)
    sessions = Sessions(store, 600, hub.is_waited_for)
    phone = DirectPhone("http://phone.test", address(1), "pw-u1", version=Version.V16_1)
    phone.dispatcher, phone.mailbox = Dispatcher(sessions, services), mailbox
    answers = {}
    try:
        await phone.folder_sync()
        answers["FolderSync"] = "1"
    except Refused as refused:
        answers["FolderSync"] = _said(refused)
    for folder, held in list(mailbox.folders.items()):
        if held.sync_key == FIRST_KEY:
            continue
        try:
            answers[f"Sync {folder}"] = str((await phone.sync(folder)).status)
        except Refused as refused:
            answers[f"Sync {folder}"] = _said(refused)
    await sessions.close()
    hub.close()
    return answers


def _said(refused: Refused) -> str:
    return f"HTTP {refused.answer.status}" if refused.status is None else str(refused.status)


async def _submit(_sender: str, _recipients: Sequence[str], _message: bytes) -> None:
    raise AssertionError("nothing is sent")
