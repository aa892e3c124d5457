"""From an HTTP request to its answer: who asks, in which version; and the one place where errors become answers.

bytes → `EasRequest` → account → tree → typed request → `handle` → typed response → tree → bytes.  One turn, no return.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from eas import clients
from eas.commands.table import COMMANDS, Command
from eas.context import CommandFailed, Context, Services, Wait
from eas.login.sessions import LoginRefused, Sessions, unknown
from eas.policy import refusal
from eas.protocol.exchange import EasRequest, EasResponse, Held, HttpRequest, merge
from eas.protocol.query import BadDevice, BadDeviceId, UnreadableQuery, parse_query
from eas.protocol.status import Common
from eas.protocol.versions import (
    ANNOUNCED,
    UnknownCommand,
    UnknownVersion,
    Version,
    commands_header,
    parse_version,
    versions_header,
)
from eas.sync.collection import LostView
from eas.sync.hub import Outcome, Waiter
from eas.sync.synckey import START
from eas.wbxml.decoder import WbxmlError, decode
from eas.wbxml.element import Element, InvalidValue, MissingElement, element, leaf
from eas.wbxml.encoder import encode
from storage.account import Account
from storage.engine import EngineError
from storage.errors import DirectoryUnavailable
from storage.seal import SealError

RETRY_AFTER_SECONDS = "30"
HTTP_UNAVAILABLE = 503

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Answers ActiveSync requests (`eas.wire.server.Answerer`)."""

    sessions: Sessions
    services: Services

    async def answer(self, request: HttpRequest) -> EasResponse | Held:
        """Answer a request; whatever goes wrong becomes an answer, too."""
        try:
            return await self._answer(request)
        except LoginRefused as refused:
            return refused.response
        except SealError as error:  # keys, or the state that is read at login: what it is, is for the administrator
            _log.error("request.store_damaged", error=str(error))
            return EasResponse(HTTP_UNAVAILABLE, {"Retry-After": RETRY_AFTER_SECONDS})
        except (DirectoryUnavailable, EngineError) as error:
            _log.warning("request.unavailable", error=repr(error))
            return EasResponse(HTTP_UNAVAILABLE, {"Retry-After": RETRY_AFTER_SECONDS})

    async def _answer(self, request: HttpRequest) -> EasResponse | Held:
        try:
            if not request.authorization:
                raise unknown()  # before anything else is looked at: some clients wait for the challenge
            if request.method == "OPTIONS":
                await self.sessions.greet(request.authorization, request.remote)
                return _options()
            return await self._post(request)
        except (UnreadableQuery, UnknownVersion) as error:
            _log.info("request.unreadable", error=str(error), remote=request.remote)
            return EasResponse(400)
        except UnknownCommand:
            return EasResponse(501)
        except BadDevice as error:
            return await self._bad_device(request, error)

    async def _post(self, http: HttpRequest) -> EasResponse | Held:
        request = _request(http)
        account = await self.sessions.account(http.authorization, request.device_id, http.remote)
        command = COMMANDS.get(request.command)
        if command is None:
            return EasResponse(501)
        if request.version not in ANNOUNCED:
            return EasResponse(400)
        if request.version < command.since:
            return EasResponse(501)
        context = self._context(account, request)
        try:
            if command.needs_policy and (refused := await refusal(context, request)) is not None:
                raise CommandFailed(refused)
            typed = command.module.parse(_body(command, request), request)
            result = await command.module.handle(context, typed)
            if isinstance(result, Wait):
                return HeldRequest(self.services, context, command, result)
            response = _rendered(command, result, request.version)
        except Exception as error:
            return answer_for(error, command, request)
        if command.name == "FolderSync" and typed == START:
            return _with_versions(response)
        return response

    def _context(self, account: Account, request: EasRequest) -> Context:
        client = clients.client_of(request.device_type, request.user_agent)
        deadline = asyncio.get_running_loop().time() + client.answer_seconds
        return Context(
            account, request.device_id.lower(), request.device_type, request.version, client, deadline, self.services
        )

    async def _bad_device(self, http: HttpRequest, error: BadDevice) -> EasResponse:
        await self.sessions.greet(http.authorization, http.remote)
        command = COMMANDS.get(error.command)
        try:
            version = error.version or parse_version(http.protocol_version)
        except UnknownVersion:
            return EasResponse(400)
        if command is None:
            return EasResponse(501)
        common = Common.DEVICE_ID_MISSING_OR_INVALID
        if not isinstance(error, BadDeviceId):
            common = Common.DEVICE_TYPE_MISSING_OR_INVALID
        return _status(command, common, version)


def _request(http: HttpRequest) -> EasRequest:
    headers = {
        "MS-ASProtocolVersion": http.protocol_version,
        "X-MS-PolicyKey": http.policy_key,
        "MS-ASAcceptMultiPart": http.accept_multipart,
        "Accept-Encoding": http.accept_encoding,
        "User-Agent": http.user_agent,
        "Content-Type": http.content_type,
    }
    return merge(parse_query(http.raw_query), headers, http.body)


