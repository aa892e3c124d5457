"""Is the store whole?  What can be seen without keys; what lies in an account, `check_account.py` looks at.

Every name is one of ours, the commits of each writer follow each other without a gap and each names the hash of the one
before, checkpoints and keys are genuine in form.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from storage import checkpoint, objects, paths
from storage.engine import Engine, Entry, NotFound, after_prefix
from storage.feeds.message import BYTES_MAX, feed_key, unpack
from storage.keyring.objects import Vault, load, unpack_public
from storage.keyring.slots import SlotKind
from storage.paths import Kind, MalformedName
from storage.seal import SealError

LISTED_AT_ONCE = 1000
READ_AT_ONCE = 64


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
    aside: int = 0
    """Objects that a repair set aside."""
    findings: list[Finding] = field(default_factory=list)
    advance: Callable[[int], None] = field(default=lambda _count: None, repr=False)
    """Hears of objects as they are looked at."""

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
    await _check_feed(vault, report)
    async for account in _accounts(engine, report):
        names = await listed(engine, paths.account_prefix(account), report)
        report.accounts += 1
        report.aside += len(names[Kind.ASIDE])
        await _check_keys(vault, account, report, is_in_use=bool(names[Kind.LOG] or names[Kind.CHECKPOINT]))
        covered = await _check_checkpoints(engine, [*names[Kind.CHECKPOINT], *names[Kind.OLD_CHECKPOINT]], report)
        await _check_log(engine, names[Kind.LOG], covered, report)


async def _check_feed(vault: Vault, report: Report) -> None:
    """Open what nodes tell each other.  Only wakes: what is lost of it costs a moment."""
    key = feed_key(vault.deployment_key)
    for entry in (await listed(vault.engine, paths.prefix(Kind.FEED), report))[Kind.FEED]:
        with suppress(NotFound):  # it went meanwhile, as they do
            try:
                unpack(key, entry.key, await vault.engine.get(entry.key, 0, BYTES_MAX + 1))
            except SealError as error:
                report.odd(entry.key, str(error))


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


async def listed(engine: Engine, prefix: str, report: Report) -> dict[Kind, list[Entry]]:
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
        report.advance(len(page))
        after = page[-1].key
    return found


async def _check_keys(vault: Vault, account: str, report: Report, *, is_in_use: bool) -> None:
    stored = await load(vault, account)
    for damaged in [*stored.damaged, *stored.damaged_rings]:
        report.error(damaged.name, str(damaged))
    if not stored.publics and is_in_use:
        report.error(f"a/{account}/public", "is missing, though there is a log: nobody is let in, and mail waits")
        return
    if not stored.publics:
        report.odd(f"a/{account}", "has no public key: its creation did not end, and `account add` begins it anew")
        return
    for name, data in stored.publics.items():
        try:
            unpack_public(vault.deployment_key, name, data)
        except SealError as error:
            report.error(error.name, str(error))
    if not stored.rings:
        report.error(f"a/{account}", "has no private keys: what was delivered cannot be read")
    else:
        try:
            stored.ring()
        except SealError as error:  # one of a newer epoch is missing
            report.error(error.name, str(error))
    if not any(slot.slot.kind is SlotKind.MAIN for slot in stored.living):
        others = "a recovery key sets a new one" if stored.living else "no password opens it"
        report.error(f"a/{account}/slot", f"the main password's is missing or damaged: {others}")


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
        report.advance(len(part))
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


def summary(report: Report, opened: Collection[str] = ()) -> str:
    """Return the result in a line or two."""
    errors = sum(finding.is_error for finding in report.findings)
    text = (
        f"{report.accounts} accounts, {report.objects} objects, {report.size_bytes} bytes; "
        f"{errors} errors, {len(report.findings) - errors} oddities"
    )
    if report.opened:
        orphans = ", ".join(f"{count} {kind}s" for kind, count in sorted(report.orphans.items()))
        text += f"\nopened {', '.join(opened) or report.opened}: {report.items} items"
        text += f"; nothing names {orphans}" if orphans else ""
    if report.aside:
        text += f"\n{report.aside} objects were set aside by a repair"
    return text
