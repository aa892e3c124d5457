"""Names are made in one way, and nothing else is read as one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import paths
from storage.engine import KEY_BYTES_MAX, check_key
from storage.paths import NUMBER_MAX, Kind, MalformedName, Name, Version

KEY = bytes(range(32))
ACCOUNT = paths.account_of(KEY, "anna@example.org")
ID = "0123456789abcdef0123456789abcdef"
WRITER = "0123456789abcdef"
VERSION = Version(5, "89abcdef")

NAMES = {
    f"a/{ACCOUNT}/log/{WRITER}/000000000a": Name(Kind.LOG, ACCOUNT, WRITER, 10),
    f"a/{ACCOUNT}/log/folded/{ID}": Name(Kind.CHECKPOINT, ACCOUNT, ID),
    f"a/{ACCOUNT}/ck/{ID}": Name(Kind.OLD_CHECKPOINT, ACCOUNT, ID),
    f"a/{ACCOUNT}/page/{ID}": Name(Kind.PAGE, ACCOUNT, ID),
    f"a/{ACCOUNT}/blob/{ID}": Name(Kind.BLOB, ACCOUNT, ID),
    f"a/{ACCOUNT}/pack/{ID}": Name(Kind.PACK, ACCOUNT, ID),
    f"a/{ACCOUNT}/slot/{ID}/0000000005-89abcdef": Name(Kind.SLOT, ACCOUNT, ID, 5, "89abcdef"),
    f"a/{ACCOUNT}/ring/0000000005-89abcdef": Name(Kind.RING, ACCOUNT, "", 5, "89abcdef"),
    f"a/{ACCOUNT}/public/0000000005-89abcdef": Name(Kind.PUBLIC, ACCOUNT, "", 5, "89abcdef"),
    f"a/{ACCOUNT}/aside/{ID}": Name(Kind.ASIDE, ACCOUNT, ID),
    f"a/{ACCOUNT}/claim/{ID}": Name(Kind.CLAIM, ACCOUNT, ID),
    f"a/{ACCOUNT}/seen": Name(Kind.SEEN, ACCOUNT),
    f"feed/{WRITER}/ffffffffff": Name(Kind.FEED, "", WRITER, NUMBER_MAX),
    f"probe/{ID}": Name(Kind.PROBE, "", ID),
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a",
        "a/",
        f"a/{ACCOUNT}",
        f"a/{ACCOUNT}/",
        f"a/{ACCOUNT}/nothing",
        f"a/{ACCOUNT[:-1]}/usage",
        f"a/{ACCOUNT}0/usage",
        f"a/{ACCOUNT.upper()}/usage",
        f"A/{ACCOUNT}/usage",
        f"a/{ACCOUNT}/usage/",
        f"a/{ACCOUNT}/usage\n",
        f"a/{ACCOUNT}/log",
        f"a/{ACCOUNT}/log/{WRITER}",
        f"a/{ACCOUNT}/log/{WRITER}/",
        f"a/{ACCOUNT}/log/{WRITER}/0000000000",
        f"a/{ACCOUNT}/log/{WRITER}/00000000a",
        f"a/{ACCOUNT}/log/{WRITER}/000000000A",
        f"a/{ACCOUNT}/log/{WRITER}/000000000a/",
        f"a/{ACCOUNT}/log/{WRITER}/000000000a/b",
        f"a/{ACCOUNT}/log/{WRITER}/00000000000a",
        f"a/{ACCOUNT}/log/{WRITER}/000000000a-89abcdef",
        f"a/{ACCOUNT}/log/{WRITER[:-1]}/000000000a",
        f"a/{ACCOUNT}/log/{WRITER}٣/000000000a",
        f"a/{ACCOUNT}/blob/{ID[:15]}",
        f"a/{ACCOUNT}/blob/{ID}{ID}0",
        f"a/{ACCOUNT}/blob/../usage",
        f"a/{ACCOUNT}/slot/{ID}/0000000005",
        f"a/{ACCOUNT}/slot/{ID}/0000000000-89abcdef",
        f"a/{ACCOUNT}/slot/0000000005-89abcdef",
        f"a/{ACCOUNT}/ring/0000000005-89abcdeg",
        f"a/{ACCOUNT}/feed/{WRITER}/0000000001",
        f"a/{ACCOUNT}/probe/{ID}",
        f"log/{WRITER}/0000000001",
        f"feed/{WRITER}",
        "probe",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(MalformedName):
        paths.parse(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: paths.log("anna@example.org", WRITER, 1),
        lambda: paths.log(ACCOUNT, WRITER, 0),
        lambda: paths.log(ACCOUNT, WRITER, -1),
        lambda: paths.log(ACCOUNT, WRITER, NUMBER_MAX + 1),
        lambda: paths.log(ACCOUNT, "", 1),
        lambda: paths.log(ACCOUNT, "../" + WRITER, 1),
        lambda: paths.blob(ACCOUNT, ""),
        lambda: paths.blob(ACCOUNT, "x" * 65),
        lambda: paths.blob(ACCOUNT, "x" * 15),
        lambda: paths.blob(ACCOUNT, ID + "/1"),
        lambda: paths.slot(ACCOUNT, ID, paths.NO_VERSION),
        lambda: paths.slot(ACCOUNT, ID, Version(1, "")),
        lambda: paths.ring(ACCOUNT, Version(1, "xyz")),
        lambda: paths.feed("", 1),
        lambda: paths.make(Name(Kind.SEEN, ACCOUNT, ID)),
        lambda: paths.make(Name(Kind.PROBE, ACCOUNT, ID)),
        lambda: paths.make(Name(Kind.RING, ACCOUNT, ID, 1, "89abcdef")),
        lambda: paths.prefix(Kind.SEEN, ACCOUNT),
        lambda: paths.prefix(Kind.LOG, ""),
        lambda: paths.prefix(Kind.LOG, ACCOUNT, "x"),
        lambda: paths.prefix(Kind.BLOB, ACCOUNT, ID),
        lambda: paths.prefix(Kind.FEED, ACCOUNT),
        lambda: paths.account_prefix(""),
        lambda: paths.account_of(KEY, ""),
        lambda: paths.account_of(KEY, "a" * 321),
    ],
)
def test_parts_that_do_not_fit_make_no_name(make: Callable[[], str]) -> None:
    with pytest.raises(MalformedName):
        make()


@pytest.mark.parametrize(("text", "name"), NAMES.items(), ids=[name.kind for name in NAMES.values()])
def test_parsing_undoes_making(text: str, name: Name) -> None:
    assert paths.make(name) == text
    assert paths.parse(text) == name
    assert check_key(text) == text


def test_each_kind_is_made_by_its_own_function() -> None:
    assert list(NAMES) == [
        paths.log(ACCOUNT, WRITER, 10),
        paths.checkpoint(ACCOUNT, ID),
        paths.make(Name(Kind.OLD_CHECKPOINT, ACCOUNT, ID)),
        paths.page(ACCOUNT, ID),
        paths.blob(ACCOUNT, ID),
        paths.pack(ACCOUNT, ID),
        paths.slot(ACCOUNT, ID, VERSION),
        paths.ring(ACCOUNT, VERSION),
        paths.public(ACCOUNT, VERSION),
        paths.aside(ACCOUNT, ID),
        paths.claim(ACCOUNT, ID),
        paths.seen(ACCOUNT),
        paths.feed(WRITER, NUMBER_MAX),
        paths.probe(ID),
    ]
    assert {name.kind for name in NAMES.values()} == set(Kind)


def test_checkpoints_come_after_all_commits() -> None:
    assert paths.checkpoint(ACCOUNT, "0" * 16) > paths.log(ACCOUNT, "f" * 16, NUMBER_MAX)


def test_a_prefix_begins_all_names_of_its_kind_and_no_other_but_for_checkpoints_behind_the_log() -> None:
    for text, name in NAMES.items():
        if name.kind is Kind.SEEN:
            continue
        start = paths.prefix(name.kind, name.account)
        listed = [other for other in NAMES if other.startswith(start)]
        assert listed == ([text, paths.checkpoint(ACCOUNT, ID)] if name.kind is Kind.LOG else [text])
        if name.kind in (Kind.LOG, Kind.SLOT, Kind.FEED):
            assert text.startswith(paths.prefix(name.kind, name.account, name.id))
    assert all(text.startswith(paths.account_prefix(ACCOUNT)) is bool(name.account) for text, name in NAMES.items())
    assert paths.account_prefix(ACCOUNT).startswith(paths.ACCOUNTS)


@given(st.integers(1, NUMBER_MAX), st.integers(1, NUMBER_MAX))
def test_the_order_of_names_is_that_of_numbers(one: int, other: int) -> None:
    assert (paths.log(ACCOUNT, WRITER, one) < paths.log(ACCOUNT, WRITER, other)) is (one < other)
    versions = Version(one, "00000000"), Version(other, "ffffffff")
    assert (paths.ring(ACCOUNT, versions[0]) < paths.ring(ACCOUNT, versions[1])) is (versions[0] < versions[1])


@given(
    st.text(max_size=80)
    | st.sampled_from(sorted(NAMES)).flatmap(lambda text: st.integers(0, 80).map(lambda i: text[:i]))
)
def test_any_text_is_refused_or_made_again(text: str) -> None:
    try:
        name = paths.parse(text)
    except MalformedName:
        return
    assert paths.make(name) == text


def test_an_account_is_told_by_key_and_address() -> None:
    assert (
        len({ACCOUNT, paths.account_of(KEY, "anna@example.com"), paths.account_of(bytes(32), "anna@example.org")}) == 3
    )
    assert "anna" not in ACCOUNT


def test_new_ids_fit_and_differ() -> None:
    assert paths.parse(paths.log(ACCOUNT, paths.new_writer(), 1)).n == 1
    assert paths.parse(paths.blob(ACCOUNT, paths.new_id())).account == ACCOUNT
    after = VERSION.next()
    assert paths.parse(paths.ring(ACCOUNT, after)).version == after > VERSION
    assert VERSION.next() != after
    assert len({paths.new_id() for _ in range(100)}) == 100


def test_the_longest_name_fits_every_engine() -> None:
    assert len(paths.slot(ACCOUNT, "z" * 64, VERSION)) < KEY_BYTES_MAX
