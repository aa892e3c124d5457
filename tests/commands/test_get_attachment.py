"""GetAttachment: one file, raw."""

import os
from collections.abc import AsyncIterator

import pytest

from eas.wbxml.pages import AirSyncBase
from tests.commands.letters import File, letter
from tests.eas.world import World, world
from tests.support.client import Refused

BIG = os.urandom(3_000_000)
FILES = [File("a.html", b"<script>", "text/html"), File("big.bin", BIG, "image/png")]


@pytest.fixture
async def w() -> AsyncIterator[World]:
    async with world(accounts=1, version="12.1") as running:
        await running.deliver(1, letter("Files", files=FILES))
        yield running


async def _references(w: World) -> list[str]:
    [found] = (await w.client().search("files")).results
    return [attachment.text(AirSyncBase.FileReference) for attachment in found.item.attachments]


@pytest.mark.parametrize("base64_form", [False, True])
async def test_the_file_comes_raw_with_its_type_and_length(w: World, base64_form: bool) -> None:
    phone = w.client(base64_form=base64_form)
    for file, reference in zip(FILES, await _references(w), strict=True):
        got = await phone.get_attachment(reference)
        assert (got.content_type, got.data) == (file.content_type, file.data)
        assert phone.answered().headers["Content-Length"] == str(len(file.data))
        assert phone.answered().headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["", "x", "inbox:x:2", "inbox:{}:77", "archive:{}:2"])
async def test_what_is_gone_is_an_error_of_http(w: World, name: str) -> None:
    item = (await _references(w))[0].split(":")[1]
    with pytest.raises(Refused) as refused:
        await w.client().get_attachment(name.format(item))
    assert refused.value.answer.status == 500


async def test_without_a_name_it_is_an_error_of_http(w: World) -> None:
    assert (await w.client().post("GetAttachment")).status == 500


async def test_later_versions_do_not_have_it(w: World) -> None:
    [reference, _] = await _references(w)
    assert (await w.client(version="14.0").post("GetAttachment", attachment_name=reference)).status == 501
