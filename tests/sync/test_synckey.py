"""SyncKeys: what one names, and that nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.commands.sync_request import ID_CHARS_MAX
from eas.sync import synckey
from storage.views import ViewId

KEY = bytes(32)
views = st.builds(
    ViewId,
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.integers(1, (1 << 40) - 1),
    st.integers(1, (1 << 16) - 1),
)


@given(views)
def test_a_key_names_its_view_and_fits_where_it_is_kept(view: ViewId) -> None:
    text = synckey.encode(KEY, "phone", "inbox", view)
    assert synckey.decode(KEY, "phone", "inbox", text) == view
    assert len(text) == 34 <= ID_CHARS_MAX
    assert text != synckey.START


@given(views, st.text(max_size=20), st.text(max_size=20))
def test_it_is_worth_nothing_elsewhere(view: ViewId, device: str, folder: str) -> None:
    text = synckey.encode(KEY, "phone", "inbox", view)
    if (device, folder) != ("phone", "inbox"):
        assert synckey.decode(KEY, device, folder, text) is None
    assert synckey.decode(bytes([1] * 32), "phone", "inbox", text) is None


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[0-9a-v]{34}", fullmatch=True)))
def test_no_other_text_is_taken(text: str) -> None:
    assert synckey.decode(KEY, "phone", "inbox", text) is None


@pytest.mark.parametrize("text", ["", "0", "=", "ß", "\x00", "0" * 34, "é" * 34])
def test_nor_one_of_these(text: str) -> None:
    assert synckey.decode(KEY, "phone", "inbox", text) is None


@given(views, st.integers(0, 33), st.characters(codec="ascii", categories=("L", "N")))
def test_a_changed_character_makes_it_another(view: ViewId, place: int, character: str) -> None:
    text = synckey.encode(KEY, "phone", "inbox", view)
    changed = text[:place] + character + text[place + 1 :]
    found = synckey.decode(KEY, "phone", "inbox", changed)
    # The last character has two bits that say nothing; letters count alike in either case.
    assert found is None or place == 33 or changed.lower() == text
