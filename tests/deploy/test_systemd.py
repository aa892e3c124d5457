"""The units of `deploy/systemd`."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from eas.cli.main import parser
from eas.run.sections import DEFAULT_PATH
from storage.settings import Settings

UNITS = sorted((Path(__file__).resolve().parents[2] / "deploy/systemd").glob("*.service"))
EXPOSURE_TENTHS_MAX = 15
"""Of `systemd-analyze security`, from 0 (locked up) to 100; a unit without hardening has 96."""
HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "PrivateTmp": "yes",
    "MemoryDenyWriteExecute": "yes",
    "LimitCORE": "0",
    "MemorySwapMax": "0",
}


def service(unit: Path) -> dict[str, str]:
    """Return the settings of [Service]; of one given several times, the last."""
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    read.read_string(unit.read_text())
    return dict(read["Service"])


def test_there_are_two() -> None:
    assert [unit.name for unit in UNITS] == ["petitbleu-lmtpd.service", "petitbleu.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_calls_a_command_that_exists(unit: Path) -> None:
    program, *arguments = shlex.split(service(unit)["ExecStart"])
    assert Path(program).name == "petitbleu"
    assert parser().parse_args(arguments).config == DEFAULT_PATH


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_hardened_and_can_write_the_store(unit: Path) -> None:
    settings = service(unit)
    assert {name: settings[name] for name in HARDENING} == HARDENING
    assert Settings().path == Path("/var/lib") / settings["StateDirectory"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_a_unit_and_finds_it_hardened(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/opt/petitbleu/bin/petitbleu", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", copy], check=False, capture_output=True, text=True)
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    analyzed = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_TENTHS_MAX}", copy],
        check=False,
        capture_output=True,
        text=True,
    )
    assert analyzed.returncode == 0, analyzed.stdout[-200:]