def _options() -> EasResponse:
    return EasResponse(200, _versions())


def _versions() -> dict[str, str]:
    return {
        "MS-ASProtocolVersions": versions_header(),
        "MS-ASProtocolCommands": commands_header(COMMANDS),
    }


def _with_versions(response: EasResponse) -> EasResponse:
    """Add what lets a device learn of new versions: when it begins anew, it reads these headers again."""
    return replace(response, headers={**response.headers, **_versions(), "X-MS-RP": versions_header()})


def _body(command: Command, request: EasRequest) -> Element | None:
    """Return the request's tree.  Raises `WbxmlError`, or `CommandFailed` for a body that is none or foreign."""
    if command.mime_until is not None and request.version <= command.mime_until:
        return None
    if not request.body:
        if command.empty or command.root is None:
            return None
        raise CommandFailed(Common.INVALID_CONTENT)
    root = decode(request.body)
    if root.tag is not command.root or not _is_of(root, command.pages):
        raise CommandFailed(Common.INVALID_WBXML)
    return root


def _is_of(root: Element, allowed: frozenset[int]) -> bool:
    stack = [root]
    while stack:
        found = stack.pop()
        if found.tag.page not in allowed:
            return False
        stack.extend(found.children)
    return True


def _rendered(command: Command, result: Any, version: Version) -> EasResponse:
    rendered = command.module.render(result, version)
    if rendered is None:
        return EasResponse()
    if isinstance(rendered, EasResponse):
        return rendered
    return EasResponse(body=encode(rendered))


def answer_for(error: Exception, command: Command, request: EasRequest) -> EasResponse:
    """The one table from error to answer, by protocol version."""
    event = {"command": command.name, "device": request.device_id, "version": request.version.text}
    match error:
        case CommandFailed():
            return _status(command, error.status, request.version)
        case WbxmlError():
            _log.info("request.not_wbxml", error=str(error), **event)
            return _status(command, Common.INVALID_WBXML, request.version)
        case MissingElement() | InvalidValue():
            _log.info("request.invalid", error=str(error), **event)
            return _status(command, Common.INVALID_XML, request.version)
        case EngineError() | DirectoryUnavailable():
            _log.warning("request.unavailable", error=repr(error), **event)
            return _status(command, Common.SERVER_ERROR_RETRY_LATER, request.version)
        case LostView():
            _log.error("request.store_lost_data", error=str(error), **event)
            return _status(command, Common.SERVER_ERROR_RETRY_LATER, request.version)
        case _:
            _log.error("request.failed", exc_info=error, **event)
            # "Retry later", not a plain 500: several of those in a row make phones drop all they have.
            return _status(command, Common.SERVER_ERROR_RETRY_LATER, request.version)


def _status(command: Command, status: int, version: Version) -> EasResponse:
    if status >= min(Common) and version < Version.V14_0:
        code = Common(status).http_before_14
        headers = {"Retry-After": RETRY_AFTER_SECONDS} if code == HTTP_UNAVAILABLE else {}
        return EasResponse(code, headers)
    if command.root is None or command.status is None:
        return EasResponse(500)
    return EasResponse(body=encode(element(command.root, leaf(command.status, status))))


@dataclass(slots=True, eq=False)
class HeldRequest:
    """A request that waits (`eas.protocol.exchange.Held`)."""

    services: Services
    context: Context
    command: Command
    wait: Wait[Any]
    _waiter: Waiter | None = None
    _reply: Callable[[EasResponse], None] | None = None
    _task: "asyncio.Task[None] | None" = field(default=None)

    def begin(self, reply: Callable[[EasResponse], None]) -> None:
        """Start to wait; *reply* is called once."""
        self._reply = reply
        self._waiter = Waiter(
            self.context.account, self.context.device, self.wait.folders, self.wait.hierarchy, self._over
        )
        self.services.hub.wait(self._waiter, self.wait.seconds)

    def abandon(self) -> None:
        """Stop: the phone has gone."""
        self._reply = None
        if self._waiter is not None:
            self.services.hub.leave(self._waiter)

    def _over(self, outcome: Outcome) -> None:
        self._task = asyncio.create_task(self._finish(outcome))

    async def _finish(self, outcome: Outcome) -> None:
        try:
            deadline = asyncio.get_running_loop().time() + self.context.client.answer_seconds
            self.context = replace(self.context, deadline=deadline)
            response = _rendered(self.command, await self.wait.resume(self.context, outcome), self.context.version)
        except Exception as error:
            request = EasRequest(self.command.name, self.context.version, "", self.context.device, "")
            response = answer_for(error, self.command, request)
        if self._reply is not None:
            self._reply(response)
