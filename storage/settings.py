"""What a site may choose about its store, its users and their keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from storage.directories.directory import Domains
from storage.errors import UnknownAddress
from storage.keyring.slots import LANES_MAX, MEMORY_KIB_MAX, MEMORY_KIB_MIN, PASSES_MAX, Cost
from storage.toml_tables import Between


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the store and its users.

    Raises ValueError for values that do not go together.
    """

    engine: Literal["local", "s3", "memory"] = "local"
    """Where mail lies: "local" is a folder of this machine; "s3" is a bucket that any number of machines share;
    "memory" forgets everything at the end."""

    path: Path = Path("/var/lib/petitbleu")
    """The folder of the local engine.  Only the service's user needs to read it, and what lies there is sealed.  With
    a bucket nothing but a certificate that was made for want of one."""

    bucket: str = ""
    """Of the engine "s3": `s3://BUCKET` or `s3://BUCKET/PREFIX`.  A bucket that is not there is made."""

    s3_endpoint: str = ""
    """Where the object store answers: `https://HOST[:PORT]`.  Empty: $S3_ENDPOINT, $AWS_ENDPOINT_URL_S3,
    $AWS_ENDPOINT_URL, or else Amazon's."""

    s3_region: str = ""
    """Empty: $AWS_REGION, $AWS_DEFAULT_REGION, or else us-east-1."""

    s3_access_key: str = ""
    """Empty: both keys are those of $S3_ACCESS_KEY and $S3_SECRET_KEY, or else as Amazon's tools find them."""

    s3_secret_key: str = field(default="", repr=False)
    """Goes with `s3_access_key`; better in the file below."""

    s3_secret_key_file: Path = Path("/etc/petitbleu/s3.key")
    """Holds the secret key, mode 0600; read if `s3_access_key` is set and `s3_secret_key` is not."""

    redis_url: str = field(default="", repr=False)
    """A Redis or Valkey server that makes news between machines immediate, with the engine "s3" alone:
    `redis://HOST[:PORT]`, `rediss://…` (TLS) or `unix:///PATH`.  Empty: $PETITBLEU_REDIS_URL, or else none.  While it
    is away phones ring a second later."""

    redis_password_file: Path = Path("/etc/petitbleu/redis.key")
    """Holds the password of the Redis server, mode 0600.  Without it: $PETITBLEU_REDIS_PASSWORD, or the URL's."""

    directory: Literal["file", "ldap"] = "file"
    """Where users are entered: in `directory_file`, or in an LDAP directory (`ldap_file`; see deploy/ldap)."""

    directory_file: Path = Path("/etc/petitbleu/accounts.toml")
    """The users.  Holds the secrets that passwords are mixed with: back it up apart from the store, mode 0600."""

    ldap_file: Path = Path("/etc/petitbleu/ldap.toml")
    """How the LDAP directory is asked.  Holds a password: mode 0600."""

    deployment_key_file: Path = Path("/etc/petitbleu/deployment.key")
    """32 random bytes, made by `petitbleu init`.  Without it no account is found again: back it up apart from the
    store, mode 0600.  All nodes of one store have the same."""

    mail_domains: tuple[str, ...] = ()
    """Domains besides those of the users' addresses that count as ours at login."""

    short_domains: Mapping[str, str] = field(default_factory=dict)
    """Short names of domains at login: { EXAMPLE = "example.org" } lets EXAMPLE\\anna in as anna@example.org."""

    argon2_memory_kib: Annotated[int, Between(MEMORY_KIB_MIN, MEMORY_KIB_MAX)] = 19 * 1024
    """Memory of one guess at a password.  Raising the cost reaches each password at its next use."""

    argon2_passes: Annotated[int, Between(1, PASSES_MAX)] = 2
    """Rounds of one guess at a password."""

    argon2_lanes: Annotated[int, Between(1, LANES_MAX)] = 1
    """Threads of one guess at a password."""

    argon2_runs_max: Annotated[int, Between(1, 1024)] = 2
    """How many passwords are checked at once in a process; each takes a thread and the memory above."""

    collect_seconds: Annotated[int, Between(10, 7 * 86_400)] = 3600
    """How often the log of an account whose phones are connected is relieved of what checkpoints cover; all the rest of
    the account is looked through once in 24 of these times."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged."""

    log_addresses: bool = False
    """Write addresses into the log as they are.  Else a keyed hash stands for each: the same one for the same user."""

    def __post_init__(self) -> None:
        _ = self.cost  # raises for more lanes than the memory has room for
        try:
            _ = self.domains
        except UnknownAddress as error:
            raise ValueError(f"not a domain: {error.address!r}") from error

    @property
    def place(self) -> str:
        """Where the store is, for people."""
        return {"local": str(self.path), "s3": self.bucket}.get(self.engine, "memory")

    @property
    def cost(self) -> Cost:
        """The cost of new slots."""
        return Cost(self.argon2_memory_kib, self.argon2_passes, self.argon2_lanes)

    @property
    def domains(self) -> Domains:
        """How login names are read."""
        return Domains.of(self.mail_domains, self.short_domains)
