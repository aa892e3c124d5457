"""What the entries of an LDAP directory mean.

One that cannot mean a user without a doubt is `UnfitEntry`: mail for it waits, rather than go back or to somebody else.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from storage.directories.accounts_file import QUOTA_BYTES_MAX, TEXT_CHARS_MAX
from storage.directories.directory import Entry, LoginName, Mailbox, canonical, search_words
from storage.directories.ldap_questions import WORDS_MAX, escaped_name
from storage.directories.ldap_settings import LdapSettings
from storage.errors import UnknownAddress
from storage.keyring.keys import SECRETS_MAX
from storage.paths import ADDRESS_CHARS_MAX
from storage.seal import KEY_BYTES, keyed_hash

ADDRESSES_MAX = 1000
"""Addresses of one user; an entry with more is unfit."""
SECRET_BYTES_MAX = 1024
_COMMON = b"common secret".ljust(KEY_BYTES, b"\0")
_NUMBER = re.compile(r"[0-9]{1,18}")

Attributes = Mapping[str, Sequence[bytes]]
"""An entry's values, as they came, by the attribute's name in small letters."""


class UnfitEntry(Exception):
    """An entry does not tell what it must; says why, for the administrator."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as it was found."""

    dn: str
    attributes: Attributes

    def texts(self, attribute: str) -> list[str]:
        """Return the values that are text, each once, in order: LDAP's values have none of their own."""
        found = set()
        for value in self.attributes.get(attribute.lower(), ()) if attribute else ():
            with suppress(UnicodeDecodeError):
                found.add(value.decode().strip())
        return sorted(found - {""})


@dataclass(frozen=True, slots=True)
class Found:
    """A user who was found."""

    dn: str
    mailbox: Mailbox
    logins: tuple[str, ...]
    """What he may type instead of an address, in small letters."""
    complaint: str = ""
    """What of the entry makes no sense, though one can live with it."""


def read_user(settings: LdapSettings, row: Row) -> Found:
    """Return whom an entry describes.  Raises `UnfitEntry`."""
    mails = _addresses(row.texts(settings.mail_attribute))
    if not mails:
        raise UnfitEntry(f"no address in {settings.mail_attribute}")
    quota, complaint = _quota(settings, row)
    aliases = [text for text in row.texts(settings.alias_attribute) if _is_alias(settings, text)]
    addresses = dict.fromkeys([*mails, *_addresses(text[len(settings.alias_prefix) :] for text in aliases)])
    if len(addresses) > ADDRESSES_MAX:
        raise UnfitEntry(f"more than {ADDRESSES_MAX} addresses")
    names = row.texts(settings.name_attribute)
    name = "".join(c for c in names[0] if c.isprintable())[:TEXT_CHARS_MAX] if names else ""
    mailbox = Mailbox(mails[0], tuple(addresses)[1:], name, quota, _identity(settings, row, mails))
    users = (address.rpartition("@")[0] for address in mails)
    logins = [text.lower() for text in row.texts(settings.login_attribute)] if settings.login_attribute else users
    return Found(row.dn, mailbox, tuple(dict.fromkeys(logins)), complaint)


def _is_alias(settings: LdapSettings, text: str) -> bool:
    return text.lower().startswith(settings.alias_prefix.lower())


def _addresses(texts: Iterable[str]) -> list[str]:
    found = set()
    for text in texts:
        with suppress(UnknownAddress):
            found.add(canonical(text))
    return sorted(found)


def _identity(settings: LdapSettings, row: Row, mails: Sequence[str]) -> str:
    if not settings.identity_attribute:
        if len(mails) > 1:  # which of them comes first would decide which account is his
            raise UnfitEntry(f"several values of {settings.mail_attribute}: set identity_attribute")
        return mails[0]
    values = row.attributes.get(settings.identity_attribute.lower(), ())
    if len(values) != 1 or not values[0]:
        raise UnfitEntry(f"{settings.identity_attribute} has not one value")
    try:
        text = values[0].decode().strip().lower()
    except UnicodeDecodeError:  # Active Directory's objectGUID is 16 bytes
        text = ""
    identity = text if text.isprintable() and text else values[0].hex()
    if len(identity) > ADDRESS_CHARS_MAX:
        raise UnfitEntry(f"{settings.identity_attribute} is longer than {ADDRESS_CHARS_MAX} characters")
    return identity


