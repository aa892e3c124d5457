"""What is asked of LDAP, and what its entries mean; against a real server: tests/interop/test_slapd.py."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import compile_filter, parse_filter
from ldap3.utils.dn import parse_dn

from storage.directories.accounts_file import QUOTA_BYTES_MAX
from storage.directories.directory import SEARCH_RESULTS_MAX, Domains, Entry, LoginName
from storage.directories.ldap import LdapDirectory
from storage.directories.ldap_entries import (
    ADDRESSES_MAX,
    SECRET_BYTES_MAX,
    Found,
    Row,
    UnfitEntry,
    bind_name,
    matching_people,
    meant_by,
    owner_of,
    read_secrets,
    read_user,
)
from storage.directories.ldap_questions import (
    WORDS_MAX,
    address_filter,
    escaped,
    escaped_name,
    login_filter,
    search_filter,
    secret_attributes,
    user_attributes,
)
from storage.directories.ldap_servers import WAITING_MAX, LdapServers
from storage.directories.ldap_settings import SERVERS_MAX, LdapSettings, load_ldap_settings
from storage.errors import DirectoryUnavailable
from storage.keyring.keys import SECRETS_MAX
from storage.paths import ADDRESS_CHARS_MAX
from storage.private_file import UnsafeFile
from storage.toml_tables import SettingError

SETTINGS = LdapSettings(
    servers=("ldap://ldap.example.org",),
    base="ou=people,dc=example,dc=org",
    alias_attribute="alias",
    quota_attribute="quota",
    secret_attribute="secret",
    alternates_attribute="older",
)
NO_DOMAINS = Domains()


def row(dn: str = "uid=anna", **values: str | bytes | Sequence[str | bytes]) -> Row:
    """An entry; its mail is anna@example.org unless another is given."""
    given: dict[str, str | bytes | Sequence[str | bytes]] = {"mail": "anna@example.org", "uid": "anna", **values}
    lists = {name: [value] if isinstance(value, str | bytes) else value for name, value in given.items()}
    return Row(dn, {name: [v if isinstance(v, bytes) else v.encode() for v in many] for name, many in lists.items()})


def asserted(text: str) -> list[tuple[str, bytes]]:
    """Return what the library makes of a filter: attribute and value of each equality, in order."""
    found = []

    def walk(node: object) -> None:
        for element in node.elements:  # type: ignore[attr-defined]
            if element.elements:
                walk(element)
            else:
                compiled = compile_filter(element)
                name = compiled.getName()
                assert name == "equalityMatch", name
                match = compiled[name]
                found.append((str(match["attributeDesc"]), bytes(match["assertionValue"])))

    walk(parse_filter(text, None, False, False, None, False))
    return found


# -- settings


@pytest.mark.parametrize(
    "changes",
    [
        {"servers": ()},
        {"servers": ("ldap://a",) * (SERVERS_MAX + 1)},
        {"servers": ("ldap.example.org",)},
        {"servers": ("http://ldap.example.org",)},
        {"servers": ("ldap://a b",)},
        {"servers": ("ldap://a/",)},
        {"servers": ("ldap://a/dc=x",)},
        {"base": ""},
        {"mail_attribute": ""},
        {"mail_attribute": "mail)(uid=*"},
        {"login_attribute": "u id"},
        {"identity_attribute": "1"},
        {"bind_dn": "cn=x"},
        {"bind_password": "x"},
        {"bind_as": "uid={name},dc=x"},
        {"bind_as": "uid={},dc=x"},
        {"secret_attribute": ""},
        {"common_secret": "x" * 15},
        {"common_alternates": ("short",)},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        replace(SETTINGS, **changes)  # type: ignore[arg-type]


def test_secrets_are_in_no_repr() -> None:
    text = repr(replace(SETTINGS, bind_dn="cn=x", bind_password="hush 1", common_secret="hush 2 is long enough"))
    assert "hush" not in text


def test_the_file_is_private_and_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "ldap.toml"
    with pytest.raises(SettingError, match="cannot be read"):
        load_ldap_settings(path)
    path.write_text('servers = ["ldap://a"]\nbase = "dc=x"\ncommon_secret = "long enough for it"\nca_file = "ca.pem"')
    path.chmod(0o644)
    with pytest.raises(UnsafeFile):
        load_ldap_settings(path)
    path.chmod(0o600)
    assert load_ldap_settings(path).ca_file == tmp_path / "ca.pem"
    for text, said in (
        ("serves = []", "did you mean servers"),
        ('base = "dc=x"', "servers: is missing"),
        ("[", "read"),
    ):
        path.write_text(text)
        with pytest.raises(SettingError, match=said):
            load_ldap_settings(path)


@pytest.mark.parametrize(
    "changes",
    [{"base": "people"}, {"users_filter": "objectClass=x"}, {"users_filter": "((a=b)"}, {"ca_file": Path("/no")}],
)
def test_what_the_library_cannot_use_is_refused_at_the_start(changes: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        LdapServers(replace(SETTINGS, **changes))  # type: ignore[arg-type]


# -- what is asked


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_whatever_is_typed_stays_one_value_of_a_filter(value: str) -> None:
    assert asserted(f"(&(a=b)(mail={escaped(value)}))") == [("a", b"b"), ("mail", value.encode())]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_whatever_is_typed_stays_one_value_of_a_name(value: str) -> None:
    parts = parse_dn(f"uid={escaped_name(value)},dc=x", escape=False)
    assert [(name, separator) for name, _, separator in parts] == [("uid", ","), ("dc", "")]


def test_a_name_is_escaped_as_the_rfc_says() -> None:
    assert escaped_name(' a,b+"c"<\\>;=# ') == "\\20a\\2cb\\2b\\22c\\22\\3c\\5c\\3e\\3b\\3d\\23\\20"
    assert escaped_name("é") == "é"
    assert escaped_name("\x00") == "\\00"


def test_an_address_is_asked_for_in_both_attributes() -> None:
    assert asserted(address_filter(SETTINGS, "a*)(uid=*@x")) == [
        ("objectClass", b"inetOrgPerson"),
        ("mail", b"a*)(uid=*@x"),
        ("alias", b"a*)(uid=*@x"),
    ]
    prefixed = replace(SETTINGS, alias_prefix="smtp:")
    assert asserted(address_filter(prefixed, "a@x"))[2] == ("alias", b"smtp:a@x")


def test_a_login_is_asked_for_in_one_question() -> None:
    assert login_filter(SETTINGS, LoginName((), "", True)) is None
    assert login_filter(SETTINGS, LoginName((), "anna", False)) is None
    asked = login_filter(SETTINGS, LoginName(("anna@a", "anna@b"), "an*a", True))
    assert asked is not None
    assert asserted(asked)[1:] == [
        ("mail", b"anna@a"), ("alias", b"anna@a"), ("mail", b"anna@b"), ("alias", b"anna@b"), ("uid", b"an*a"),
    ]  # fmt: skip
    by_address = login_filter(replace(SETTINGS, login_attribute=""), LoginName((), "an*a", True))
    assert by_address == "(&(objectClass=inetOrgPerson)(|(mail=an\\2aa@*)))"


@pytest.mark.parametrize("text", ["", "  ", "***", ")(", "-"])
def test_no_word_asks_for_nobody(text: str) -> None:
    assert search_filter(SETTINGS, text) is None


def test_a_search_has_so_many_words_and_no_more() -> None:
    asked = search_filter(SETTINGS, " ".join(f"w{n}" for n in range(WORDS_MAX + 1)))
    assert asked is not None
    assert asked.count("(mail=") == WORDS_MAX


@given(st.text(max_size=80))
def test_a_search_is_always_a_filter(text: str) -> None:
    asked = search_filter(SETTINGS, text)
    if asked is not None:
        parse_filter(asked, None, False, False, None, False)


def test_delivery_asks_for_no_secrets() -> None:
    assert not {*user_attributes(SETTINGS)} & {*secret_attributes(SETTINGS)}
    assert user_attributes(SETTINGS) == ["mail", "alias", "cn", "uid", "quota"]


# -- what the answers mean


def test_an_entry_is_a_user() -> None:
    found = read_user(
        SETTINGS, row(mail="Anna@Example.org", alias=["b@x", "no address", b"\xff"], cn="An\nna", quota="7")
    )
    assert found.mailbox.addresses == ("anna@example.org", "b@x")
    assert (found.mailbox.display_name, found.mailbox.quota_bytes, found.mailbox.identity) == (
        "Anna",
        7,
        "anna@example.org",
    )
    assert found.logins == ("anna",)


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({}, {"mail": []}),
        ({}, {"mail": "no address"}),
        ({}, {"mail": ["a@x", "b@x"]}),
        ({}, {"alias": [f"u{n}@x" for n in range(ADDRESSES_MAX)]}),
        ({"identity_attribute": "id"}, {}),
        ({"identity_attribute": "id"}, {"id": ""}),
        ({"identity_attribute": "id"}, {"id": ["1", "2"]}),
        ({"identity_attribute": "id"}, {"id": "x" * (ADDRESS_CHARS_MAX + 1)}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_entry_that_is_nobody_for_certain_is_unfit(changes: dict[str, str], values: dict[str, list[str]]) -> None:
    with pytest.raises(UnfitEntry):
        read_user(replace(SETTINGS, **changes), row(**values))  # type: ignore[arg-type]


def test_as_many_addresses_as_may_be_are_read() -> None:
    found = read_user(SETTINGS, row(alias=[f"u{n}@x" for n in range(ADDRESSES_MAX - 1)]))
    assert len(found.mailbox.addresses) == ADDRESSES_MAX


def test_an_identity_is_text_or_bytes_in_hex_and_stays_when_its_case_changes() -> None:
    settings = replace(SETTINGS, identity_attribute="Id")
    assert read_user(settings, row(id="Anna")).mailbox.identity == "anna"
    assert read_user(settings, row(id=bytes(range(16)))).mailbox.identity == bytes(range(16)).hex()
    assert read_user(settings, row(id="1", mail=["b@x", "a@x"])).mailbox.addresses == ("a@x", "b@x")


def test_an_alias_may_have_a_prefix() -> None:
    settings = replace(SETTINGS, alias_prefix="smtp:")
    found = read_user(settings, row(alias=["SMTP:anna@example.org", "smtp:b@x", "x400:c=us", "d@x"]))
    assert found.mailbox.aliases == ("b@x",)


@pytest.mark.parametrize(
    ("texts", "quota"), [([], None), (["0"], 0), (["12"], 12_000), (["9" * 18], QUOTA_BYTES_MAX)], ids=str
)
def test_a_quota_is_a_whole_number_of_units(texts: list[str], quota: int | None) -> None:
    found = read_user(replace(SETTINGS, quota_unit_bytes=1000), row(quota=texts))
    assert (found.mailbox.quota_bytes, found.complaint) == (quota, "")


@pytest.mark.parametrize("texts", [["-1"], ["1 GB"], ["1", "2"], ["9" * 19], ["١"]], ids=str)
def test_a_quota_that_is_no_number_is_none_and_complained_of(texts: list[str]) -> None:
    found = read_user(SETTINGS, row(quota=texts))
    assert found.mailbox.quota_bytes is None
    assert "quota" in found.complaint


def test_secrets_come_in_the_order_in_which_they_are_tried() -> None:
    assert read_secrets(SETTINGS, row(secret="s", older=["b", "a", "s"]), "anna") == (b"s", b"a", b"b")
    assert len(read_secrets(SETTINGS, row(secret="s", older=list("abcdef")), "anna")) == SECRETS_MAX
    assert read_secrets(SETTINGS, row(secret=b"\xff\x00"), "anna") == (b"\xff\x00",)


def test_a_common_secret_is_another_for_each_user_and_stands_behind_an_own_one() -> None:
    settings = replace(SETTINGS, common_secret="common to all users", common_alternates=("common before that",))
    new, before = read_secrets(settings, row(), "anna")
    assert len({new, before, *read_secrets(settings, row(), "bert")}) == 4
    assert read_secrets(settings, row(secret="s"), "anna") == (b"s", new, before)
    assert read_secrets(settings, row(older="o"), "anna") == (new, b"o", before)


@pytest.mark.parametrize(
    "values",
    [{}, {"older": "o"}, {"secret": ["a", "b"]}, {"secret": "x" * (SECRET_BYTES_MAX + 1)}],
    ids=lambda v: str(v)[:40],
)
def test_a_user_without_one_secret_is_unfit(values: dict[str, list[str]]) -> None:
    with pytest.raises(UnfitEntry):
        read_secrets(SETTINGS, row(**values), "anna")  # type: ignore[arg-type]


def test_a_password_is_checked_with_the_entrys_name_or_a_template() -> None:
    found = read_user(SETTINGS, row("uid=anna,ou=x", uid="an,na"))
    assert bind_name(SETTINGS, found) == "uid=anna,ou=x"
    assert bind_name(replace(SETTINGS, bind_as="uid={login},dc={domain}"), found) == "uid=an\\2cna,dc=example.org"
    assert bind_name(replace(SETTINGS, bind_as="{address}"), found) == "anna@example.org"
    assert bind_name(replace(SETTINGS, bind_as="EXAMPLE\\{user}"), found) == "EXAMPLE\\anna"


def test_nobody_binds_without_a_name() -> None:
    with pytest.raises(UnfitEntry):
        bind_name(SETTINGS, read_user(SETTINGS, row("")))
    with pytest.raises(UnfitEntry):
        bind_name(replace(SETTINGS, bind_as="{login}"), read_user(SETTINGS, row(uid=[])))


def users(*rows: Row) -> list[Found]:
    return [read_user(SETTINGS, one) for one in rows]


def test_an_address_has_one_owner_and_whose_main_one_it_is_comes_first() -> None:
    anna, bert = row("a", mail="a@x", alias="b@x"), row("b", mail="b@x", alias="info@x")
    carl = row("c", mail="c@x", alias="info@x")
    both = users(anna, bert, carl)
    assert [owner.dn if (owner := owner_of(one, both)) else None for one in ("a@x", "b@x", "d@x")] == ["a", "b", None]
    with pytest.raises(UnfitEntry):
        owner_of("info@x", both)


def test_a_login_means_the_address_before_the_name_and_nobody_rather_than_two() -> None:
    anna, bert = row("a", mail="a@x", uid="same"), row("b", mail="b@x", uid=["same", "B"])
    found = users(anna, bert)
    for name, dn in (
        (LoginName(("b@x",), "same", True), "b"),
        (LoginName((), "same", True), None),
        (LoginName((), "b", True), "b"),
        (LoginName((), "b", False), None),
        (LoginName(("c@x",), "c", True), None),
    ):
        meant = meant_by(name, found)
        assert (meant.dn if meant else None) == dn


def test_people_come_by_name_and_only_those_whose_words_begin_so() -> None:
    rows = [
        row(mail="z@x", cn="Bert Müller"), row(mail="y@x", cn="Anna Muller"), row(mail="mul@x"),
        row(mail="w@x", cn="Amul"), row(mail=[]),
    ]  # fmt: skip
    expected = [Entry("Anna Muller", "y@x"), Entry("Bert Müller", "z@x"), Entry("mul@x", "mul@x")]
    assert matching_people(SETTINGS, rows, "Mül", 10) == expected
    assert matching_people(SETTINGS, rows, "mul", 1) == expected[:1]


# -- the directory, without a server


class Asked:
    """Stands for the servers: answers each search with the rows that it has been given."""

    def __init__(self, *rows: Row) -> None:
        self.rows, self.sizes = list(rows), list[int]()

    async def search(self, _filter: str, _attributes: list[str], size_max: int) -> list[Row]:
        self.sizes.append(size_max)
        return self.rows[:size_max]


async def test_results_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = LdapDirectory(SETTINGS, NO_DOMAINS)
    asked = Asked(*(row(mail=f"u{n}@x", cn=f"User {n}") for n in range(SEARCH_RESULTS_MAX + 1)))
    monkeypatch.setattr(directory, "_servers", asked)
    assert len(await directory.search("user", 10**9)) == SEARCH_RESULTS_MAX
    assert asked.sizes == [SEARCH_RESULTS_MAX]


async def test_what_is_odd_about_an_entry_is_logged_and_not_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = LdapDirectory(SETTINGS, NO_DOMAINS)
    monkeypatch.setattr(directory, "_servers", Asked(row(quota="much", secret=["hush", "hush again"])))
    with structlog.testing.capture_logs() as logs:
        mailbox = await directory.resolve("anna@example.org")
        with pytest.raises(DirectoryUnavailable):
            await directory.user_secrets(mailbox)
    assert [log["event"] for log in logs] == ["directory.entry_odd", "directory.entry_unfit"]
    assert "hush" not in str(logs)


async def test_a_question_too_many_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = LdapServers(SETTINGS)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_ask: object) -> list[Row]:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return []

    monkeypatch.setattr(servers, "_on_a_kept_connection", wait)
    waiting = [asyncio.create_task(servers.search("(a=b)", [], 1)) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(DirectoryUnavailable, match="too many"):
        await servers.search("(a=b)", [], 1)
    release.set()
    assert await asyncio.gather(*waiting) == [[]] * WAITING_MAX
    await servers.close()
    with pytest.raises(DirectoryUnavailable):
        await servers.search("(a=b)", [], 1)
