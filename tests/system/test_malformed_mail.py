"""Mail that is broken, huge or deep, in through LMTP and out through Sync and Fetch in every form: each is shown."""

import asyncio
import base64

import pytest

from eas.protocol.versions import Version
from eas.wbxml.pages import AirSyncBase
from tests.eas.world import World, address, world
from tests.support.client import Device, EasClient
from tests.support.sync_requests import HTML, MIME, PLAIN, BodyPreference, Options, fetch

HEAD = b"From: a@example.net\r\nTo: u1@example.test\r\n"
MULTIPART = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
TEXT = b"Content-Type: text/plain"


def nested(depth: int) -> bytes:
    start = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return HEAD + b"MIME-Version: 1.0\r\n" + start + TEXT + b"\r\n\r\ndeep\r\n"


def forwarded(depth: int) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: innermost\r\n\r\nhere\r\n"


MAILS: dict[str, bytes] = {
    "nothing": b"\r\n",
    "no header": b"just text\r\n",
    "no body": HEAD + b"Subject: x\r\n",
    "no end of the header": HEAD + b"Subject: x",
    "unknown charset": HEAD + TEXT + b"; charset=klingon\r\n\r\nh\xe4llo\r\n",
    "utf-8 that is latin-1": HEAD + TEXT + b"; charset=utf-8\r\n\r\nh\xe4llo\r\n",
    "8 bit header": HEAD + b"Subject: h\xe4llo \xf0\x9f\x98\x80\r\n\r\nx\r\n",
    "no closing boundary": HEAD + MULTIPART + b"--b\r\n" + TEXT + b"\r\n\r\nopen\r\n",
    "no boundary parameter": HEAD + b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    "empty boundary": HEAD + b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx\r\n----\r\n',
    "boundary in every line": HEAD + MULTIPART + b"--b\r\n" * 5000,
    "only line feeds": (HEAD + b"Subject: x\r\n\r\none\r\ntwo\r\n").replace(b"\r\n", b"\n"),
    "gb2312": HEAD + TEXT + b"; charset=gb2312\r\n\r\n\xc4\xe3\xba\xc3\xff\r\n",
    "utf-7": HEAD + TEXT + b"; charset=utf-7\r\n\r\n+AG-A+\r\n",
    "bad dates": HEAD + b"Date: yesterday\r\nDate: 99 Foo 99999 99:99\r\n\r\nx\r\n",
    "a line without a colon": b"no colon here\r\n" + HEAD + b"neither\r\nSubject: x\r\n\r\nx\r\n",
    "continued name": HEAD
    + b"Content-Type: application/x; name*0*=utf-8''a%20; name*1*=%FF%20b; name*9=c\r\n"
    + b"Content-Disposition: attachment; filename*=bad''%ZZ\r\n\r\nx\r\n",
    "encoded word cut within a character": HEAD + b"Subject: =?utf-8?B?w?= =?utf-8?B?qQ==?= =?x?y?z?=\r\n\r\nx\r\n",
    "unpadded base64": HEAD + TEXT + b"\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8\r\n=!?aGVsbG8=\r\n",
    "broken quoted-printable": HEAD + TEXT + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n=Z=0=\r\n=",
    "unknown transfer encoding": HEAD + TEXT + b"\r\nContent-Transfer-Encoding: x-uue\r\n\r\nbegin\r\n",
    "no characters of XML": HEAD + b"Subject: a\x01b\x0bc\r\n\r\n\x00nul \x1b[31m \x08\xef\xbf\xbe\r\n",
    "surrogates": HEAD + TEXT + b"; charset=utf-8\r\n\r\n\xed\xa0\x80 \xed\xbf\xbf\r\n",
    "100 nested": nested(100),
    "1000 nested": nested(1000),
    "500 forwarded": forwarded(500),
    "5000 parts": HEAD + MULTIPART + (b"--b\r\n" + TEXT + b"\r\n\r\nx\r\n") * 5000 + b"--b--\r\n",
    "5000 headers": HEAD + b"".join(b"X-%d: x\r\n" % n for n in range(5000)) + b"\r\nx\r\n",
    "a header of 2 MB": HEAD + b"Subject: " + b"x" * 2_000_000 + b"\r\n\r\nx\r\n",
    "1000 folds": HEAD + b"Subject: x\r\n" + b" y\r\n" * 1000 + b"\r\nx\r\n",
    "2000 recipients": b"To: " + b",\r\n ".join(b'"N %d" <n%d@x>' % (n, n) for n in range(2000)) + b"\r\n\r\nx\r\n",
    "broken addresses": b'From: "a <<b>>@ (((\r\nTo: ,,;:;group:;@\r\nSender: \r\nReply-To: <>\r\n\r\nx\r\n',
    "a text of 3 MB in one line": HEAD + TEXT + b"\r\n\r\n" + b"word " * 600_000 + b"\r\n",
    "HTML that never closes": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><b>" * 20_000 + b"end",
    "HTML that lies about its charset": HEAD
    + b"Content-Type: text/html; charset=utf-8\r\n\r\n<meta charset=utf-16><p>\xc3\xa9</p><!-- <script>\x00</p>\r\n",
    "HTML that is base64 that is not": HEAD
    + b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n<html>&#0;&#xD800;&bogus;</html>\r\n",
    "S/MIME of nothing": HEAD + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n\r\n",
    "calendar of nothing": HEAD + b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n",
    "report of nothing": HEAD
    + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b--\r\n",
    "attachment of 5 MB": HEAD
    + MULTIPART
    + b"--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(bytes(5_000_000)).replace(b"\n", b"\r\n")
    + b"--b--\r\n",
}
WISHES = {
    "none": Options(),
    "plain": Options(bodies=(BodyPreference(PLAIN, 5000),)),
    "html": Options(bodies=(BodyPreference(HTML),)),
    "mime": Options(bodies=(BodyPreference(MIME, 10_000),), mime_support=2),
    "all or none": Options(bodies=(BodyPreference(HTML, 10, True), BodyPreference(PLAIN, 10, True))),
    "preview": Options(bodies=(BodyPreference(PLAIN, 0, preview=255),)),
}


