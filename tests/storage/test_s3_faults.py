"""What a broken, overloaded or false object store does to us: a clear error in bounded time and memory."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from storage.engine import EngineRefused, Entry, NotFound, Unavailable
from storage.engine_s3 import S3Engine
from storage.s3.answers import OBJECT_BYTES_MAX, TEXT_BYTES_MAX, md5_hex
from storage.s3.requests import REQUESTS_MAX, Patience
from storage.s3.uploads import PART_BYTES
from tests.support.false_store import (
    FalseStore,
    Reply,
    endless,
    error,
    false_store,
    hang_up,
    listing,
    reply,
    silence,
)

HASTE = Patience(connect_seconds=1, silence_seconds=0.2, ask_seconds=1, pauses_seconds=(0.001, 0.001))
DATA = b"petit bleu"
TAG = f'"{md5_hex(DATA)}"'
FOUND = reply(200, DATA, ETag=TAG)
KEPT = reply(200, ETag=TAG)
PROXY_PAGE = reply(200, b"<html><body>Please log in</body></html>", Content_Type="text/html", ETag='W/"5f-3c"')


@pytest.fixture
async def store() -> AsyncIterator[FalseStore]:
    async with false_store() as running:
        yield running


@pytest.fixture
async def engine(store: FalseStore) -> AsyncIterator[S3Engine]:
    opened = await S3Engine.open(store.bucket, HASTE)
    yield opened
    await opened.close()


VERBS: dict[str, Callable[[S3Engine], Awaitable[object]]] = {
    "put": lambda engine: engine.put("k", DATA),
    "get": lambda engine: engine.get("k"),
    "range": lambda engine: engine.get("k", 2, 3),
    "get_many": lambda engine: engine.get_many(["k", "l"]),
    "list": lambda engine: engine.list("k"),
    "delete": lambda engine: engine.delete(["k"]),
    "delete many": lambda engine: engine.delete(["k", "l"]),
}


# -- what passes is asked again


@pytest.mark.parametrize(
    "passing",
    [
        error(503, "SlowDown"), error(500, "InternalError"), error(400, "RequestTimeout"), error(403, "ExpiredToken"),
        reply(429), reply(502, b"<html>Bad Gateway</html>"), reply(404, b"404 page not found"), hang_up, silence,
        reply(200, DATA[:-1], ETag=TAG), reply(200, DATA), PROXY_PAGE.replace(b'W/"5f-3c"', TAG.encode()),
    ],
)  # fmt: skip
async def test_what_may_pass_is_asked_again(store: FalseStore, engine: S3Engine, passing: Reply) -> None:
    store.script = [passing, FOUND]
    assert await engine.get("k") == DATA
    assert len(store.asked) >= 2


async def test_a_put_is_repeated_with_the_same_bytes_under_the_same_name(store: FalseStore, engine: S3Engine) -> None:
    store.script = [hang_up, error(503, "SlowDown"), reply(200, ETag='"' + "0" * 32 + '"'), KEPT]
    store.otherwise = KEPT
    await engine.put("k", DATA)
    assert {(asked.method, asked.target, asked.body) for asked in store.asked} == {("PUT", "/bucket/own/k", DATA)}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "answer",
    [silence, hang_up, endless, error(503, "SlowDown"), PROXY_PAGE],
    ids=lambda a: getattr(a, "__name__", repr(a)[-30:]),
)
async def test_what_does_not_pass_ends_as_an_unknown_outcome(
    store: FalseStore, engine: S3Engine, verb: str, answer: Reply
) -> None:
    store.otherwise = answer
    with pytest.raises(Unavailable):
        await VERBS[verb](engine)


async def test_a_store_that_hangs_holds_nobody_beyond_his_budget(store: FalseStore) -> None:
    patience = Patience(connect_seconds=1, silence_seconds=3600, ask_seconds=0.5)
    engine = await S3Engine.open(store.bucket, patience)
    store.otherwise = silence
    many = [engine.get(f"k{n}") for n in range(3 * REQUESTS_MAX)] + [engine.get_many([f"m{n}" for n in range(500)])]
    async with asyncio.timeout(600):  # one silence alone would be allowed more
        outcomes = await asyncio.gather(*many, return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    await engine.close()


# -- what cannot pass is told at once


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (error(403, "AccessDenied"), "AccessDenied said the test"),
        (error(403, "SignatureDoesNotMatch"), "SignatureDoesNotMatch"),
        (error(403, "RequestTimeTooSkewed"), "the clock of this machine"),
        (error(404, "NoSuchBucket"), "NoSuchBucket"),
        (error(501, "NotImplemented"), "NotImplemented"),
        (reply(301, Location="http://elsewhere.example/"), "elsewhere.example.*endpoint or region"),
        (reply(307, Location="http://elsewhere.example/"), "elsewhere.example"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
async def test_a_refusal_is_told_at_once_and_never_followed(
    store: FalseStore, engine: S3Engine, verb: str, answer: bytes, told: str
) -> None:
    store.otherwise = answer
    with pytest.raises(Unavailable, match=told):
        await VERBS[verb](engine)
    assert len(store.asked) <= 2  # two keys of get_many


async def test_only_the_store_itself_can_say_that_an_object_is_not_there(store: FalseStore, engine: S3Engine) -> None:
    store.otherwise = error(404, "NoSuchKey")
    for start, size in [(0, None), (5, 1), (0, 0)]:
        with pytest.raises(NotFound):
            await engine.get("k", start, size)
    await engine.delete(["k"])
    for other in (reply(404), reply(404, b"<html>not here</html>"), error(404, "NoSuchBucket")):
        store.otherwise = other
        for call in (engine.get("k"), engine.get("k", 5, 1), engine.delete(["k"])):
            with pytest.raises(Unavailable):
                await call


# -- contents


async def test_an_etag_that_is_the_contents_md5_is_compared(store: FalseStore, engine: S3Engine) -> None:
    store.otherwise = reply(200, b"others", ETag=TAG)
    with pytest.raises(Unavailable, match="not what its ETag says"):
        await engine.get("k")
    store.otherwise = reply(200, ETag=TAG)
    with pytest.raises(Unavailable, match="not what its ETag says"):
        await engine.put("k", b"others")


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": f'"{"0" * 32}-3"'},
        {"ETag": f'"{"0" * 32}"', "x_amz_server_side_encryption": "aws:kms"},
        {"ETag": f'"{"0" * 32}"', "x_amz_server_side_encryption_customer_algorithm": "AES256"},
    ],
)
async def test_an_etag_that_is_no_md5_is_taken_as_it_is(
    store: FalseStore, engine: S3Engine, headers: dict[str, str]
) -> None:
    store.otherwise = reply(200, DATA, **headers)
    assert await engine.get("k") == DATA
    store.otherwise = reply(200, **headers)
    await engine.put("k", DATA)


@pytest.mark.parametrize(
    "answer",
    [
        reply(206, DATA[2:5]),
        reply(206, DATA[2:5], Content_Range="bytes 0-2/10"),
        reply(206, DATA[2:5], Content_Range="bytes 2-9/10"),
        reply(206, DATA[2:4], Content_Range="bytes 2-3/10"),
        reply(206, DATA[2:6], Content_Range="bytes 2-4/10"),
        reply(206, DATA[2:5], Content_Range="bytes two-4/10"),
        reply(200, DATA, ETag=TAG),
        error(416, "SomethingElse"),
    ],
)
async def test_a_range_that_was_not_asked_for_is_not_taken(store: FalseStore, engine: S3Engine, answer: bytes) -> None:
    store.otherwise = answer
    with pytest.raises(Unavailable):
        await engine.get("k", 2, 3)


async def test_a_range_is_taken_with_either_status_and_without_a_known_end(store: FalseStore, engine: S3Engine) -> None:
    for status, total in [(206, "10"), (200, "10"), (206, "*")]:
        store.otherwise = reply(status, DATA[2:5], Content_Range=f"bytes 2-4/{total}")
        assert await engine.get("k", 2, 3) == DATA[2:5]
    store.otherwise = reply(206, DATA[2:], Content_Range="bytes 2-9/10")
    assert await engine.get("k", 2) == await engine.get("k", 2, 100) == DATA[2:]
    store.otherwise = error(416, "InvalidRange")
    assert await engine.get("k", 100, 1) == b""


# -- listings


@pytest.mark.parametrize(
    "answer",
    [
        listing("own/k2", "own/k1"),
        listing("own/k1", "own/k1"),
        listing("own/l"),
        listing("other/k1"),
        listing("own/k1", size=-1),
        listing("own/k1", size="many"),
        listing("own/k1", is_truncated="perhaps"),
        listing(is_truncated="true"),
        listing(*(f"own/k{n:04}" for n in range(1001))),
        reply(200, b"<ListBucketResult><Contents>"),
        reply(200, b""),
        reply(200, b"<Error><Code>InternalError</Code></Error>"),
        reply(200, b'<!DOCTYPE a [<!ENTITY b "own/k1">]><ListBucketResult><Contents><Key>&b;</Key></Contents>'),
        reply(200, b"<a>" * 1000),
        PROXY_PAGE,
    ],
)
async def test_a_listing_that_is_none_is_not_taken(store: FalseStore, engine: S3Engine, answer: bytes) -> None:
    store.otherwise = answer
    with pytest.raises(Unavailable):
        await engine.list("k")
    assert len(store.asked) == 3


async def test_a_listing_that_ignores_where_to_begin_does_not_go_on_for_ever(
    store: FalseStore, engine: S3Engine
) -> None:
    page = [f"own/k{n:04}" for n in range(1000)]
    store.otherwise = listing(*page, is_truncated="true")
    with pytest.raises(Unavailable, match="not in order"):
        await engine.list("k")


async def test_a_full_page_without_a_word_on_its_end_is_followed_by_another(
    store: FalseStore, engine: S3Engine
) -> None:
    silent = b"<IsTruncated>false</IsTruncated>"
    first = listing(*(f"own/k{n:04}" for n in range(1000))).replace(silent, b" " * len(silent))
    store.script = [first, listing("own/k1000")]
    assert len(await engine.list("k")) == 1001
    store.script = [listing("own/k1").replace(silent, b" " * len(silent))]
    assert await engine.list("k") == [Entry("k1", 1)]
    assert len(store.asked) == 3


async def test_keys_that_were_not_deleted_are_told(store: FalseStore, engine: S3Engine) -> None:
    failed = b"<DeleteResult><Error><Key>own/k</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    store.otherwise = reply(200, failed)
    with pytest.raises(Unavailable, match="1 of 2 were not deleted: AccessDenied"):
        await engine.delete(["k", "l"])
    store.otherwise = reply(200, failed.replace(b"AccessDenied", b"NoSuchKey"))
    await engine.delete(["k", "l"])


# -- memory


@pytest.mark.parametrize("told", [TEXT_BYTES_MAX + 1, 1 << 40])
async def test_an_answer_that_promises_too_much_is_not_read(store: FalseStore, engine: S3Engine, told: int) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {told}\r\n\r\n".encode()
    store.otherwise = head
    for verb in ("put", "range", "list", "delete", "delete many"):
        with pytest.raises(Unavailable, match=f"of {told} bytes"):
            await VERBS[verb](engine)
    store.otherwise = head.replace(str(told).encode(), str(OBJECT_BYTES_MAX + 1).encode())
    with pytest.raises(Unavailable, match="no answer has more"):
        await engine.get("k")


async def test_an_endless_answer_is_read_up_to_its_bound(store: FalseStore, engine: S3Engine) -> None:
    store.otherwise = endless
    tracemalloc.start()
    try:
        for verb in ("put", "range", "list", "delete"):
            with pytest.raises(Unavailable, match=f"over {TEXT_BYTES_MAX} bytes|no end"):
                await VERBS[verb](engine)
        assert tracemalloc.get_traced_memory()[1] < 6 * TEXT_BYTES_MAX
    finally:
        tracemalloc.stop()


# -- opening


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (error(403, "AccessDenied"), "bucket bucket at http://127.0.0.1:.*AccessDenied"),
        (PROXY_PAGE, "Please log in"),
        (reply(301, Location="https://b.example/"), "b.example"),
    ],
)
async def test_a_bucket_that_cannot_be_used_is_refused_in_one_line(store: FalseStore, answer: bytes, told: str) -> None:
    store.is_opened, store.otherwise = True, answer
    with pytest.raises(EngineRefused, match=told) as refused:
        await S3Engine.open(store.bucket, HASTE)
    assert "\n" not in str(refused.value)


async def test_a_store_that_lists_no_uploads_is_taken(store: FalseStore) -> None:
    store.is_opened, store.script = True, [listing(), error(501, "NotImplemented"), FOUND]
    engine = await S3Engine.open(store.bucket, HASTE)
    assert await engine.get("k") == DATA
    await engine.close()


@pytest.mark.parametrize("how", ["environment", "file"])
async def test_keys_that_nobody_set_are_found_where_amazons_tools_have_them(
    store: FalseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    if how == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OURS")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "passing")
    else:
        file = tmp_path / "credentials"
        file.write_text("[default]\naws_access_key_id = OURS\naws_secret_access_key = s\naws_session_token = passing\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    engine = await S3Engine.open(replace(store.bucket, access_key="", secret_key=""), HASTE)
    store.otherwise = FOUND
    await engine.get("k")
    assert "Credential=OURS/" in store.asked[-1].headers["authorization"]
    assert store.asked[-1].headers["x-amz-security-token"] == "passing"
    await engine.close()


async def test_without_any_keys_it_is_said_in_one_line(
    store: FalseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(EngineRefused, match="no credentials: set them"):
        await S3Engine.open(replace(store.bucket, access_key="", secret_key=""), HASTE)


# -- large objects


async def _stream(parts: int) -> AsyncIterator[bytes]:
    for n in range(parts):
        yield bytes([n]) * PART_BYTES


BEGUN = reply(200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
PARTS = [reply(200, ETag=f'"{md5_hex(bytes([n]) * PART_BYTES)}"') for n in range(2)]
WHOLE_TAG = md5_hex(b"".join(bytes.fromhex(md5_hex(bytes([n]) * PART_BYTES)) for n in range(2))) + "-2"


async def test_an_unknown_end_of_an_upload_is_looked_up(store: FalseStore, engine: S3Engine) -> None:
    store.script = [BEGUN, *PARTS, error(404, "NoSuchUpload"), reply(200, ETag=f'"{WHOLE_TAG}"')]
    await engine.put("k", _stream(2))
    assert [asked.method for asked in store.asked] == ["POST", "PUT", "PUT", "POST", "HEAD"]


@pytest.mark.parametrize("found", [reply(404), reply(200, ETag='"' + "0" * 32 + '-2"')])
async def test_an_upload_that_is_not_there_after_all_is_aborted_and_told(
    store: FalseStore, engine: S3Engine, found: bytes
) -> None:
    store.script = [BEGUN, *PARTS, error(404, "NoSuchUpload"), found, reply(204)]
    with pytest.raises(Unavailable):
        await engine.put("k", _stream(2))
    assert store.asked[-1].method == "DELETE"
    assert "uploadId=u1" in store.asked[-1].target


async def test_a_part_that_was_not_kept_as_it_was_sent_ends_the_upload(store: FalseStore, engine: S3Engine) -> None:
    store.script = [BEGUN, PARTS[1], reply(204)]
    with pytest.raises(Unavailable, match="part 1 is not what its ETag says"):
        await engine.put("k", _stream(2))
    assert store.asked[-1].method == "DELETE"


async def test_an_upload_to_a_store_that_hangs_ends(store: FalseStore, engine: S3Engine) -> None:
    store.otherwise = silence
    with pytest.raises(Unavailable):
        await engine.put("k", _stream(2))
