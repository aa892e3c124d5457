"""The verdict: after all has come to rest, what phones and store hold is what was promised."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final

from tests.soak.asking import Fault
from tests.soak.kept import petitbleu
from tests.soak.ledger import Ledger
from tests.soak.letters import body_digest, token_of
from tests.soak.nodes import Node
from tests.soak.phone import ROLES, Phone
from tests.soak.plan import Plan, Seen, address, password
from tests.support.sync_requests import MIME, BodyPreference

OPENED_EACH: Final = 40
"""Mails of each account that are fetched and compared byte by byte; that all open, `check --deep` tells."""
Held = dict[str, dict[str, tuple[str, bool, bool]]]
"""Folder → item → token, read, flagged."""


async def judge(plan: Plan, nodes: Sequence[Node], phones: Sequence[Phone], ledger: Ledger, seen: Seen) -> None:
    """Look at everything; what is wrong goes to *seen*."""
    for account in range(1, plan.accounts + 1):
        own = [phone for phone in phones if phone.account == account]
        fresh = Phone(plan, plan.phones + account - 1, nodes, ledger, seen, name="fresh")
        async with fresh:
            try:
                await _catch_up([*own, fresh])
                compare(account, [*own, fresh], ledger, seen)
                await _open_some(Random(f"{plan.seed} {account}"), fresh, ledger, seen)
            except (Fault, AssertionError) as error:
                seen.fault(f"u{account} at the end: {error!r}")
    await _check(plan, nodes[0], seen)
    for node in nodes:
        _read_log(node, seen)
        seen.counts["most MB held by a node"] = max(
            seen.counts["most MB held by a node"], node.memory_bytes() // 1_000_000
        )


async def _catch_up(phones: Sequence[Phone]) -> None:
    for phone in phones:
        phone.way.is_lossy = False
        if not phone.client.mailbox.hierarchy:
            await phone.set_up(makes_folder=False)
    for phone in phones:
        for role in ROLES:
            await phone.look(role)


def _held(phone: Phone) -> Held:
    return {
        role: {
            server_id: (token_of(item.subject), item.is_read, item.is_flagged)
            for server_id, item in phone.folder(role).items.items()
        }
        for role in ROLES
    }


def compare(account: int, phones: Sequence[Phone], ledger: Ledger, seen: Seen) -> None:
    """Compare what *phones* of an account hold with each other, and with the *ledger*."""
    held = [_held(phone) for phone in phones]
    for phone, each in zip(phones, held, strict=True):
        if each != held[-1]:
            seen.fault(f"{phone.name} holds something else than a new phone: {_difference(each, held[-1])}")
    last = held[-1]
    mails = Counter((role == "sent", token) for role in ROLES for token, _, _ in last[role].values() if token)
    for token in ledger.left:  # whether it came is anybody's guess
        del mails[False, token], mails[True, token]
    came = Counter({token: count for (is_copy, token), count in mails.items() if not is_copy})
    expected = ledger.expected(account)
    doubled = {token for token, count in came.items() if count > 1}
    excused = doubled & ledger.asked_again
    seen.counts["mails of phones that went out once more"] += len(excused)
    erased = {token for (whose, token), promise in ledger.promises.items() if whose == account and promise.is_erased}
    _none(seen, account, "lost", expected - came.keys() - erased)
    _none(seen, account, "erased and there", erased & came.keys())
    _none(seen, account, "twice", doubled - excused)
    _none(seen, account, "from nowhere", came.keys() - expected)
    copies = Counter({token: count for (is_copy, token), count in mails.items() if is_copy})
    _none(seen, account, "without a copy in Sent Items", ledger.copies(account) - copies.keys())
    _none(seen, account, "with two copies in Sent Items", {token for token, count in copies.items() if count > 1})
    seen.counts["mails held at the end"] += came.total()
    _keep_promises(account, last, ledger, seen)


def _none(seen: Seen, account: int, what: str, tokens: set[str]) -> None:
    if tokens:
        seen.fault(f"u{account}: {len(tokens)} mails {what}: {sorted(tokens)[:5]}")


def _keep_promises(account: int, held: Held, ledger: Ledger, seen: Seen) -> None:
    roles = [role for role in ROLES if role != "sent"]  # a mail to oneself lies there, too
    places = {token: (role, read, flag) for role in roles for token, read, flag in held[role].values()}
    for (whose, token), promise in ledger.promises.items():
        if whose != account or token not in places:
            continue
        role, is_read, is_flagged = places[token]
        for name, promised, found in (
            ("folder", promise.folder, role),
            ("read", promise.is_read, is_read),
            ("flag", promise.is_flagged, is_flagged),
        ):
            if promised is not None:
                seen.counts["promises kept"] += promised == found
                if promised != found:
                    seen.fault(f"u{account}: {token}: {name} is {found}, and {promised} was acknowledged")


async def _open_some(random: Random, phone: Phone, ledger: Ledger, seen: Seen) -> None:
    """Compare the bytes of a few mails with what was sent."""
    folder = phone.folder("inbox")
    known = [item for item in folder.items.values() if token_of(item.subject) in ledger.letters]
    for item in random.sample(known, min(len(known), OPENED_EACH)):
        fetched = await phone.client.fetch(
            folder.collection_id, item.server_id, body=BodyPreference(MIME), mime_support=2
        )
        if body_digest(fetched.item.body.encode()) != ledger.letters[token_of(item.subject)].digest:
            seen.fault(f"{item.subject} has other bytes than were sent")
        seen.counts["mails compared byte by byte"] += 1


async def _check(plan: Plan, node: Node, seen: Seen) -> None:
    names = [address(account) for account in range(1, plan.accounts + 1)]
    options = [word for name in names for word in ("--account", name)]
    checking = await asyncio.create_subprocess_exec(
        *petitbleu("check", "--config", str(node.config), "--deep", "--password-stdin", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    given = "".join(f"{password(account)}\n" for account in range(1, plan.accounts + 1))
    said, _ = await checking.communicate(given.encode())
    if checking.returncode != 0:
        seen.fault(f"check --deep: {said.decode()[-2000:]}")
    seen.checked = said.decode().strip().splitlines()[-1:]


def _read_log(node: Node, seen: Seen) -> None:
    """Count what the node logged as an error or a warning; whatever it did not foresee is a fault."""
    for line in node.log.read_text(errors="replace").splitlines():
        event: dict[str, object] = {}
        with suppress(ValueError):
            event = json.loads(line)
        if event.get("level") in ("error", "warning"):
            seen.logged[f"{event['level']}: {event.get('event')}"] += 1
        name = str(event.get("event"))
        if event.get("level") == "error" and ("exception" in event or name.endswith(("failed", "lost_data", "broken"))):
            seen.fault(f"{node.config.stem} logged {line[:600]}")


def _difference(one: Held, other: Held) -> str:
    for role in ROLES:
        for server_id in one[role].keys() | other[role].keys():
            mine, theirs = one[role].get(server_id), other[role].get(server_id)
            if mine != theirs:
                return f"{role} {server_id}: {mine} and {theirs}"
    return "nothing"
