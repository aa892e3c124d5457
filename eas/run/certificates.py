"""The certificates of a server's TLS listeners: those that are set, or one of our own; read again when told."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from eas.address import is_everywhere, parse_address
from eas.settings import Settings
from eas.wire import tls

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Encryption:
    """The contexts of the listeners `https` and `https_old`; None for one that there is not."""

    https: ssl.SSLContext | None
    https_old: ssl.SSLContext | None
    chains: tuple[tls.Chain, ...]

    def read_again(self) -> None:
        """Take a certificate that was renewed; new connections have it.  One that cannot be used changes nothing."""
        for context in (self.https, self.https_old):
            if context is not None:
                try:
                    tls.load(context, self.chains)
                except OSError as error:  # ssl.SSLError is one
                    _log.error("tls.not_read", error=str(error))
                    return
        _log.info("tls.read", files=[str(chain.certificate) for chain in self.chains])


def encryption(settings: Settings, folder: Path, names: Sequence[str]) -> Encryption:
    """Return what TLS listeners need.  Without a certificate in *settings*, one for *names* is made, in *folder*.

    Raises OSError (`ssl.SSLError` is one).
    """
    listeners = [text for text in (settings.https, settings.https_old) if text]
    if not listeners:
        return Encryption(None, None, ())
    if settings.certificate:
        key = Path(settings.certificate_key) if settings.certificate_key else None
        chains = (tls.Chain(Path(settings.certificate), key),)
    else:
        hosts = [host for host, _ in map(parse_address, listeners) if not is_everywhere(host)]
        chains = (tls.self_signed(folder, (*hosts, *names)),)
    return Encryption(
        tls.server_context(chains) if settings.https else None,
        tls.server_context(chains, is_old=True) if settings.https_old else None,
        chains,
    )
