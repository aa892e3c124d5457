"""One connection to one LDAP server: the only module that knows ldap3, which takes 17 MB.

Blocking: used in threads, by one at a time.  Whatever ldap3 raises, and it raises all sorts of things at a peer that
speaks something else, comes out as it is: the connection is of no more use then, except after `Refused`.
"""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ldap3 import NONE, SIMPLE, SUBTREE, SYNC, Connection, Server, Tls
from ldap3.core.exceptions import LDAPExceptionError
from ldap3.operation.search import parse_filter
from ldap3.utils.dn import parse_dn

from storage.directories.ldap_entries import Row
from storage.directories.ldap_settings import LdapSettings
from storage.toml_tables import SettingError

_TO_BE_READ = (0, 4)  # RFC 4511 A.1: success, sizeLimitExceeded; the latter with as many entries as were allowed
_WRONG_PASSWORD = (19, 32, 34, 48, 49, 50, 53)
"""Answers to a bind that speak of this user, not of the server (RFC 4511 A.1): constraintViolation (too many failures),
noSuchObject, invalidDNSyntax (of a template), inappropriateAuthentication, invalidCredentials,
insufficientAccessRights, unwillingToPerform (locked, in some servers)."""


class Refused(Exception):
    """The server answers, but not with what was asked for; the connection is as good as before."""


class LdapConnector:
    """Makes connections.  Raises `SettingError` for a base or filter that is none, or a CA file that cannot be read."""

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        try:
            parse_dn(settings.base)
            parse_filter(settings.users_filter, None, False, False, None, False)
            self._tls = _CheckingTls(str(settings.ca_file) if settings.ca_file else None)
        except (LDAPExceptionError, OSError, ValueError, IndexError) as error:
            raise SettingError("LDAP", f"base, users_filter or ca_file cannot be used: {error!r}") from error

    def connect(self, server: str) -> "LdapConnection":
        """Return a connection, encrypted where it has to be; nobody is bound on it yet."""
        return LdapConnection(self._settings, server, self._tls)


class LdapConnection:
    """One connection; opened by being made, closed by `close`."""

    def __init__(self, settings: LdapSettings, server: str, tls: Tls) -> None:
        self._settings = settings
        seconds = settings.timeout_seconds
        self._connection = Connection(
            Server(server, tls=tls, get_info=NONE, connect_timeout=seconds),
            client_strategy=SYNC,  # a connection has one user at a time
            auto_referrals=False,  # a referral would have the password sent to whomever it names
            auto_range=False,
            check_names=False,
            auto_escape=False,
            read_only=True,
            receive_timeout=seconds,
        )
        try:
            self._connection.open(read_server_info=False)
            if settings.start_tls and server.startswith("ldap://"):
                self._connection.start_tls(read_server_info=False)
                if not isinstance(self._connection.socket, ssl.SSLSocket):
                    raise ConnectionError("no StartTLS")
        except BaseException:
            self.close()
            raise

    def bind(self, name: str, password: bytes) -> bool:
        """Bind; False if it is this name that is refused.  Raises `Refused`."""
        connection = self._connection
        connection.user, connection.password, connection.authentication = name, password, SIMPLE
        try:
            connection.bind(read_server_info=False)
        finally:
            connection.password = None
        result = connection.result
        if result["result"] in _WRONG_PASSWORD:
            return False
        if result["result"] != 0:
            raise Refused(f"bind: {result['description']} {result['message']}".strip())
        return True

    def search(self, search_filter: str, attributes: Sequence[str], size_max: int) -> list[Row]:
        """Return the first *size_max* entries below the base that the filter finds.  Raises `Refused`."""
        connection = self._connection
        connection.search(
            self._settings.base,
            search_filter,
            SUBTREE,
            attributes=list(attributes),
            size_limit=size_max,
            time_limit=max(1, self._settings.timeout_seconds - 1),  # it should give up before we do
        )
        result = connection.result
        if result["result"] not in _TO_BE_READ:
            raise Refused(f"search: {result['description']} {result['message']}".strip())
        entries = [one for one in connection.response or () if one["type"] == "searchResEntry"]
        connection.response = connection.request = None  # they would lie there, secrets too, until the next question
        return [_row(entry) for entry in entries[:size_max]]

    def close(self) -> None:
        """Say good-bye, if the peer still listens, and close."""
        with suppress(Exception):  # the peer may have gone
            self._connection.unbind()
        if self._connection.socket is not None:  # ldap3 forgets that of a connection that was never open
            with suppress(OSError):
                self._connection.socket.close()


class _CheckingTls(Tls):  # type: ignore[misc]  # ldap3 has no types
    """TLS that checks the certificate and the name in it as Python does; ldap3's own way is deprecated, and laxer."""

    def __init__(self, ca_file: str | None) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=ca_file)

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Replace the connection's socket by one that is encrypted."""
        connection.socket = self._context.wrap_socket(
            connection.socket, do_handshake_on_connect=do_handshake, server_hostname=connection.server.host
        )


def _row(entry: Any) -> Row:
    return Row(entry["dn"], {name.lower(): tuple(values) for name, values in entry["raw_attributes"].items()})
