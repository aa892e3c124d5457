"""What an LDAP directory is asked: filters and names, as texts (RFC 4515, RFC 4514).

Texts of strangers get into them by `escaped` and `escaped_name` only.
"""

import re
from collections.abc import Iterable

from storage.directories.directory import SEARCH_CHARS_MAX, LoginName
from storage.directories.ldap_settings import LdapSettings

WORDS_MAX = 8
"""Words of a search in the address book that are looked for; further ones are not."""
_PLAIN = re.compile(r"[A-Za-z0-9@._-]")
_NAME_SPECIAL = re.compile(r'[",+;<>\\=#\x00-\x1f\x7f]')


def escaped(value: str) -> str:
    """Return *value* as a filter's assertion (RFC 4515 3): all but the plainest characters as their bytes."""
    return "".join(
        c if _PLAIN.match(c) else "".join(f"\\{byte:02x}" for byte in c.encode("utf-8", "replace")) for c in value
    )


def escaped_name(value: str) -> str:
    """Return *value* as an attribute's value in a distinguished name (RFC 4514 2.4)."""
    text = _NAME_SPECIAL.sub(lambda match: f"\\{ord(match.group()):02x}", value)
    if text.startswith(" "):
        text = "\\20" + text[1:]
    return text[:-1] + "\\20" if text.endswith(" ") else text


def _one_of(assertions: Iterable[str]) -> str:
    return f"(|{''.join(assertions)})"


def _users(settings: LdapSettings, assertion: str) -> str:
    return f"(&{settings.users_filter}{assertion})"


def _has_address(settings: LdapSettings, address: str) -> list[str]:
    has = [f"({settings.mail_attribute}={escaped(address)})"]
    if settings.alias_attribute:
        has.append(f"({settings.alias_attribute}={escaped(settings.alias_prefix + address)})")
    return has


def address_filter(settings: LdapSettings, address: str) -> str:
    """Ask whose a canonical address is."""
    return _users(settings, _one_of(_has_address(settings, address)))


def login_filter(settings: LdapSettings, name: LoginName) -> str | None:
    """Ask who may be meant by what was typed; None if nobody can be."""
    assertions = [assertion for address in name.exact for assertion in _has_address(settings, address)]
    if name.is_domain_open and name.user:
        user = escaped(name.user)
        by_user = (
            f"{settings.login_attribute}={user}" if settings.login_attribute else f"{settings.mail_attribute}={user}@*"
        )
        assertions.append(f"({by_user})")
    return _users(settings, _one_of(assertions)) if assertions else None


def search_filter(settings: LdapSettings, text: str) -> str | None:
    """Ask for whoever may be in an answer to a search of the address book; None for no word at all.

    More come than should: servers compare as they like, so letters beyond ASCII may stand for any, and whether a word
    *begins* with what was typed is seen to by `matching_people`.
    """
    words = re.findall(r"\w+", text[:SEARCH_CHARS_MAX])[:WORDS_MAX]
    attributes = [name for name in (settings.name_attribute, settings.mail_attribute) if name]
    wanted = []
    for word in words:
        pattern = re.sub(r"\*+", "*", f"*{re.sub(r'[^A-Za-z0-9_]', '*', word)}*")
        if pattern != "*":  # else the word asks for nothing that a server understands
            wanted.append(_one_of(f"({attribute}={pattern})" for attribute in attributes))
    return _users(settings, "".join(wanted) or f"({settings.mail_attribute}=*)") if words else None


def user_attributes(settings: LdapSettings) -> list[str]:
    """Name the attributes that tell who somebody is; no secrets: delivery needs no right to those."""
    names = ("mail", "alias", "name", "login", "identity", "quota")
    return list(dict.fromkeys(filter(None, (getattr(settings, f"{name}_attribute") for name in names))))


def secret_attributes(settings: LdapSettings) -> list[str]:
    """Name the attributes that hold secrets."""
    return [name for name in (settings.secret_attribute, settings.alternates_attribute) if name]
