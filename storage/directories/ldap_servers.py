"""The LDAP servers: searches on connections that are kept, binds on ones of their own, all in threads.

A search runs on an idle connection if there is one.  If that fails, the connection may have died while it lay idle: the
search, which changes nothing, is tried again on a fresh one.  A fresh one that fails puts its server aside for
`AWAY_SECONDS`; while all are aside, questions fail at once instead of queueing up behind time-outs.  A password is
never tried on a kept connection: a search would then run with the rights of whoever logged in.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import structlog

from storage.directories.ldap_connection import LdapConnection, LdapConnector, Refused
from storage.directories.ldap_entries import Row
from storage.directories.ldap_settings import LdapSettings
from storage.errors import DirectoryUnavailable

AWAY_SECONDS = 5.0
"""How long a server that failed is not asked."""
IDLE_SECONDS = 60.0
"""How long an idle connection is kept: firewalls forget those that say nothing."""
WAITING_MAX = 2000
"""Questions that are asked or wait to be; further ones fail at once."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Idle:
    server: str
    connection: LdapConnection
    since: float


class LdapServers:
    """Asks the first server that answers.  Raises `SettingError` as `LdapConnector` does.

    Nothing is sent before the first question: a directory that is away keeps nobody from starting.
    """

    def __init__(self, settings: LdapSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._connector = LdapConnector(settings)
        self._threads = ThreadPoolExecutor(settings.connections_max, "ldap")
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []  # the one used last stands last
        self._away: dict[str, float] = {}  # server → when it may be asked again
        self._is_closed = False
        self._waiting = 0

    async def search(self, search_filter: str, attributes: Sequence[str], size_max: int) -> list[Row]:
        """Return the first *size_max* entries that the filter finds.  Raises `DirectoryUnavailable`."""
        return await self._in_thread(
            lambda: self._on_a_kept_connection(
                lambda connection: connection.search(search_filter, attributes, size_max)
            )
        )

    async def takes(self, name: str, password: bytes) -> bool:
        """Tell whether *name* may bind with the password, neither of them empty.  Raises `DirectoryUnavailable`."""
        if not name or not password:  # RFC 4513 5.1.2: servers say "success" to a name without a password
            return False

        def bind(server: str) -> bool:
            connection = self._connector.connect(server)
            try:
                return connection.bind(name, password)
            finally:
                connection.close()

        return await self._in_thread(lambda: self._on_a_server(bind))

    async def close(self) -> None:
        """Ask no more.  What is being asked ends by itself, and closes its connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for one in idle:
            one.connection.close()

    async def _in_thread(self, ask: Callable[[], T]) -> T:
        if self._is_closed or self._waiting >= WAITING_MAX:
            raise DirectoryUnavailable("the directory has too many questions to answer, or none any more")
        steps = 3 * len(self._settings.servers) + 3  # of a server: connect, encrypt and bind, ask
        self._waiting += 1
        try:
            async with asyncio.timeout(steps * self._settings.timeout_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except TimeoutError:
            raise DirectoryUnavailable("the directory does not answer in time") from None
        finally:
            self._waiting -= 1

    # -- in threads

    def _on_a_kept_connection(self, ask: Callable[[LdapConnection], T]) -> T:
        while (idle := self._take_idle()) is not None:
            try:
                return self._ask(idle.server, idle.connection, ask)
            except Refused:
                break
            except Exception as error:  # whatever ldap3 says of a connection that is no more
                _log.debug("directory.connection_lost", server=idle.server, error=repr(error))
                self._drop_idle(idle.server)

        def fresh(server: str) -> T:
            connection = self._connector.connect(server)
            try:
                if self._settings.bind_dn:
                    password = self._settings.bind_password.encode()
                    if not connection.bind(self._settings.bind_dn, password):
                        raise PermissionError("bind_dn or bind_password is refused")
            except BaseException:
                connection.close()
                raise
            return self._ask(server, connection, ask)

        return self._on_a_server(fresh)

    def _ask(self, server: str, connection: LdapConnection, ask: Callable[[LdapConnection], T]) -> T:
        """Ask on this connection, and keep it."""
        try:
            answer = ask(connection)
        except Refused:
            self._keep(server, connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._keep(server, connection)
        return answer

    def _on_a_server(self, ask: Callable[[str], T]) -> T:
        """Ask the servers that are not away, in their order, until one answers."""
        failures = []
        for server in self._settings.servers:
            with self._lock:
                until = self._away.get(server, 0.0)
            if self._clock() < until:
                failures.append(f"{server}: failed a moment ago")
                continue
            try:
                answer = ask(server)
            except Refused as error:
                failures.append(f"{server}: {error}")
            except Exception as error:  # ldap3 raises all sorts of things at a peer that speaks something else
                failures.append(f"{server}: {error!r}")
                with self._lock:
                    self._away[server] = self._clock() + AWAY_SECONDS
                self._drop_idle(server)
                _log.warning("directory.server_away", server=server, error=repr(error))
            else:
                with self._lock:
                    was_away = self._away.pop(server, None) is not None
                if was_away:
                    _log.info("directory.server_back", server=server)
                return answer
        raise DirectoryUnavailable("; ".join(failures))

    # -- kept connections

    def _take_idle(self) -> _Idle | None:
        with self._lock:
            fresh_enough = self._clock() - IDLE_SECONDS
            old = [one for one in self._idle if one.since < fresh_enough]
            self._idle = [one for one in self._idle if one.since >= fresh_enough]
            found = self._idle.pop() if self._idle else None
        for one in old:
            one.connection.close()
        return found

    def _keep(self, server: str, connection: LdapConnection) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(_Idle(server, connection, self._clock()))
                return
        connection.close()

    def _drop_idle(self, server: str) -> None:
        with self._lock:
            dropped = [one for one in self._idle if one.server == server]
            self._idle = [one for one in self._idle if one.server != server]
        for one in dropped:
            one.connection.close()
