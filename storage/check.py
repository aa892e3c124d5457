"""Is the store whole?  What can be seen without keys, and with an account's keys, what lies in it.

Without keys: every name is one of ours, the commits of each writer follow each other without a gap and each names the
hash of the one before, checkpoints and keys are genuine in form.  With keys: every commit opens, the checkpoints' pages
are there and open, every item's content is there in full length.  What nobody names is counted: crashes leave it behind
(`ARCHITECTURE.md`, "Order of writes"), and it harms nobody.

The store may be in use: what is missing in a listing is looked for once more, as its writer may just have put it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field

import msgpack

from storage import blobs, checkpoint, objects, paths
from storage.account import Account
from storage.chunks import Shape
from storage.engine import Engine, EngineError, Entry, NotFound, after_prefix
from storage.items import Item
from storage.key_objects import Vault, load
from storage.pages import unpack_contents, unpack_page
from storage.paths import Kind, MalformedName
from storage.records import Content
from storage.seal import SealError
from storage.state import State

LISTED_AT_ONCE = 1000
READ_AT_ONCE = 64
ITEMS_AT_ONCE = 512
_UNREADABLE = (SealError, ValueError, TypeError, msgpack.UnpackException)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; *is_error* False: odd, but nothing is lost."""

    where: str
    what: str
    is_error: bool = True


@dataclass(slots=True)
class Report:
    """What was found."""

    accounts: int = 0
    objects: int = 0
    size_bytes: int = 0
    opened: int = 0
    """Accounts that were looked at with their keys."""
    items: int = 0
    orphans: Counter[str] = field(default_factory=Counter)
    """Objects of opened accounts that nothing names, by kind."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.is_error for finding in self.findings)

    def error(self, where: str, what: str) -> None:
        """Note an error."""
        self.findings.append(Finding(where, what))

    def odd(self, where: str, what: str) -> None:
        """Note something odd."""
        self.findings.append(Finding(where, what, is_error=False))


async def check_store(vault: Vault, report: Report) -> None:
    """Look at every account without its keys.  Raises `EngineError`; an account that cannot be read is an error."""
    engine = vault.engine
    async for account in _accounts(engine, report):
        names = await _listed(engine, paths.account_prefix(account), report)
        report.accounts += 1
        await _check_keys(vault, account, report)
        covered = await _check_checkpoints(engine, names[Kind.CHECKPOINT], report)
        await _check_log(engine, names[Kind.LOG], covered, report)


async def check_account(engine: Engine, account: Account, report: Report, *, is_deep: bool = False) -> None:
    """Look at what an account holds, with its keys.  *is_deep*: every content is read and opened, too."""
    names = await _listed(engine, paths.account_prefix(account.id), Report())
    sizes = {entry.key: entry.size for entries in names.values() for entry in entries}
    report.opened += 1
    used_pages = await _check_pages(engine, account, names[Kind.CHECKPOINT], report)
    used_blobs: set[str] = set()
    try:
        async with account.turn() as state:
            _check_folded(state, names[Kind.LOG], report)
            async for items, contents in _contents(state):
                report.items += len(items)
                for item in items:
                    if (content := contents.get(item.id)) is not None:
                        used_blobs.add(paths.blob(account.id, content.blob))
                        await _check_content(engine, account, item, content, sizes, report, is_deep=is_deep)
    except (NotFound, *_UNREADABLE) as error:
        report.error(paths.account_prefix(account.id), f"its items cannot be listed: {error}")
        return
    report.orphans["page"] += sum(entry.key not in used_pages for entry in names[Kind.PAGE])
    report.orphans["blob"] += sum(entry.key not in used_blobs for entry in names[Kind.BLOB])


async def _accounts(engine: Engine, report: Report) -> AsyncIterator[str]:
    """Yield the accounts; a listing of one name each."""
    after = paths.ACCOUNTS
    while found := await engine.list(paths.ACCOUNTS, after, 1):
        account = found[0].key.split("/")[1]
        try:
            prefix = paths.account_prefix(account)
        except MalformedName:
            report.error(found[0].key, "not a name of ours")
            after = found[0].key
            continue
        yield account
        after = after_prefix(prefix)


async def _listed(engine: Engine, prefix: str, report: Report) -> dict[Kind, list[Entry]]:
    """Return all objects under *prefix* by kind, in order; what has a name not of ours is reported."""
    found: dict[Kind, list[Entry]] = {kind: [] for kind in Kind}
    after = prefix
    while page := await engine.list(prefix, after, LISTED_AT_ONCE):
        for entry in page:
            report.objects += 1
            report.size_bytes += entry.size
            try:
                found[paths.parse(entry.key).kind].append(entry)
            except MalformedName:
                report.error(entry.key, "not a name of ours")
        after = page[-1].key
    return found


async def _check_keys(vault: Vault, account: str, report: Report) -> None:
    stored = await load(vault, account)
    for damaged in stored.damaged:
        report.error(damaged.name, str(damaged))
    if not stored.publics:
        report.odd(f"a/{account}", "has no public key: its creation did not end, and `account add` begins it anew")
        return
    try:
        stored.public(vault.deployment_key)
    except SealError as error:
        report.error(error.name, str(error))
    if not stored.rings:
        report.error(f"a/{account}", "has no private keys: what was delivered cannot be read")
    if not stored.living:
        report.error(f"a/{account}", "no password opens it")


async def _check_checkpoints(engine: Engine, entries: Iterable[Entry], report: Report) -> dict[str, int]:
    """Return up to which commit of each writer some checkpoint covers the log."""
    covered: dict[str, int] = {}
    for entry in entries:
        try:
            clear = await checkpoint.fetch_clear(engine, entry.key)
        except NotFound:
            continue
        except SealError as error:
            report.error(entry.key, str(error))
            continue
        for writer, n in clear.commits.items():
            covered[writer] = max(n, covered.get(writer, 0))
    return covered


async def _check_log(engine: Engine, entries: list[Entry], covered: dict[str, int], report: Report) -> None:
    """Check each writer's commits: numbered without a gap (from 1, or after what a checkpoint covers), and chained."""
    before: dict[str, tuple[int, bytes | None]] = {}
    for start in range(0, len(entries), READ_AT_ONCE):
        part = [entry.key for entry in entries[start : start + READ_AT_ONCE]]
        for key, data in zip(part, await engine.get_many(part), strict=True):
            name = paths.parse(key)
            last, digest = before.get(name.id, (0, objects.FIRST))
            if name.n != last + 1:
                if name.n > covered.get(name.id, 0) + 1:
                    report.error(key, f"follows number {last}: commits are missing")
                digest = None  # what was before it is gone, covered by a checkpoint
            before[name.id] = name.n, None if data is None else objects.digest(data)
            if data is not None:
                _check_header(key, data, digest, report)
    for writer, n in covered.items():
        if writer in before and before[writer][0] < n:
            report.error(f"log of writer {writer}", f"ends at {before[writer][0]}, but a checkpoint covers {n}")


