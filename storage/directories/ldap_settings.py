"""What a site says about its LDAP directory, in a file of its own: it holds a password, so its mode is 0600."""

import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

from storage.private_file import read_private
from storage.toml_tables import Between, SettingError, TableReader

SERVERS_MAX = 16
COMMON_SECRET_CHARS_MIN = 16
PLACEHOLDERS = frozenset({"address", "user", "domain", "login"})
_SERVER = re.compile(r"ldaps?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?|ldapi://[^/\s]+")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-2](\.[0-9]+)+")  # RFC 4512 1.4: a short name, or an OID


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """How the users are found in LDAP.

    Raises ValueError for values that do not go together.
    """

    servers: tuple[str, ...]
    """`ldap://HOST[:PORT]`, `ldaps://HOST[:PORT]` or `ldapi://%2Fpath`, the preferred first; the next one is asked
    while one is away.  A certificate must be made for the HOST that stands here."""

    base: str
    """Below which entry the users are: `ou=people,dc=example,dc=org`."""

    bind_dn: str = ""
    """Who searches.  Empty: anybody may."""

    bind_password: str = field(default="", repr=False)
    """The password of `bind_dn`."""

    start_tls: bool = True
    """Encrypt what goes to `ldap://`.  false sends passwords in clear: only where nobody listens, as on loopback."""

    ca_file: Path | None = None
    """PEM file of the authority that signed the servers' certificates; not set: those that this machine trusts."""

    users_filter: str = "(objectClass=inetOrgPerson)"
    """Which entries are users.  Whom it leaves out has no mail and does not get in."""

    bind_as: str = ""
    """What a user's password is checked with.  Empty: the name of the entry that was found.  Else a template, such as
    `uid={login},ou=people,dc=example,dc=org` or `{address}`; it may hold {address}, {user}, {domain}, {login}."""

    login_attribute: str = "uid"
    """What users may type instead of an address; empty: the part of their address before the @, where it is unique."""

    mail_attribute: str = "mail"
    """The address that mail is sent from.  Entries with several of them need `identity_attribute`."""

    alias_attribute: str = ""
    """Further addresses; empty: there are none besides those of `mail_attribute`."""

    alias_prefix: str = ""
    """What an alias begins with in the directory (`smtp:`); values that begin otherwise are none."""

    name_attribute: str = "cn"
    """The name that others see."""

    identity_attribute: str = ""
    """What an account is known by, for ever and to nobody else in the directory.  Empty: the address, so that a new
    address would be a new account."""

    quota_attribute: str = ""
    """How much an account may hold: a whole number.  Empty or missing: as much as fits."""

    quota_unit_bytes: Annotated[int, Between(1, 1 << 40)] = 1
    """How many bytes 1 means there."""

    secret_attribute: str = ""
    """The secret that a user's password is mixed with: one random value, which only `bind_dn` should see."""

    alternates_attribute: str = ""
    """Secrets of before, which open until their owner has logged in again."""

    common_secret: str = field(default="", repr=False)
    """Stands for users who have no secret of their own: 16 characters or more, drawn once and backed up."""

    common_alternates: tuple[str, ...] = field(default=(), repr=False)
    """Common secrets of before."""

    connections_max: Annotated[int, Between(1, 64)] = 4
    """How many questions one process asks at a time."""

    timeout_seconds: Annotated[int, Between(1, 60)] = 5
    """How long one server may take for one step of an answer."""

    cache_seconds: Annotated[int, Between(0, 3600)] = 10
    """How long an answer is believed, so that a burst of mail for one address is one question."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.servers) <= SERVERS_MAX:
            raise ValueError(f"servers must name 1 to {SERVERS_MAX}")
        for server in self.servers:
            if not _SERVER.fullmatch(server):
                raise ValueError(f"not ldap://HOST[:PORT], ldaps://HOST[:PORT] or ldapi://%2Fpath: {server!r}")
        for attribute in (one.name for one in fields(self) if one.name.endswith("_attribute")):
            text = getattr(self, attribute)
            if text and not _ATTRIBUTE.fullmatch(text):
                raise ValueError(f"{attribute} is no attribute's name: {text!r}")
        if not self.base or not self.mail_attribute:
            raise ValueError("base and mail_attribute must not be empty")
        if bool(self.bind_dn) is not bool(self.bind_password):
            raise ValueError("bind_dn and bind_password go together")
        unknown = set(re.findall(r"\{([^}]*)\}", self.bind_as)) - PLACEHOLDERS
        if unknown:
            raise ValueError(f"bind_as has no {{{unknown.pop()}}}; it may hold {', '.join(sorted(PLACEHOLDERS))}")
        if not self.secret_attribute and not self.common_secret:
            raise ValueError("set secret_attribute or common_secret: else whoever copies the store can guess passwords")
        for secret in (self.common_secret, *self.common_alternates):
            if secret and len(secret) < COMMON_SECRET_CHARS_MIN:
                raise ValueError(f"a common secret has {COMMON_SECRET_CHARS_MIN} characters or more")


def load_ldap_settings(path: Path) -> LdapSettings:
    """Read the file.  Raises `SettingError` with the key that is wrong, `UnsafeFile`."""
    try:
        table = tomllib.loads(read_private(path).decode())
    except OSError as error:
        raise SettingError(str(path), f"cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(str(path), f"cannot be read: {error}") from error
    return TableReader(LdapSettings, path.absolute().parent).read(table, str(path))
