import asyncio
import ssl
import stat
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from eas.wire import tls

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _certificate(chain: tls.Chain) -> x509.Certificate:
    return x509.load_pem_x509_certificate(chain.certificate.read_bytes())


def test_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        tls.self_signed(tmp_path, [], NOW)


def test_names_every_host_and_address(tmp_path: Path) -> None:
    made = _certificate(
        tls.self_signed(tmp_path, ["mail.example.org", "192.0.2.1", "2001:db8::1", "münchen.example"], NOW)
    )
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.example.org", "xn--mnchen-3ya.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_a_long_name_still_makes_a_certificate(tmp_path: Path) -> None:
    name = ".".join(["long" * 10] * 4) + ".example"
    names = _certificate(tls.self_signed(tmp_path, [name], NOW)).extensions
    assert names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [name]


def test_is_valid_no_longer_than_apple_allows(tmp_path: Path) -> None:
    made = _certificate(tls.self_signed(tmp_path, ["mail"], NOW))
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=825)
    assert made.not_valid_before_utc < NOW


def test_only_the_owner_may_read_the_key(tmp_path: Path) -> None:
    chain = tls.self_signed(tmp_path / "new" / "folder", ["mail"], NOW)
    assert stat.S_IMODE(chain.certificate.stat().st_mode) == 0o600
    assert [path.name for path in chain.certificate.parent.iterdir()] == [tls.SELF_SIGNED_FILE]


def test_is_used_again_for_the_same_or_fewer_names(tmp_path: Path) -> None:
    first = _certificate(tls.self_signed(tmp_path, ["mail", "192.0.2.1"], NOW))
    assert _certificate(tls.self_signed(tmp_path, ["192.0.2.1"], NOW + timedelta(days=100))) == first


@pytest.mark.parametrize(("names", "days"), [(["mail", "other"], 0), (["mail"], tls.VALID_DAYS - tls.RENEW_DAYS)])
def test_is_made_anew_for_another_name_or_before_its_end(tmp_path: Path, names: list[str], days: int) -> None:
    first = _certificate(tls.self_signed(tmp_path, ["mail"], NOW))
    assert _certificate(tls.self_signed(tmp_path, names, NOW + timedelta(days=days))) != first


@pytest.mark.parametrize("broken", [b"", b"no PEM", None], ids=["empty", "garbage", "without its key"])
def test_is_made_anew_when_the_file_is_broken(tmp_path: Path, broken: bytes | None) -> None:
    chain = tls.self_signed(tmp_path, ["mail"], NOW)
    whole = chain.certificate.read_bytes()
    chain.certificate.write_bytes(whole[whole.index(b"-----BEGIN CERTIFICATE") :] if broken is None else broken)
    tls.server_context([tls.self_signed(tmp_path, ["mail"], NOW)])


def test_refuses_files_that_are_missing_or_do_not_belong_together(tmp_path: Path) -> None:
    one, other = tls.self_signed(tmp_path / "one", ["mail"]), tls.self_signed(tmp_path / "other", ["mail"])
    with pytest.raises(OSError, match="No such file"):
        tls.server_context([tls.Chain(tmp_path / "missing.pem")])
    with pytest.raises(ssl.SSLError):
        tls.server_context([tls.Chain(one.certificate, other.certificate)])


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> str | None:
    """Return the version agreed upon."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server, server_hostname="mail"),
    ]
    for _ in range(5):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1].version()


def _client(chain: tls.Chain, version: ssl.TLSVersion) -> ssl.SSLContext:
    client = ssl.create_default_context(cafile=chain.certificate)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version = client.maximum_version = version
    return client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks_tls_1_2_and_1_3_with_a_certificate_that_verifies(tmp_path: Path, version: ssl.TLSVersion) -> None:
    chain = tls.self_signed(tmp_path, ["mail"])
    assert _handshake(tls.server_context([chain]), _client(chain, version)) is not None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_speaks_older_tls_only_when_told(tmp_path: Path, version: ssl.TLSVersion) -> None:
    chain = tls.self_signed(tmp_path, ["mail"])
    with pytest.raises(ssl.SSLError):
        _handshake(tls.server_context([chain]), _client(chain, version))
    assert _handshake(tls.server_context([chain], is_old=True), _client(chain, version)) in {"TLSv1", "TLSv1.1"}


def test_a_renewed_certificate_is_taken_without_a_new_context(tmp_path: Path) -> None:
    chain = tls.self_signed(tmp_path, ["old"])
    context = tls.server_context([chain])
    chain = tls.self_signed(tmp_path, ["mail"])
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(context, _client(chain, ssl.TLSVersion.TLSv1_3))
    tls.load(context, [chain])
    assert _handshake(context, _client(chain, ssl.TLSVersion.TLSv1_3)) == "TLSv1.3"


def test_asyncio_takes_a_record_of_memory_for_a_connection() -> None:
    tls.spare_memory()
    assert asyncio.sslproto.SSLProtocol.max_size == 16 * 1024
