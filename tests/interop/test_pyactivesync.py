"""A client that we did not write, over HTTPS, as a whole phone: pyactivesync 0.17 (EAS 16.1)."""

import smtplib
from collections.abc import Callable, Iterator

import pytest

from eas.wire.tls import SELF_SIGNED_FILE
from tests.interop.foreign_phone import STEPS, ForeignPhone
from tests.interop.server import demo_server

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignPhone]:
    with demo_server(tmp_path_factory.mktemp("server")) as server:

        def deliver(subject: str) -> None:
            with smtplib.LMTP("127.0.0.1", server.lmtp_port) as lmtp:
                text = f"From: friend@example.net\r\nTo: u1@example.test\r\nSubject: {subject}\r\n\r\nDid it?\r\n"
                lmtp.sendmail("friend@example.net", ["u1@example.test"], text)

        phone = ForeignPhone(f"127.0.0.1:{server.https_port}", server.folder / "data" / SELF_SIGNED_FILE, deliver)
        with phone.client:
            yield phone


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_foreign_phone(phone: ForeignPhone, step: Callable[[ForeignPhone], None]) -> None:
    step(phone)
