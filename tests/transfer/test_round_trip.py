"""What an export writes an import reads: folders, marks, dates and bytes are the same; a second run adds nothing."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eas.transfer.marks import Marks
from storage.records import Set
from storage.views import BOTTOM, TOP
from tests.transfer.boxes import exported, imported, mails, make_folder, new_account, paths, put, source, target

KINDS = ["maildir", "mbox"]
NASTY = [
    b"From me\r\nFrom you\r\n>From us\r\n",
    b"Subject: a\r\n\r\nFrom me Thu Jan  1 00:00:00 1970\r\n\r\nFrom me Thu Jan  1 00:00:00 1970\r\n>>From x\r\n",
    b"Status: RO\r\nX-Status: AF\r\nX-Petit-Bleu: 1 2\r\nSubject: a\r\n\r\nb\r\n",
    b"Subject: no line end\r\n\r\nlast",
    b"Subject: no body",
    b"Subject: no body\r\n",
    b"Subject: empty body\r\n\r\n",
    b"Subject: empty lines\r\n\r\n\r\n\r\n\r\n",
    b"\r\n\r\nno header\r\n",
    b"Subject: 8 bit \xe4\xf6 \x00\r\n\r\nbare \r CR\r\r\n",
    b"Subject: long\r\n\r\n" + b"x" * 200_000 + b"\r\nFrom x\r\n" + b"From y" * 20_000,
    b"Subject: very long\r\n\r\n" + b"From me\r\n" * 300_000,
]
NAMES = st.sampled_from(
    ["Sent", "Trash", "Lists", "A.B", "R&D", "Entwürfe", "日本", "50%", "%41", ".hidden", "a/b", "~", "x.mbox", "y.SBD"]
) | st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name == name.strip()
)
MARKS = st.builds(
    Marks,
    read=st.booleans(),
    answered=st.booleans(),
    flagged=st.booleans(),
    draft=st.booleans(),
    categories=st.lists(st.sampled_from(["Blue", "Red Category", "$", "ö", "100%"]), unique=True).map(
        lambda names: tuple(sorted(names))
    ),
)
BODIES = st.sampled_from(NASTY[:-1]) | st.binary(min_size=1, max_size=60).map(
    lambda raw: b"Subject: x\r\n\r\n" + raw.replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")
)
MAILS = st.tuples(st.integers(0, 5), BODIES, MARKS, st.integers(0, 2_000_000_000_000))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(st.tuples(NAMES, st.integers(0, 4)), max_size=4), boxes=st.lists(MAILS, max_size=6))
def test_import_undoes_export(
    kind: str, names: list[tuple[str, int]], boxes: list[tuple[int, bytes, Marks, int]]
) -> None:
    async def check(folder: Path) -> None:
        account, other = new_account(), new_account()
        ids = ["inbox", "sent"]
        for name, parent in names:
            ids.append(await make_folder(account, name, ids[parent] if parent < len(ids) else None))
        for place, content, marks, date_ms in boxes:
            await put(account, ids[place % len(ids)], content, marks, date_ms)
        await exported(account, target(kind, folder))
        done = await imported(other, source(kind, folder))
        assert done.failed == []
        assert await mails(other) == await mails(account)
        assert await paths(other) == await paths(account)
        again = await exported(account, target(kind, folder))
        assert (again.written, again.known) == (0, len(boxes))
        for account_before in (other, account):
            once_more = await imported(account_before, source(kind, folder))
            assert (once_more.added, once_more.known) == (0, len(boxes))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


@pytest.mark.parametrize("kind", KINDS)
async def test_messages_that_could_break_a_format_come_back_to_the_byte(kind: str, tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    for content in NASTY:
        await put(account, "inbox", content)
    await exported(account, target(kind, tmp_path))
    await imported(other, source(kind, tmp_path))
    assert await mails(other) == await mails(account)


@pytest.mark.parametrize("kind", KINDS)
async def test_copies_of_one_message_stay_as_many(kind: str, tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    for _ in range(3):
        await put(account, "inbox", b"Subject: a\r\n\r\nb\r\n")
    await exported(account, target(kind, tmp_path))
    assert (await imported(other, source(kind, tmp_path))).added == 3
    assert (await imported(other, source(kind, tmp_path))).added == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_user_moved_or_removed_stays_so(kind: str, tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    for number in range(3):
        await put(account, "inbox", b"Subject: %d\r\n\r\nb\r\n" % number)
    await exported(account, target(kind, tmp_path))
    await imported(other, source(kind, tmp_path))
    async with other.turn() as state:
        first, second, _ = [floor.item for floor in await state.floors("inbox", BOTTOM, TOP)]
        await other.commit([Set(first, "folder", "archive"), Set(second, "folder", None)])
    before = await mails(other)
    assert (await imported(other, source(kind, tmp_path))).added == 0
    assert await mails(other) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_second_export_adds_what_is_new(kind: str, tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    await put(account, "inbox", b"Subject: 1\r\n\r\n")
    await exported(account, target(kind, tmp_path))
    await put(account, "inbox", b"Subject: 2\r\n\r\n", date_ms=5000)
    done = await exported(account, target(kind, tmp_path))
    assert (done.written, done.known) == (1, 1)
    await imported(other, source(kind, tmp_path))
    assert await mails(other) == await mails(account)


async def test_a_maildir_follows_what_was_moved_and_marked(tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    item = await put(account, "inbox", b"Subject: 1\r\n\r\n")
    await exported(account, target("maildir", tmp_path))
    async with account.turn():
        await account.commit([Set(item, "folder", "archive"), Set(item, "read", True)])
    done = await exported(account, target("maildir", tmp_path))
    assert (done.written, done.known) == (0, 1)
    await imported(other, source("maildir", tmp_path))
    assert await mails(other) == await mails(account)


@pytest.mark.parametrize("kind", KINDS)
async def test_one_folder_is_exported_alone(kind: str, tmp_path: Path) -> None:
    account, other = new_account(), new_account()
    lists = await make_folder(account, "Lists")
    await put(account, "inbox", b"Subject: 1\r\n\r\n")
    await put(account, lists, b"Subject: 2\r\n\r\n")
    assert (await exported(account, target(kind, tmp_path), [lists])).written == 1
    await imported(other, source(kind, tmp_path))
    assert [mail.path for mail in await mails(other)] == [("Lists",)]
