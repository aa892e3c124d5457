import pytest

from eas.wbxml.pages import (
    BY_NAME,
    BY_TOKEN,
    GAL,
    PAGE_NUMBERS,
    PAGES,
    AirNotify,
    AirSync,
    AirSyncBase,
    Calendar,
    ComposeMail,
    Email2,
    Find,
    Move,
    Provision,
    Tag,
    tag_of,
)
from eas.wbxml.tag import Unknown

DECLARED = [(page, name, tag) for page in PAGES for name, tag in vars(page).items() if isinstance(tag, Tag)]


def test_there_are_pages_0_to_25_with_the_tags_of_the_specification() -> None:
    assert len(PAGES) == 26
    assert len(DECLARED) == 654  # the 586 of the present revision, and those of older clients


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_tags_stand_in_the_order_of_their_tokens_on_their_own_page(page: type) -> None:
    tags = [tag for owner, _, tag in DECLARED if owner is page]
    tokens = [tag.token for tag in tags]
    assert tokens == sorted(set(tokens))
    assert 0x05 <= tokens[0] <= tokens[-1] <= 0x3F
    assert {tag.page for tag in tags} == {PAGE_NUMBERS[page.__name__]}


def test_tags_are_found_by_token_and_by_name() -> None:
    for page, name, tag in DECLARED:
        assert tag.name == name
        assert tag.page_name == page.__name__
        assert BY_TOKEN[tag.page][tag.token] is tag
        assert BY_NAME[tag.page][name] is tag


@pytest.mark.parametrize(
    ("tag", "page", "token"),
    [
        (AirSync.Sync, 0, 0x05),
        (Move.DstMsgId, 5, 0x0C),
        (Provision.PolicyKey, 14, 0x09),
        (GAL.EmailAddress, 16, 0x0F),
        (AirSyncBase.Data, 17, 0x0B),
        (ComposeMail.Mime, 21, 0x10),
        (Email2.Send, 22, 0x17),
        (Find.Picture, 25, 0x22),
    ],
    ids=repr,
)
def test_tokens_are_as_printed(tag: Tag, page: int, token: int) -> None:
    assert (tag.page, tag.token) == (page, token)


def test_a_token_without_a_name_is_unknown_and_always_the_same() -> None:
    unknown = tag_of(0, 0x3F)
    assert isinstance(unknown, Unknown)
    assert repr(unknown) == "AirSync:Unknown_3F"
    assert tag_of(0, 0x3F) is unknown


@pytest.mark.parametrize(("page", "token"), [(0, 0x04), (0, 0x40), (26, 0x05)])
def test_what_cannot_be_a_tag_is_refused(page: int, token: int) -> None:
    with pytest.raises(IndexError):
        tag_of(page, token)


def test_tags_know_their_versions() -> None:
    assert (AirSync.Sync.since, AirSync.Sync.until) == (25, 161)
    assert AirSync.Wait.since == 121
    assert Calendar.Location.until == 141
    assert Find.Find.since == 161
    assert AirNotify.Notify.until == 25
    versions = {25, 120, 121, 140, 141, 160, 161}
    assert all(tag.since in versions and tag.until in versions and tag.since <= tag.until for _, _, tag in DECLARED)
