"""The names of all objects: made here, and read back here.  `FORMAT.md` lists them.

    a/<account>/log/<writer>/<n>            one commit; n counts from 1 without gaps
    a/<account>/log/folded/<id>             a checkpoint        a/<account>/page/<id>   a page of it
    a/<account>/ck/<id>                     a checkpoint of the first versions; none is written any more
    a/<account>/blob/<id>                   the contents of one item
    a/<account>/pack/<id>                   the contents of many items, one after the other
    a/<account>/slot/<slot>/<version>       a password's way to the master key
    a/<account>/ring/<version>              the private keys    a/<account>/public/<version>  the public one
    a/<account>/claim/<id>                  the account is being created
    a/<account>/aside/<id>                  what a repair set aside
    a/<account>/seen                        what the collector noted as unneeded, and when
    feed/<node>/<n>                         what a node changed
    probe/<id>                              tests of the engine at start

Checkpoints lie behind all writers of the log (`folded` sorts after every hexadecimal digit), so that one listing of the
log brings first its commits and then the checkpoints: a commit that it no longer shows is in a checkpoint that it does.

<account> is 32 hexadecimal digits, a keyed hash of the user's address: no name of a user is in any key.  <writer> and
<node> are 16, n is 10 (so that key order is number order), other ids are 16 to 64 digits or small letters.  A <version>
is `<n>-<tag>`, with a random tag of 8 digits: writers that meet at one n do not overwrite each other; the greater tag
wins.
"""

import re
from enum import StrEnum
from secrets import token_hex
from typing import NamedTuple

from storage.seal import derive, keyed_hash

NUMBER_MAX = 16**10 - 1
ACCOUNT_BYTES = 16
ADDRESS_CHARS_MAX = 320
"""64 of a local part, `@`, 255 of a domain (RFC 5321)."""


class Kind(StrEnum):
    """What an object is, as its name says."""

    LOG = "log"
    CHECKPOINT = "log/folded"
    OLD_CHECKPOINT = "ck"
    PAGE = "page"
    BLOB = "blob"
    PACK = "pack"
    SLOT = "slot"
    RING = "ring"
    PUBLIC = "public"
    CLAIM = "claim"
    ASIDE = "aside"
    SEEN = "seen"
    FEED = "feed"
    PROBE = "probe"


class Version(NamedTuple):
    """Of several versions of one thing the greatest counts."""

    n: int
    tag: str

    def next(self) -> "Version":
        """Return a version after this one that nobody else makes."""
        return Version(self.n + 1, new_tag())


NO_VERSION = Version(0, "")
"""Before the first."""


class Name(NamedTuple):
    """An object's name, taken apart.  What its kind does not have is empty or 0."""

    kind: Kind
    account: str = ""
    id: str = ""
    """Writer, node, slot, or the object's own id."""
    n: int = 0
    tag: str = ""

    @property
    def version(self) -> Version:
        """The version of a slot, ring or public key."""
        return Version(self.n, self.tag)


class MalformedName(ValueError):  # reads better where it is caught
    """A key of the store, or a part for one, that nothing here made."""


_WRITER = "[0-9a-f]{16}"
_ID = "[0-9a-z]{16,64}"
_NUMBER = "[0-9a-f]{10}"
_TAG = "[0-9a-f]{8}"
_ACCOUNT = re.compile("[0-9a-f]{32}")

_SHAPES = {  # what follows the kind
    Kind.LOG: f"/(?P<id>{_WRITER})/(?P<n>{_NUMBER})",
    Kind.CHECKPOINT: f"/(?P<id>{_ID})",
    Kind.OLD_CHECKPOINT: f"/(?P<id>{_ID})",
    Kind.PAGE: f"/(?P<id>{_ID})",
    Kind.BLOB: f"/(?P<id>{_ID})",
    Kind.PACK: f"/(?P<id>{_ID})",
    Kind.SLOT: f"/(?P<id>{_ID})/(?P<n>{_NUMBER})-(?P<tag>{_TAG})",
    Kind.RING: f"/(?P<n>{_NUMBER})-(?P<tag>{_TAG})",
    Kind.PUBLIC: f"/(?P<n>{_NUMBER})-(?P<tag>{_TAG})",
    Kind.CLAIM: f"/(?P<id>{_ID})",
    Kind.ASIDE: f"/(?P<id>{_ID})",
    Kind.SEEN: "",
    Kind.FEED: f"/(?P<id>{_WRITER})/(?P<n>{_NUMBER})",
    Kind.PROBE: f"/(?P<id>{_ID})",
}
_PATTERNS = {kind: re.compile(shape) for kind, shape in _SHAPES.items()}
_OUTSIDE_ACCOUNTS = (Kind.FEED, Kind.PROBE)
CHECKPOINTS = (Kind.CHECKPOINT, Kind.OLD_CHECKPOINT)

ACCOUNTS = "a/"
"""The prefix of everything that belongs to an account."""


def account_of(deployment_key: bytes, address: str) -> str:
    """Return the account of a canonical address (`directory.canonical`): a keyed hash, so that names stay private."""
    if not address or len(address) > ADDRESS_CHARS_MAX:
        raise MalformedName("an address is empty or too long")
    return keyed_hash(derive(deployment_key, "account"), address.encode(), size=ACCOUNT_BYTES).hex()


