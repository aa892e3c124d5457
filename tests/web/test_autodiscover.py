"""Autodiscover."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas.login.sessions import LoginRefused, Sessions
from eas.protocol.exchange import EasResponse, HttpRequest
from eas.settings import Settings
from eas.web import autodiscover_xml
from eas.web.autodiscover import ADDRESS_CHARS_MAX, Autodiscover
from storage.account import Account
from storage.engine import Unavailable
from storage.errors import DirectoryUnavailable
from storage.identity import Identity
from tests.commands.office import Office, OpenSessions, Phone
from tests.eas.world import world

MOBILESYNC = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/"
FRAME = "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}"
RESPONSE = "{" + MOBILESYNC + "responseschema/2006}"
EAS_URL = "https://mail.example.org/Microsoft-Server-ActiveSync"
NOW = datetime(2024, 5, 1, 15, 38, 40, 1234, UTC)

ADDRESS = "<EMailAddress>anna@example.org</EMailAddress>"
SCHEMA = f"<AcceptableResponseSchema>{MOBILESYNC}responseschema/2006</AcceptableResponseSchema>"


class Refusing(Sessions):
    """Nobody gets in."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def greet(self, authorization: str, remote: str) -> Identity:
        raise self.error


@pytest.fixture
def service() -> Iterator[Autodiscover]:
    office = Office()
    yield _service(Phone(office.node()).account)
    office.close()


def _service(account: Account, settings: Settings | None = None) -> Autodiscover:
    return Autodiscover(OpenSessions(account), settings or Settings(), lambda: NOW)


def document(inside: str = ADDRESS + SCHEMA, namespace: str = MOBILESYNC + "requestschema/2006") -> bytes:
    text = f'<?xml version="1.0"?><Autodiscover xmlns="{namespace}"><Request>{inside}</Request></Autodiscover>'
    return text.encode()


def post(body: bytes, host: str = "mail.example.org") -> HttpRequest:
    return HttpRequest("POST", "/autodiscover/autodiscover.xml", host=host, body=body)


def get(query: str, path: str = "", method: str = "GET", host: str = "mail.example.org") -> HttpRequest:
    return HttpRequest(method, "/autodiscover/autodiscover.json" + path, query, host=host)


async def root_of(service: Autodiscover, request: HttpRequest) -> ElementTree.Element:
    answer = await service.answer(request)
    assert (answer.status, answer.content_type) == (200, "text/xml")
    assert isinstance(answer.body, bytes)
    root = ElementTree.fromstring(answer.body)
    assert root.tag == FRAME + "Autodiscover"
    return root


async def error_code(service: Autodiscover, request: HttpRequest) -> str:
    root = await root_of(service, request)
    [error] = root.findall(f"{FRAME}Response/{FRAME}Error")
    assert error.attrib["Time"] == "15:38:40.0012340"
    assert error.attrib["Id"].isdigit()
    assert [child.tag for child in error] == [FRAME + name for name in ("ErrorCode", "Message", "DebugData")]
    return error[0].text or ""


# XML


@pytest.mark.parametrize(
    "body",
    [
        b"not XML",
        b"<Autodiscover>",
        document() + b"<more/>",
        document().replace(b"<?xml", b'<!DOCTYPE Autodiscover SYSTEM "http://example.net/x.dtd"><?xml'),
        document().replace(b"<Autodiscover", b'<!DOCTYPE Autodiscover SYSTEM "http://example.net/"><Autodiscover', 1),
        document().replace(b"<Autodiscover", b'<!DOCTYPE a [<!ENTITY e "x">]><Autodiscover', 1),
        document(ADDRESS.replace("anna", "&e;") + SCHEMA),
        document().replace(b'"1.0"', b'"1.0" encoding="cp037-of-nowhere"'),
        document().replace(b'"1.0"', b'"1.0" encoding="utf-7"'),
        document().decode().replace("<?xml", "<!DOCTYPE a []><?xml").encode("utf-16"),
        document(ADDRESS),
        document(SCHEMA),
        document(SCHEMA + "<EMailAddress> </EMailAddress>"),
        document(ADDRESS + "<AcceptableResponseSchema/>"),
        document(ADDRESS + SCHEMA + "</Request><Request>"),
        document().replace(b"Autodiscover", b"Other"),
        document("<Deeper>" + ADDRESS + SCHEMA + "</Deeper>"),
        document(ADDRESS + SCHEMA + " " * autodiscover_xml.REQUEST_BYTES_MAX),
        b"<a>" * 2000,
    ],
)
async def test_what_is_no_request_gets_error_600(service: Autodiscover, body: bytes) -> None:
    assert await error_code(service, post(body)) == "600"


