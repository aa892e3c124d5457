"""The files of `deploy/` say what the settings say.  Whether Postfix and nginx take them, `tests/interop` tries."""

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from eas.run.sections import SECTIONS
from eas.settings import Settings as EasSettings
from lmtp.settings import Settings as LmtpSettings
from storage.directories.ldap_settings import LdapSettings, load_ldap_settings
from storage.startup import default_configuration, example_configuration, field_docs, load_configuration
from storage.toml_tables import toml_value

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NGINX = (DEPLOY / "nginx/petitbleu.conf").read_text()
LOCATIONS = (DEPLOY / "nginx/petitbleu-locations.conf").read_text()
MAIN = (DEPLOY / "postfix/main.cf").read_text()
MASTER = (DEPLOY / "postfix/master.cf").read_text()
FILES = [path for path in sorted(DEPLOY.glob("*/*")) if path.is_file() and path.suffix != ".md"]


def one(pattern: str, text: str) -> str:
    """Return the group of the one match of *pattern*."""
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_opens_with_what_it_assumes(path: Path) -> None:
    comments = path.read_text().partition("\n\n")[0]
    assert all(line.startswith("#") for line in comments.splitlines())
    assert "# Assumes:" in comments


def test_the_example_configuration_is_the_one_that_the_settings_make() -> None:
    """If not: `make config`."""
    assert (DEPLOY / "config.example.toml").read_text() == example_configuration(SECTIONS)


def test_the_example_configuration_changes_nothing() -> None:
    example, defaults = load_configuration(DEPLOY / "config.example.toml", SECTIONS), default_configuration(SECTIONS)
    assert all(example.of(cls) == defaults.of(cls) for cls in SECTIONS.values())
    assert set(tomllib.loads((DEPLOY / "config.example.toml").read_text())) == set(SECTIONS)


def test_the_example_of_ldap_is_one(tmp_path: Path) -> None:
    (tmp_path / "ldap.toml").write_text((DEPLOY / "ldap/ldap.example.toml").read_text())
    (tmp_path / "ldap.toml").chmod(0o600)
    assert load_ldap_settings(tmp_path / "ldap.toml").servers[0].startswith("ldap://")


def test_every_setting_of_ldap_is_explained_as_in_the_code() -> None:
    table = (DEPLOY / "ldap/README.md").read_text()
    for field in fields(LdapSettings):
        default = "due" if field.default is MISSING else "not set"
        if field.default not in (MISSING, None):
            default = f"`{toml_value(field.default)}`"
        assert f"| `{field.name}` | {default} | {field_docs(LdapSettings)[field.name]} |" in table


def test_nginx_waits_longer_than_the_longest_heartbeat() -> None:
    assert int(one(r"proxy_read_timeout (\d+)s;", LOCATIONS)) > EasSettings().heartbeat_seconds_max


def test_nginx_takes_bodies_as_large_as_the_server_does_and_leads_to_it() -> None:
    assert int(one(r"client_max_body_size (\d+)m;", LOCATIONS)) << 20 == EasSettings().body_bytes_max
    assert one(r"^    server (\S+);", NGINX) == EasSettings().http
    assert "127.0.0.1" in EasSettings().trusted_proxies


def test_postfix_takes_no_mail_that_the_server_refuses_and_leads_to_it() -> None:
    size = int(one(r"^message_size_limit = (\d+)$", MAIN))
    assert size <= LmtpSettings().size_bytes_max
    assert size <= int(one(r"^virtual_mailbox_limit = (\d+)$", MAIN))
    assert one(r"^virtual_transport = lmtp:inet:(\S+)$", MAIN) in LmtpSettings().listen
    assert one(r"^(\S+) inet ", MASTER) == EasSettings().submission
