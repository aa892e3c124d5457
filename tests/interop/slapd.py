"""Debian's slapd with the schema of `deploy/ldap`, a few users, TLS, and the outages that a directory has."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eas.wire.tls import SELF_SIGNED_FILE, self_signed
from storage.directories.ldap_settings import LdapSettings
from storage.toml_tables import TableReader, toml_value
from tests.interop.programs import DEPLOY, free_ports, lack, listens, need, wait_until

SUFFIX = "dc=example,dc=test"
PEOPLE = f"ou=people,{SUFFIX}"
ROOT, ROOT_PASSWORD = f"cn=root,{SUFFIX}", "root's"
SERVICE, SERVICE_PASSWORD = f"cn=petitbleu,ou=services,{SUFFIX}", "searches"
START_SECONDS = 20.0
MODULES = Path("/usr/lib/ldap")
SCHEMAS = Path("/etc/ldap/schema")

CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {deploy}/ldap/petitbleu.schema
modulepath {modules}
moduleload back_mdb
pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
TLSCertificateFile {certificate}
TLSCertificateKeyFile {certificate}
TLSCACertificateFile {certificate}
{security}
sizelimit 500
database mdb
suffix "{suffix}"
rootdn "{root}"
rootpw "{root_password}"
directory {folder}/data
maxsize 16777216
index objectClass,uid,mail,petitBleuAlias eq
access to attrs=userPassword by anonymous auth by * none
access to attrs=petitBleuSecret,petitBleuSecretAlternate by dn.exact="{service}" read by * none
access to * by dn.exact="{service}" read by * none
"""

ENTRIES = f"""
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: ou=services,{SUFFIX}
objectClass: organizationalUnit
ou: services

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: petitbleu
userPassword: {SERVICE_PASSWORD}
"""


@dataclass
class Slapd:
    """A slapd on ports of its own; `start`, `stop`, `freeze` and `thaw` as a test likes."""

    folder: Path
    needs_tls: bool = False
    port: int = 0
    tls_port: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.port, self.tls_port = free_ports(2)
        (self.folder / "data").mkdir(parents=True)
        certificate = self_signed(self.folder, ["localhost", "127.0.0.1"]).certificate
        text = CONFIGURATION.format(
            schemas=SCHEMAS, deploy=DEPLOY, modules=MODULES, folder=self.folder, certificate=certificate, suffix=SUFFIX,
            root=ROOT, root_password=ROOT_PASSWORD, service=SERVICE,
            security="security tls=1" if self.needs_tls else "",
        )  # fmt: skip
        (self.folder / "slapd.conf").write_text(text)
        self._load(ENTRIES)

    @property
    def ca_file(self) -> Path:
        return self.folder / SELF_SIGNED_FILE

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    def settings(self, **changes: object) -> LdapSettings:
        """Return settings that fit, without TLS unless *changes* say so."""
        table: dict[str, object] = {
            "servers": [self.url],
            "base": PEOPLE,
            "bind_dn": SERVICE,
            "bind_password": SERVICE_PASSWORD,
            "start_tls": False,
            "users_filter": "(objectClass=petitBleuUser)",
            "alias_attribute": "petitBleuAlias",
            "identity_attribute": "uid",
            "quota_attribute": "petitBleuQuota",
            "quota_unit_bytes": 1000,
            "secret_attribute": "petitBleuSecret",
            "alternates_attribute": "petitBleuSecretAlternate",
            "timeout_seconds": 1,
            "cache_seconds": 0,
        }
        return TableReader(LdapSettings, self.folder).read(table | changes, "test")

    def write_settings(self, path: Path, **changes: object) -> None:
        """Write the file that a server reads."""
        settings = self.settings(**changes)
        names = [name for name in LdapSettings.__slots__ if getattr(settings, name) is not None]
        path.write_text("".join(f"{name} = {toml_value(getattr(settings, name))}\n" for name in names))
        path.chmod(0o600)

    def start(self) -> None:
        """Start it and wait until it listens."""
        urls = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        command = [need("slapd"), "-d", "0", "-h", urls, "-f", str(self.folder / "slapd.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: listens(self.port) and listens(self.tls_port), START_SECONDS, "slapd listens")

    def stop(self) -> None:
        """Kill it, frozen or not, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it take connections and say nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def add(self, user: str, password: str = "", **values: object) -> None:
        """Enter a user; values are texts or lists of texts, by attribute.  Default: mail, secret."""
        given: dict[str, object] = {
            "mail": f"{user}@example.test",
            "cn": f"User {user}",
            "sn": user,
            "petitBleuSecret": f"of {user}",
            "userPassword": password or f"pw-{user}",
        }
        lines = ["objectClass: inetOrgPerson", "objectClass: petitBleuUser", f"uid: {user}"]
        for name, value in (given | values).items():
            lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value]) if one]
        self._tool("ldapadd", f"dn: uid={user},{PEOPLE}\n" + "\n".join(lines) + "\n")

    def change(self, user: str, attribute: str, *values: str) -> None:
        """Replace an attribute's values; none removes it."""
        lines = [f"dn: uid={user},{PEOPLE}", "changetype: modify", f"replace: {attribute}"]
        self._tool("ldapmodify", "\n".join([*lines, *(f"{attribute}: {value}" for value in values)]) + "\n")

    def remove(self, user: str) -> None:
        """Remove a user."""
        self._tool("ldapmodify", f"dn: uid={user},{PEOPLE}\nchangetype: delete\n")

    def _tool(self, program: str, ldif: str) -> None:
        tls = ["-ZZ"] if self.needs_tls else []
        command = [need(program), "-x", "-H", self.url, *tls, "-D", ROOT, "-w", ROOT_PASSWORD]
        environment = os.environ | {"LDAPTLS_CACERT": str(self.ca_file), "LDAPTLS_REQCERT": "never"}
        subprocess.run(command, input=ldif.encode(), check=True, capture_output=True, env=environment)

    def _load(self, ldif: str) -> None:
        command = [need("slapadd"), "-f", str(self.folder / "slapd.conf")]
        subprocess.run(command, input=ldif.encode(), check=True, capture_output=True)


@contextmanager
def running_slapd(folder: Path, *, needs_tls: bool = False) -> Iterator[Slapd]:
    """Start a slapd without users, and end it.  Without the programs the test is skipped, in CI it fails."""
    for program in ("slapd", "slapadd", "ldapadd", "ldapmodify"):
        need(program)
    if not MODULES.exists():
        lack(f"{MODULES} is missing: is this Debian's slapd?")
    slapd = Slapd(folder, needs_tls)
    try:
        slapd.start()
        yield slapd
    finally:
        slapd.stop()