def new_id() -> str:
    """Return a random id, 128 bits, for a checkpoint, page, blob, pack, slot or claim."""
    return token_hex(16)


def new_writer() -> str:
    """Return a random id, 64 bits, for a writer or node."""
    return token_hex(8)


def is_writer(text: str) -> bool:
    """Tell whether a writer or node may be called so."""
    return re.fullmatch(_WRITER, text) is not None


def new_tag() -> str:
    """Return a random tag, 32 bits, for a `Version`."""
    return token_hex(4)


def log(account: str, writer: str, n: int) -> str:
    """Name commit *n* (from 1) of *writer*."""
    return make(Name(Kind.LOG, account, writer, n))


def checkpoint(account: str, id_: str) -> str:
    """Name a checkpoint."""
    return make(Name(Kind.CHECKPOINT, account, id_))


def page(account: str, id_: str) -> str:
    """Name a page of checkpoints."""
    return make(Name(Kind.PAGE, account, id_))


def blob(account: str, id_: str) -> str:
    """Name the contents of an item."""
    return make(Name(Kind.BLOB, account, id_))


def pack(account: str, id_: str) -> str:
    """Name the contents of many items that lie in one object."""
    return make(Name(Kind.PACK, account, id_))


def slot(account: str, id_: str, version: Version) -> str:
    """Name one version of a slot."""
    return make(Name(Kind.SLOT, account, id_, *version))


def ring(account: str, version: Version) -> str:
    """Name one version of the private keys."""
    return make(Name(Kind.RING, account, "", *version))


def public(account: str, version: Version) -> str:
    """Name one version of the public key."""
    return make(Name(Kind.PUBLIC, account, "", *version))


def aside(account: str, id_: str) -> str:
    """Name what a repair set aside."""
    return make(Name(Kind.ASIDE, account, id_))


def claim(account: str, id_: str) -> str:
    """Name the claim of one who is creating the account."""
    return make(Name(Kind.CLAIM, account, id_))


def seen(account: str) -> str:
    """Name the collector's notes."""
    return make(Name(Kind.SEEN, account))


def feed(node: str, n: int) -> str:
    """Name message *n* (from 1) in a node's lane."""
    return make(Name(Kind.FEED, "", node, n))


def probe(id_: str) -> str:
    """Name an object that tests the engine."""
    return make(Name(Kind.PROBE, "", id_))


def prefix(kind: Kind, account: str = "", id_: str = "") -> str:
    """Return what the names of all objects of *kind* begin with; for log, slot and feed *id_* narrows it to one.

    Ends in `/`.  Raises `MalformedName`.
    """
    if kind is Kind.SEEN:
        raise MalformedName("a collector's notes are one object")
    start = _start(kind, account) + "/"
    if not id_:
        return start
    if kind not in (Kind.LOG, Kind.SLOT, Kind.FEED) or not re.fullmatch(_ID if kind is Kind.SLOT else _WRITER, id_):
        raise MalformedName(f"{kind} has nothing under {id_!r}")
    return f"{start}{id_}/"


def account_prefix(account: str) -> str:
    """Return what every name of an account begins with."""
    return _start(Kind.SEEN, account).removesuffix(Kind.SEEN)


def make(name: Name) -> str:
    """Put a name together; the inverse of `parse`.  Raises `MalformedName` for a part that does not fit its kind."""
    if not 0 <= name.n <= NUMBER_MAX:
        raise MalformedName(f"{name.kind}: number {name.n}")
    last = f"{name.n:010x}" if name.n else ""
    if name.tag:
        last += f"-{name.tag}"
    text = "/".join(part for part in (_start(name.kind, name.account), name.id, last) if part)
    if parse(text) != name:
        raise MalformedName(f"{name.kind}: {text[:512]!r}")
    return text


def parse(text: str) -> Name:
    """Take a name apart.  Raises `MalformedName` for whatever `make` does not make."""
    parts = text.split("/", 4)
    if parts[0] == "a" and len(parts) > 2:
        account, word = parts[1], parts[2]
        if parts[2:4] == Kind.CHECKPOINT.split("/"):
            word = Kind.CHECKPOINT
        if not _ACCOUNT.fullmatch(account) or word in _OUTSIDE_ACCOUNTS:
            raise MalformedName(f"not an account's object: {text[:512]!r}")
    else:
        account, word = "", parts[0]
        if word not in _OUTSIDE_ACCOUNTS:
            raise MalformedName(f"not an object of ours: {text[:512]!r}")
    try:
        kind = Kind(word)
    except ValueError:
        raise MalformedName(f"no kind of object: {text[:512]!r}") from None
    match = _PATTERNS[kind].fullmatch(text, len(_start(kind, account)))
    if match is None:
        raise MalformedName(f"not a {kind}: {text[:512]!r}")
    found = match.groupdict()
    n = int(found.get("n", "0"), 16)
    if n == 0 and "n" in found:
        raise MalformedName(f"numbers count from 1: {text[:512]!r}")
    return Name(kind, account, found.get("id", ""), n, found.get("tag", ""))


def _start(kind: Kind, account: str) -> str:
    if kind in _OUTSIDE_ACCOUNTS:
        if account:
            raise MalformedName(f"{kind} belongs to no account")
        return kind.value
    if not _ACCOUNT.fullmatch(account):
        raise MalformedName(f"not an account: {account[:64]!r}")
    return f"{ACCOUNTS}{account}/{kind.value}"
