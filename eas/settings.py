"""Settings of the ActiveSync side: section `[eas]` of the one configuration file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator may want to change; the defaults suit a small site."""

    http: str = "127.0.0.1:8080"
    """Where to listen for HTTP, behind a proxy that speaks TLS: HOST:PORT; empty for nowhere."""

    https: str = ""
    """Where to listen for HTTPS in this process: HOST:PORT; empty for nowhere."""

    certificate: str = ""
    """PEM file of the certificate (with its chain) for `https`; empty: a self-signed one is made and kept."""

    certificate_key: str = ""
    """PEM file of the certificate's private key; empty: it stands in the certificate's file."""

    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of proxies whose X-Forwarded-For is believed."""

    submission: str = "127.0.0.1:587"
    """The SMTP server that takes outgoing mail: HOST:PORT."""

    url: str = ""
    """The URL that phones are told by Autodiscover; empty: https:// and the name they asked."""

    provisioning: str = "optional"
    """`optional`: a device may ask for a policy.  `required`: every command waits until it has acknowledged one."""

    body_bytes_max: int = 67_108_864
    """The largest request: a message with its attachments."""

    session_seconds: int = 900
    """How long an account stays unlocked after its last request."""

    heartbeat_seconds_min: int = 60
    """The shortest Ping or waiting Sync."""

    heartbeat_seconds_max: int = 3540
    """The longest Ping or waiting Sync; proxies in front need longer time-outs."""

    collections_max: int = 300
    """How many folders one Sync or Ping may name."""

    window_max: int = 512
    """How many changes one answer to Sync brings at most."""
