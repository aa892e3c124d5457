from collections.abc import Iterator, Mapping

import pytest

from eas.protocol.exchange import USER_AGENT_MAX, EasRequest, EasResponse, accepts_gzip, merge, parse_policy_key
from eas.protocol.query import Query
from eas.protocol.versions import UnknownVersion, Version

QUERY = Query("Sync", "Appl123", "iPhone", "ann")


class Headers(Mapping[str, str]):
    """Headers as a web framework gives them: without regard to case."""

    def __init__(self, **headers: str) -> None:
        self._headers = {name.replace("_", "-").lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)


@pytest.mark.parametrize("headers", [Headers(), Headers(MS_ASProtocolVersion="15.0")])
def test_a_plain_query_needs_a_known_version_header(headers: Headers) -> None:
    with pytest.raises(UnknownVersion):
        merge(QUERY, headers, b"")


def test_headers_complete_a_plain_query() -> None:
    headers = Headers(
        MS_ASProtocolVersion="14.1",
        X_MS_PolicyKey="4294967295",
        MS_ASAcceptMultiPart="T",
        Accept_Encoding="gzip, deflate, br",
        User_Agent="Apple-iPhone/1" + "x" * 1000,
        Content_Type="Application/vnd.ms-sync.WBXML; charset=utf-8",
    )
    assert merge(QUERY, headers, b"body") == EasRequest(
        command="Sync",
        version=Version.V14_1,
        user="ann",
        device_id="Appl123",
        device_type="iPhone",
        policy_key=0xFFFFFFFF,
        accept_multipart=True,
        accept_gzip=True,
        user_agent=("Apple-iPhone/1" + "x" * 1000)[:USER_AGENT_MAX],
        content_type="application/vnd.ms-sync.wbxml",
        body=b"body",
    )


def test_a_base64_query_wins_over_headers() -> None:
    query = Query("Sync", "a", "b", version=Version.V16_1, policy_key=5, locale=1033, collection_id="7")
    headers = Headers(MS_ASProtocolVersion="2.5", X_MS_PolicyKey="6", MS_ASAcceptMultiPart="T")
    request = merge(query, headers, b"")
    assert (request.version, request.policy_key, request.accept_multipart) == (Version.V16_1, 5, False)
    assert (request.locale, request.collection_id) == (1033, "7")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "4294967296", "9" * 5000, "x", "٣"])
def test_a_policy_key_that_cannot_be_ours_is_none(text: str) -> None:
    assert parse_policy_key(text) is None


@pytest.mark.parametrize(("text", "key"), [("0", 0), (" 17 ", 17), ("4294967295", 4294967295)])
def test_reads_a_policy_key(text: str, key: int) -> None:
    assert parse_policy_key(text) == key


@pytest.mark.parametrize("text", ["gzip", "GZIP", "br, gzip;q=0.5", "gzip ; q=1", "deflate,gzip;q=0.001"])
def test_gzip_is_offered(text: str) -> None:
    assert accepts_gzip(text)


@pytest.mark.parametrize("text", ["", "identity", "xgzip", "gzip;q=0", "gzip; q=0.000", "br;q=1.0, *"])
def test_gzip_is_not_offered(text: str) -> None:
    assert not accepts_gzip(text)


def test_an_empty_answer_is_a_success_of_the_wbxml_type() -> None:
    response = EasResponse()
    assert (response.status, response.body, response.content_type) == (200, b"", "application/vnd.ms-sync.wbxml")