def _check_header(key: str, data: bytes, before: bytes | None, report: Report) -> None:
    try:
        header = objects.read_header(data)
    except objects.BrokenObject as error:
        report.error(key, str(error))
        return
    if before is not None and header.before != before:
        report.error(key, "does not name the commit before it: one of the two was replaced")


async def _check_pages(engine: Engine, account: Account, entries: Iterable[Entry], report: Report) -> set[str]:
    """Open every checkpoint and every page that it names; return the pages' names."""
    pages = checkpoint.SealedPages(engine, account.id, account.keys.page)
    used: set[str] = set()
    for entry in entries:
        try:
            state = await checkpoint.load(engine, account.id, account.keys.checkpoint, pages, entry.key)
        except NotFound:
            continue
        except _UNREADABLE as error:
            report.error(entry.key, f"does not open: {error}")
            continue
        for ref in state.base.refs:
            for page, unpack in ((ref.rows, unpack_page), (ref.contents, unpack_contents)):
                name = paths.page(account.id, page)
                if name in used:
                    continue
                used.add(name)
                try:
                    unpack(await pages.read(page))
                except NotFound:
                    report.error(name, f"is missing, and {entry.key} names it")
                except _UNREADABLE as error:
                    report.error(name, f"does not open: {error}")
    return used


def _check_folded(state: State, entries: Iterable[Entry], report: Report) -> None:
    """Check that every commit that is there was read: each writer's log is, up to the first that does not open."""
    last: dict[str, int] = {}
    for entry in entries:
        name = paths.parse(entry.key)
        last[name.id] = max(name.n, last.get(name.id, 0))
    for writer, n in last.items():
        folded = state.commits.get(writer, 0)
        if folded < n:
            report.error(f"log of writer {writer}", f"opens up to {folded} only, of {n}")


async def _contents(state: State) -> AsyncIterator[tuple[list[Item], dict[str, Content]]]:
    """Yield all items with their contents, some hundreds at a time."""
    batch: list[Item] = []
    async for item in _items(state):
        batch.append(item)
        if len(batch) >= ITEMS_AT_ONCE:
            yield batch, await state.contents([one.id for one in batch])
            batch = []
    yield batch, await state.contents([one.id for one in batch])


async def _items(state: State) -> AsyncIterator[Item]:
    async for item in state.base.items():
        if item.id not in state.touched:
            yield item
    for item in list(state.touched.values()):
        if item.exists:
            yield item


async def _check_content(
    engine: Engine,
    account: Account,
    item: Item,
    content: Content,
    sizes: dict[str, int],
    report: Report,
    *,
    is_deep: bool,
) -> None:
    name = paths.blob(account.id, content.blob)
    try:
        shape = Shape.unpack(content.shape)
        size = sizes[name] if name in sizes else len(await engine.get(name))
        if size != shape.sealed_bytes:
            report.error(name, f"has {size} bytes where {shape.sealed_bytes} are due; item {item.id}")
        elif is_deep:
            async for _piece in blobs.stream(engine, account.id, content):
                pass
    except NotFound:
        if item.membership.folder is not None:  # of a removed item it may be gone
            report.error(name, f"is missing; item {item.id} names it")
    except (SealError, ValueError, EngineError) as error:
        report.error(name, f"{error}; item {item.id}")


def summary(report: Report, opened: Collection[str] = ()) -> str:
    """Return the result in a line or two."""
    errors = sum(finding.is_error for finding in report.findings)
    text = (
        f"{report.accounts} accounts, {report.objects} objects, {report.size_bytes} bytes; "
        f"{errors} errors, {len(report.findings) - errors} oddities"
    )
    if report.opened:
        orphans = ", ".join(f"{count} {kind}s" for kind, count in sorted(report.orphans.items()))
        text += f"\nopened {', '.join(opened) or report.opened}: {report.items} items; nothing names {orphans}"
    return text
