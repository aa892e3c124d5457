"""TLS: the contexts of listeners, and a certificate of our own for a server that has been given none."""

import asyncio.sslproto
import ctypes
import ipaddress
import os
import ssl
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SELF_SIGNED_FILE = "tls-self-signed.pem"  # key and certificate in one file: renaming it replaces both at once
VALID_DAYS = 820  # Apple refuses server certificates of more than 825 days
RENEW_DAYS = 30
_COMMON_NAME_MAX = 64  # RFC 5280 A.1 ub-common-name

_OLD_CIPHERS = "DEFAULT:@SECLEVEL=0"  # TLS 1.0 signs with SHA-1, which OpenSSL 3 allows at level 0 only
_M_MMAP_THRESHOLD = -3  # malloc.h; setting it also ends its growing by itself
_MMAP_BYTES = 128 * 1024  # what glibc begins with
_ASYNCIO_BUFFER_BYTES = 16 * 1024  # a TLS record; asyncio's own 256 KB are zero-filled for each connection


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate with its issuers, and its key; *key* None: it is in the same file."""

    certificate: Path
    key: Path | None = None


def server_context(chains: Sequence[Chain], *, is_old: bool = False) -> ssl.SSLContext:
    """Return a context for a listener, TLS 1.2 and later.  Several chains differ by kind of key, such as RSA and ECDSA.

    *is_old* speaks TLS 1.0 too, with weak ciphers, for devices of before 2014: for a listener of its own, never the
    default.  (3DES and RC4 are not in current OpenSSL builds; devices that know nothing else cannot be served.)
    Raises OSError (`ssl.SSLError` is one) when a file cannot be read, or key and certificate do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if is_old:
        with warnings.catch_warnings():  # Python warns of what is meant here
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers(_OLD_CIPHERS)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load(context, chains)
    return context


def load(context: ssl.SSLContext, chains: Sequence[Chain]) -> None:
    """Read the files again, for a certificate that was renewed: new connections have the new one.  Raises as above."""
    for chain in chains:
        context.load_cert_chain(chain.certificate, chain.key)


def self_signed(folder: Path, names: Sequence[str], now: datetime | None = None) -> Chain:
    """Return a self-signed certificate for *names* (host names and addresses), kept in *folder* and used again.

    A new one is made when there is none, when it ends within `RENEW_DAYS`, when it lacks a name or cannot be read.
    Several processes may do so at once: the last one's stays.
    """
    now = now or datetime.now(UTC)
    path = folder / SELF_SIGNED_FILE
    wanted = _alternatives(names)
    if not _still_serves(path, wanted, now):
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, _make(wanted, names[0], now))
    return Chain(path)


def spare_memory() -> None:
    """Lower what TLS connections cost in this process, on either event loop, from now on.

    Both loops take a buffer of 256 KB for each.  asyncio fills it with zeros: here it is told to take 16 KB (by an
    attribute that is not documented).  uvloop leaves it untouched, so that a fresh mapping costs nothing; but once the
    first is freed, glibc takes later ones from its heap, where each costs 20 KB: here it is told to go on mapping.
    Where either is not to be had, this does nothing, and connections merely cost more.
    """
    if hasattr(asyncio.sslproto.SSLProtocol, "max_size"):
        asyncio.sslproto.SSLProtocol.max_size = _ASYNCIO_BUFFER_BYTES
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    if not names:
        raise ValueError("a certificate needs a name")
    return [_alternative(name) for name in dict.fromkeys(names)]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def _still_serves(path: Path, wanted: list[x509.GeneralName], now: datetime) -> bool:
    try:
        data = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(data)
        key = serialization.load_pem_private_key(data, None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    return (
        certificate.not_valid_before_utc <= now
        and now + timedelta(days=RENEW_DAYS) <= certificate.not_valid_after_utc
        and set(wanted) <= set(names)
        and key.public_key() == certificate.public_key()
    )


def _make(wanted: list[x509.GeneralName], name: str, now: datetime) -> bytes:
    """Return key and certificate as PEM.  An authority of itself, or Android would not let its owner trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_COMMON_NAME_MAX])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a phone's clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName(wanted), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _replace(path: Path, data: bytes) -> None:
    """Write *data*, readable by the owner only, all or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
