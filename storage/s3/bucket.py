"""Where a store lies that lies in a bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where the store lies.  *endpoint* "": AWS itself; keys "": found as AWS's own tools find them."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @classmethod
    def of(cls, address: str, **rest: str) -> Bucket:
        """Return the bucket that `s3://BUCKET/PREFIX` names.  Raises ValueError."""
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError(f"not of the form s3://BUCKET/PREFIX: {address!r}")
        prefix = (match[2] or "").strip("/")
        return cls(match[1], f"{prefix}/" if prefix else "", **rest)

    @property
    def url(self) -> str:
        """Whom to ask."""
        return (self.endpoint or f"https://s3.{self.region}.amazonaws.com").rstrip("/")