async def show(server: World, version: Version, wish: str) -> EasClient:
    """Bring the Inbox to a phone of its own."""
    phone = server.client(1, version=version, device=Device(f"{wish}{version.text}".replace(" ", ""), "SP", "x"))
    folder = await phone.sync_all("inbox", options=WISHES[wish])
    assert len(folder.items) == 1
    return phone


@pytest.mark.parametrize("name", MAILS)
async def test_it_comes_in_and_goes_out_in_every_form(name: str) -> None:
    async with world(1) as server:
        assert await server.lmtp([address(1)], MAILS[name] or b"\r\n") == {address(1): 250}
        for wish in WISHES:
            phone = await show(server, Version.V16_1, wish)
            [item] = phone.mailbox.folder("inbox").items.values()
            body = item.properties[AirSyncBase.Body]
            assert len(body.text_or(AirSyncBase.Preview, "")) <= 255
            result = await phone.sync("inbox", [fetch(item.server_id)], options=None)
            assert [one.status for one in result.responses] == [1]
        await show(server, Version.V12_1, "html")
        assert await server.lmtp([address(1)], b"Subject: next\r\n\r\nx\r\n") == {address(1): 250}
        await phone.sync("inbox", options=None)
        assert phone.mailbox.folder("inbox").find("next")


async def test_lines_that_are_no_lmtp() -> None:
    async with world(1) as server:
        for nonsense in (
            b"\x00\x01\x02\r\n" * 10,
            b"GET / HTTP/1.1\r\n\r\n",
            b"LHLO " + b"x" * 5000 + b"\r\n",
            b"x" * 200_000,
            b"LHLO a\r\nMAIL FROM:<\xff\xfe@x>\r\nRCPT TO:<" + b"@" * 900 + b">\r\nDATA\r\n",
            b"LHLO a\r\nMAIL FROM:<>\r\nBDAT 999999999999999999999\r\n",
            b"LHLO a\r\nMAIL FROM:<> SIZE=99999999999\r\n",
            b"\r\n" * 2000,
        ):
            reader, writer = await asyncio.open_connection(*server.lmtp_address)
            writer.write(nonsense + b"\r\nQUIT\r\n")
            replies = b""
            async with asyncio.timeout(5):
                try:
                    while data := await reader.read(65536):
                        replies += data
                        if b"\r\n221 " in replies:
                            break
                except ConnectionError:
                    pass  # it hung up on the rest
            writer.transport.abort()
            assert replies.startswith(b"220 ")
            assert b"\r\n5" in replies or b"\r\n4" in replies
            assert len(replies) < 200_000
        assert await server.lmtp([address(1)], MAILS["no body"]) == {address(1): 250}