async def test_a_request_may_be_that_long_and_no_longer(service: Autodiscover) -> None:
    missing = autodiscover_xml.REQUEST_BYTES_MAX - len(document())
    longest = document(ADDRESS + SCHEMA + " " * missing)
    assert await root_of(service, post(longest)) is not None
    assert await error_code(service, post(longest + b" ")) == "600"


@pytest.mark.parametrize("schema", ["outlook/responseschema/2006a", "mobilesync/responseschema/2007", "x"])
async def test_another_schema_has_no_provider(service: Autodiscover, schema: str) -> None:
    asked = f"<AcceptableResponseSchema>http://schemas.microsoft.com/{schema}</AcceptableResponseSchema>"
    namespace = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
    assert await error_code(service, post(document(ADDRESS + asked, namespace))) == "601"
    assert await error_code(service, post(document(asked, namespace))) == "601"


@pytest.mark.parametrize(
    "body",
    [
        document(),
        document(SCHEMA + ADDRESS),
        document(SCHEMA.replace("<A", "\n  <A") + ADDRESS.replace("anna", "\n anna")),
        document(ADDRESS.replace("anna", "somebody.else") + SCHEMA),
        document(ADDRESS + SCHEMA + ADDRESS),
        document().decode().encode("utf-16"),
        b"",
    ],
)
async def test_the_account_and_where_it_is_are_told(service: Autodiscover, body: bytes) -> None:
    root = await root_of(service, post(body))
    [response] = root.findall(RESPONSE + "Response")
    assert [child.tag.removeprefix(RESPONSE) for child in response] == ["Culture", "User", "Action"]
    assert [child.text for child in response[1]] == ["Anna", "anna@example.org"]
    [server] = response.findall("/".join(RESPONSE + name for name in ("Action", "Settings", "Server")))
    assert [(child.tag.removeprefix(RESPONSE), child.text) for child in server] == [
        ("Type", "MobileSync"),
        ("Url", EAS_URL),
        ("Name", EAS_URL),
    ]


async def test_names_are_written_so_that_xml_holds_them() -> None:
    office = Office()
    account = Phone(office.node(Identity("a&b@example.org", (), "<Anna>\x00 & \ud800Söhne"))).account
    root = await root_of(_service(account), post(document()))
    assert [child.text for child in root[0][1]] == ["<Anna> & Söhne", "a&b@example.org"]
    unnamed = Phone(office.node(Identity("anna@example.org"))).account
    root = await root_of(_service(unnamed), post(document()))
    assert [child.tag for child in root[0][1]] == [RESPONSE + "EMailAddress"]
    office.close()


@pytest.mark.parametrize(
    ("setting", "host", "url"),
    [
        ("", "mail.example.org", EAS_URL),
        ("", "mail.example.org:8443", "https://mail.example.org:8443/Microsoft-Server-ActiveSync"),
        ("", "[2001:db8::1]", "https://[2001:db8::1]/Microsoft-Server-ActiveSync"),
        ("https://push.example.org", "mail.example.org", "https://push.example.org/Microsoft-Server-ActiveSync"),
        ("https://push.example.org/", "", "https://push.example.org/Microsoft-Server-ActiveSync"),
        ("https://push.example.org/eas", "any <host>", "https://push.example.org/eas"),
    ],
)
async def test_the_url_is_that_of_the_settings_or_of_the_name_asked(
    service: Autodiscover, setting: str, host: str, url: str
) -> None:
    service = replace(service, settings=Settings(url=setting))
    root = await root_of(service, post(document(), host))
    assert root[0][2][0][0][1].text == url


@pytest.mark.parametrize(
    ("host", "is_tls", "scheme"),
    [
        ("127.0.0.1:8080", False, "http"),
        ("LocalHost:8080", False, "http"),
        ("[::1]", False, "http"),
        ("127.0.0.1:8443", True, "https"),
        ("127.0.0.1.example.org", False, "https"),
        ("192.0.2.1:8080", False, "https"),
    ],
)
async def test_without_tls_the_url_is_http_only_on_this_machine(
    service: Autodiscover, host: str, is_tls: bool, scheme: str
) -> None:
    root = await root_of(service, replace(post(document(), host), is_tls=is_tls))
    assert root[0][2][0][0][1].text == f"{scheme}://{host}/Microsoft-Server-ActiveSync"


@pytest.mark.parametrize("host", ["", "mail example", "mail.example.org/x", "a" * 300, "x:y", "m:123456", "u@h", "[::"])
async def test_a_host_that_is_no_name_is_not_repeated(service: Autodiscover, host: str) -> None:
    assert (await service.answer(post(document(), host))).status == 400
    assert (await service.answer(get("Email=a@b&Protocol=ActiveSync", host=host))).status == 400


