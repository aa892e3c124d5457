"""Settings of the ActiveSync side: section `[eas]` of the one configuration file."""

from dataclasses import dataclass
from typing import Annotated, Literal

from storage.toml_tables import Between


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator may want to change; the defaults suit a small site.

    Raises ValueError for values that do not go together.
    """

    http: str = "127.0.0.1:8080"
    """Where to listen for HTTP, behind a proxy that speaks TLS: HOST:PORT; empty for nowhere."""

    https: str = ""
    """Where to listen for HTTPS in this process: HOST:PORT; empty for nowhere."""

    https_old: str = ""
    """Where to listen, apart, for devices of before 2014 that speak TLS 1.0 with weak ciphers; empty for nowhere."""

    certificate: str = ""
    """PEM file of the certificate (with its chain) for both; empty: a self-signed one is made and kept.  SIGHUP has it
    read again."""

    certificate_key: str = ""
    """PEM file of the certificate's private key; empty: it stands in the certificate's file."""

    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses of proxies whose X-Forwarded-For is believed."""

    submission: str = "127.0.0.1:587"
    """The SMTP server that takes outgoing mail: HOST:PORT."""

    url: str = ""
    """The URL that phones are told by Autodiscover; empty: https:// and the name they asked."""

    provisioning: Literal["optional", "required"] = "optional"
    """`optional`: a device may ask for a policy.  `required`: every command waits until it has acknowledged one."""

    body_bytes_max: Annotated[int, Between(65_536, 1 << 31)] = 67_108_864
    """The largest request: a message with its attachments."""

    session_seconds: Annotated[int, Between(10, 30 * 86_400)] = 900
    """How long an account stays unlocked after its last request."""

    heartbeat_seconds_min: Annotated[int, Between(1, 3540)] = 60
    """The shortest Ping or waiting Sync."""

    heartbeat_seconds_max: Annotated[int, Between(1, 3540)] = 3540
    """The longest Ping or waiting Sync; proxies in front need longer time-outs."""

    collections_max: Annotated[int, Between(1, 1000)] = 300
    """How many folders one Sync or Ping may name."""

    window_max: Annotated[int, Between(1, 512)] = 512
    """How many changes one answer to Sync brings at most."""

    def __post_init__(self) -> None:
        if self.heartbeat_seconds_min > self.heartbeat_seconds_max:
            raise ValueError("heartbeat_seconds_min is greater than heartbeat_seconds_max")
