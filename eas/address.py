"""Addresses of listeners, as people write them: HOST:PORT."""

import re

_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+)\]|(?P<plain>[^\s:\[\],/]*)):(?P<port>[0-9]{1,5})")
_EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104  # compared, not bound


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[IPv6]:PORT`; host "" or `*` is every address.  Raises ValueError."""
    found = _ADDRESS.fullmatch(text)
    if not found or int(found["port"]) > 65_535:
        raise ValueError(f"wants HOST:PORT, not {text!r}")
    host = found["bracketed"] or found["plain"]
    return ("" if host == "*" else host), int(found["port"])


def is_everywhere(host: str) -> bool:
    """Tell whether *host* means all addresses of the machine."""
    return host in _EVERYWHERE


def url(scheme: str, host: str, port: int) -> str:
    """Return the URL by which this machine reaches its own listener."""
    return f"{scheme}://{shown(host, port)}"


def shown(host: str, port: int) -> str:
    """Return `HOST:PORT`, by which this machine reaches its own listener."""
    if is_everywhere(host):
        host = "127.0.0.1"
    return written(host, port)


def written(host: str, port: int) -> str:
    """Return the inverse of `parse_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