def _quota(settings: LdapSettings, row: Row) -> tuple[int | None, str]:
    texts = row.texts(settings.quota_attribute)
    if not texts:
        return None, ""
    if len(texts) > 1 or not _NUMBER.fullmatch(texts[0]):
        return None, f"{settings.quota_attribute} is no whole number: the account has no bound"
    return min(int(texts[0]) * settings.quota_unit_bytes, QUOTA_BYTES_MAX), ""


def read_secrets(settings: LdapSettings, row: Row, identity: str) -> tuple[bytes, ...]:
    """Return the user's secrets, the current one first.  Raises `UnfitEntry`.

    A common secret is another one for each user, so that nobody's password tells of another's.
    """
    own, older = (
        [value for value in row.attributes.get(name.lower(), ()) if value] if name else []
        for name in (settings.secret_attribute, settings.alternates_attribute)
    )
    if len(own) > 1:
        raise UnfitEntry(f"several values of {settings.secret_attribute}: the older belong into alternates_attribute")
    if not own and not settings.common_secret:
        raise UnfitEntry(f"no {settings.secret_attribute}, and there is no common_secret")
    texts = [text for text in (settings.common_secret, *settings.common_alternates) if text]
    common = [keyed_hash(_COMMON, text.encode(), identity.encode(), size=KEY_BYTES) for text in texts]
    secrets = tuple(dict.fromkeys((*(own or common[:1]), *sorted(older), *common)))[:SECRETS_MAX]
    if any(len(secret) > SECRET_BYTES_MAX for secret in secrets):
        raise UnfitEntry(f"a secret is longer than {SECRET_BYTES_MAX} bytes")
    return secrets


def bind_name(settings: LdapSettings, found: Found) -> str:
    """Return under which name the user's password is checked.  Raises `UnfitEntry`: never an empty one, anonymous."""
    if not settings.bind_as:
        if not found.dn:
            raise UnfitEntry("no name")
        return found.dn
    user, _, domain = found.mailbox.address.rpartition("@")
    login = found.logins[0] if found.logins else ""
    values = {"address": found.mailbox.address, "user": user, "domain": domain, "login": login}
    is_name = "=" in settings.bind_as

    def value(match: re.Match[str]) -> str:
        text = values[match.group(1)]
        if not text:
            raise UnfitEntry(f"no {settings.login_attribute} for bind_as")
        return escaped_name(text) if is_name else text

    return re.sub(r"\{([a-z]+)\}", value, settings.bind_as)


def owner_of(address: str, found: Sequence[Found]) -> Found | None:
    """Return who has the address, None if nobody.  Raises `UnfitEntry` when two do, unless it is one's own main one."""
    having = [one for one in found if address in one.mailbox.addresses]
    mains = [one for one in having if one.mailbox.address == address]
    best = mains or having
    if len(best) > 1:
        raise UnfitEntry(f"{len(best)} entries have one address: {' and '.join(one.dn for one in best[:2])}")
    return best[0] if best else None


def meant_by(name: LoginName, found: Sequence[Found]) -> Found | None:
    """Return whom a typed name means: whoever has the address, else the only one who has that login."""
    for address in name.exact:
        with suppress(UnfitEntry):
            if owner := owner_of(address, found):
                return owner
    same = [one for one in found if name.user in one.logins] if name.is_domain_open else []
    return same[0] if len(same) == 1 else None


def matching_people(settings: LdapSettings, rows: Iterable[Row], text: str, limit: int) -> list[Entry]:
    """Return those of whose name or address each word of *text* begins a word, by name."""
    words = search_words(text)[:WORDS_MAX]
    people = []
    for row in rows:
        with suppress(UnfitEntry):
            mailbox = read_user(settings, row).mailbox
            person = Entry(mailbox.display_name or mailbox.address, mailbox.address)
            own = {*search_words(person.display_name), *search_words(person.address), person.address}
            if all(any(one.startswith(word) for one in own) for word in words):
                people.append(person)
    people.sort(key=lambda person: (search_words(person.display_name), person.address))
    return people[: max(0, limit)]
