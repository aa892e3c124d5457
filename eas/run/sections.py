"""The configuration file, as the subcommands take it: where it is, what is in it, and what else must be right."""

import argparse
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from eas.address import parse_address
from eas.settings import Settings
from lmtp.settings import Settings as LmtpSettings
from storage.settings import Settings as StorageSettings
from storage.startup import load_configuration
from storage.toml_tables import SettingError

SECTIONS = {"storage": StorageSettings, "eas": Settings, "lmtp": LmtpSettings}
DEFAULT_PATH = Path("/etc/petitbleu/petitbleu.toml")
_ENVIRONMENT = "PETITBLEU_CONFIG"


@dataclass(frozen=True, slots=True)
class AllSettings:
    """The settings of all packages, and the folder of the file they come from."""

    storage: StorageSettings
    eas: Settings
    lmtp: LmtpSettings
    folder: Path


def add_config(parser: argparse.ArgumentParser) -> None:
    """Let *parser* take --config."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(os.environ.get(_ENVIRONMENT) or DEFAULT_PATH),
        metavar="FILE",
        help=f"the configuration file ($PETITBLEU_CONFIG, or {DEFAULT_PATH})",
    )


def load(path: Path) -> AllSettings:
    """Read the file.  Raises `SettingError` that names what is wrong."""
    configuration = load_configuration(path, SECTIONS)
    settings = configuration.of(Settings)
    _check(settings, f"{path}: eas")
    return AllSettings(
        configuration.of(StorageSettings), settings, configuration.of(LmtpSettings), path.absolute().parent
    )


def _check(settings: Settings, where: str) -> None:
    """Raise `SettingError` for texts of the HTTP side that do not say what they should."""
    for name in ("http", "https", "https_old", "submission"):
        text = getattr(settings, name)
        try:
            if text:
                parse_address(text)
        except ValueError as error:
            raise SettingError(f"{where}.{name}", str(error)) from error
    for proxy in settings.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise SettingError(f"{where}.trusted_proxies", str(error)) from error
