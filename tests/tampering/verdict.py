"""What came of a spoilt store: was it noticed and named, and was anything shown that never was?"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import structlog

from storage import paths
from storage.checking.check import Report, check_store
from storage.checking.check_account import check_account
from storage.engine import EngineError
from storage.paths import Kind
from storage.seal import SealError
from tests.tampering.kept import USERS, Kept, Seen, look
from tests.tampering.phone import asked
from tests.tampering.spoils import Spoil


@dataclass
class Outcome:
    """Of one spoilt store."""

    seen: dict[int, Seen] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """Every error in words: of the log, of the check, and what was raised."""
    orphans: int = 0
    phone: dict[str, str] = field(default_factory=dict)
    """What the phone was answered, by request."""


async def outcome_of(kept: Kept, spoil: Spoil) -> Outcome:
    """Open everything in a process that was just started, ask as the phone would, and check the store."""
    contents = {name: data for name, data in {**kept.contents, **spoil.changes}.items() if data is not None}
    found = Outcome()
    with structlog.testing.capture_logs() as events:
        store = kept.node(contents)
        report = Report()
        try:
            await check_store(store.vault, report)
            for user in USERS:
                found.seen[user], account = await look(store, user)
                if account is not None:
                    await check_account(store.engine, account, report, is_deep=True)
        except (EngineError, SealError) as error:
            found.said.append(repr(error))
        found.phone = await asked(kept.node(contents), deepcopy(kept.mailbox))
    found.orphans = report.orphans.total()
    found.said += [failure for seen in found.seen.values() for failure in seen.failures]
    found.said += [f"{finding.where} {finding.what}" for finding in report.findings]
    found.said += [_in_words(event) for event in events if event["log_level"] in ("warning", "error")]
    return found


def _in_words(event: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in event.items())


def faults(kept: Kept, spoil: Spoil, found: Outcome) -> list[str]:
    """Return what must not be."""
    wrong = []
    spoilt = {paths.parse(name).account for name in spoil.changes}
    accounts = {user: kept.account(user) for user in USERS}
    for user, seen in found.seen.items():
        if accounts[user] not in spoilt and seen != kept.truth[user]:
            wrong.append(f"account {user} was not touched, and shows something else")
        wrong += _never_were(kept, user, seen)
    is_named = any(_names(text, name, data) for text in found.said for name, data in spoil.changes.items())
    if not (is_named or _is_out_of_sight(kept, spoil)):
        is_right = all(found.seen.get(user) == kept.truth[user] for user in USERS)
        if not is_right:
            wrong.append("not named, and something else shown")
        elif not all(_is_of_no_effect(kept, found, name, spoil.changes) for name in spoil.changes):
            wrong.append("not named")
    wrong += [f"{request}: {answer}" for request, answer in found.phone.items() if answer in ("3", "9", "12", "7")]
    return wrong


def _never_were(kept: Kept, user: int, seen: Seen) -> list[str]:
    wrong = [
        f"account {user} shows {item} as it never was"
        for item, shown in seen.items.items()
        if shown not in kept.ever[user].get(item, ()) and not _failed_only(shown, kept.ever[user].get(item, set()))
    ]
    return wrong + [f"account {user} shows the folder {folder}" for folder in seen.folders - kept.folders[user]]


def _failed_only(shown: Any, ever: set[Any]) -> bool:
    return shown.content is None and any(shown._replace(content=was.content) == was for was in ever)


def _is_out_of_sight(kept: Kept, spoil: Spoil) -> bool:
    """Tell whether nobody can know of it: the store is as it once was, and nothing that is left says otherwise.

    The end of a log that no device has seen; a password's slot as it was before the password was changed.
    """
    if any(paths.parse(name).kind is not Kind.SLOT for name in spoil.changes):
        return all(data is None and kept.is_unseen_tail(name) for name, data in spoil.changes.items())
    put_back = {name: data for name, data in spoil.changes.items() if data is not None}
    return bool(put_back) and all(data in kept.older.get(name, ()) for name, data in put_back.items())


def _names(text: str, name: str, data: bytes | None) -> bool:
    """Tell whether *text* says which object it is; of one that is gone, where it is missed."""
    parsed = paths.parse(name)
    if name in text or (parsed.kind is Kind.LOG and parsed.id in text):
        return True
    return data is None and parsed.account != "" and parsed.account in text


def _is_of_no_effect(kept: Kept, found: Outcome, name: str, changes: Mapping[str, bytes | None]) -> bool:
    """Tell whether that may go unmentioned where the account shows what it should."""
    data, kind = changes[name], paths.parse(name).kind
    if data is None:  # a collector might have taken it, or it was never missed
        return True
    if name not in kept.contents and kind in (Kind.BLOB, Kind.PAGE, Kind.PACK):
        return found.orphans > kept.orphans  # left over, and counted as that
    if (
        name not in kept.contents and kind is Kind.SLOT
    ):  # beside a revoked one: it opens nothing, whatever else is there
        return True
    return name in kept.older and data in kept.older[name]  # back again, and of no use to anybody