async def test_get_with_a_login_is_no_request(service: Autodiscover) -> None:
    request = HttpRequest("GET", "/autodiscover/autodiscover.xml", host="mail.example.org")
    assert await error_code(service, request) == "600"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_a_login_it_is_401(service: Autodiscover, method: str) -> None:
    refused = LoginRefused(EasResponse(401, {"WWW-Authenticate": "Basic"}))
    service = replace(service, sessions=Refusing(refused))
    for body in (document(), b"not XML", b""):
        request = HttpRequest(method, "/Autodiscover/Autodiscover.xml", host="mail.example.org", body=body)
        assert await service.answer(request) is refused.response


@pytest.mark.parametrize("error", [Unavailable("a"), DirectoryUnavailable("b")])
async def test_a_store_or_directory_that_is_away_is_503(service: Autodiscover, error: Exception) -> None:
    answer = await replace(service, sessions=Refusing(error)).answer(post(document()))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "30"})


@given(st.binary(max_size=300))
def test_reading_accepts_or_refuses(body: bytes) -> None:
    with pytest.raises(autodiscover_xml.BadRequest):
        autodiscover_xml.check_request(body)


@given(st.integers(0, len(document()) - 1), st.binary(max_size=4))
def test_reading_a_broken_request_accepts_or_refuses(place: int, inserted: bytes) -> None:
    body = document()
    with suppress(autodiscover_xml.BadRequest):
        autodiscover_xml.check_request(body[:place] + inserted + body[place + 1 :])


# JSON


async def json_of(service: Autodiscover, request: HttpRequest) -> tuple[int, dict[str, str]]:
    answer = await replace(service, sessions=Refusing(AssertionError())).answer(request)
    assert answer.content_type == "application/json"
    assert isinstance(answer.body, bytes)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("Email=anna%40example.org&Protocol=ActiveSync", ""),
        ("protocol=activesync&email=nobody@example.org&RedirectCount=1", "/"),
        ("Protocol=ActiveSync", "/v1.0/anna@example.org"),
        ("Protocol=ActiveSync", "/V1.0/nobody%40example.org/"),
        ("Protocol=ActiveSync&Protocol=Other&Email=x@y&Email=", ""),
    ],
)
async def test_every_address_gets_the_same_answer_without_a_login(service: Autodiscover, query: str, path: str) -> None:
    assert await json_of(service, get(query, path)) == (200, {"Protocol": "ActiveSync", "Url": EAS_URL})


async def test_the_old_form_is_named_to_those_who_want_it(service: Autodiscover) -> None:
    answer = await json_of(service, get("Email=a@b&Protocol=AutodiscoverV1"))
    url = "https://mail.example.org/autodiscover/autodiscover.xml"
    assert answer == (200, {"Protocol": "AutodiscoverV1", "Url": url})


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("", "", "InvalidParameter"),
        ("Protocol=ActiveSync", "", "InvalidParameter"),
        ("Protocol=ActiveSync&Email=", "/v1.0", "InvalidParameter"),
        ("Protocol=ActiveSync&Email=anna", "", "InvalidParameter"),
        ("Protocol=ActiveSync&Email=@example.org", "", "InvalidParameter"),
        ("Protocol=ActiveSync&Email=" + "x" * (ADDRESS_CHARS_MAX - 1) + "@y", "", "InvalidParameter"),
        ("Email=a@b", "", "MandatoryParameterMissing"),
        ("Email=a@b&Protocol=", "", "MandatoryParameterMissing"),
        ("Email=a@b&Protocol=Ews", "", "ProtocolNotSupported"),
        ("Email=a@b&x=" + "y" * 2048 + "&Protocol=ActiveSync", "", "MandatoryParameterMissing"),
        ("Email=%ff%fe&Protocol=%00", "", "InvalidParameter"),
    ],
)
async def test_what_is_missing_or_not_there_is_told(service: Autodiscover, query: str, path: str, code: str) -> None:
    status, members = await json_of(service, get(query, path))
    assert (status, members["ErrorCode"]) == (400, code)


async def test_json_is_only_given_for_get(service: Autodiscover) -> None:
    answer = await service.answer(get("Email=a@b&Protocol=ActiveSync", method="POST"))
    assert (answer.status, answer.headers) == (405, {"Allow": "GET"})


async def test_sessions_of_a_running_server_are_asked() -> None:
    async with world(accounts=1) as here:
        service = Autodiscover(here.app.sessions, here.app.settings, lambda: NOW)
        assert (await service.answer(post(document()))).status == 401
        login = "Basic dTFAZXhhbXBsZS50ZXN0OnB3LXUx"  # u1@example.test:pw-u1
        root = await root_of(service, replace(post(document()), authorization=login))
        assert [child.text for child in root[0][1]] == ["User 1", "u1@example.test"]
