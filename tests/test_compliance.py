"""`COMPLIANCE.md` says what the code has: its table of commands against the literal table."""

import re

from eas.commands.table import COMMANDS
from eas.protocol.versions import ANNOUNCED, BY_NAME
from tests.sources import ROOT

ROW = re.compile(r"^\| (\w+) \|((?: (?:yes|no|–) \|){5})$", re.MULTILINE)


def _stated() -> dict[str, list[str]]:
    text = (ROOT / "COMPLIANCE.md").read_text()
    return {name: [cell.strip() for cell in cells.strip(" |").split("|")] for name, cells in ROW.findall(text)}


def test_every_command_is_stated_as_it_is() -> None:
    for name, cells in _stated().items():
        command = BY_NAME[name.lower()]
        for version, cell in zip(sorted(ANNOUNCED), cells, strict=True):
            exists = command.since <= version <= command.until
            due = "–" if not exists else "yes" if name in COMMANDS else "no"
            assert cell == due, f"{name} in {version.text}"


def test_no_command_is_left_out() -> None:
    newest_of_12 = min(ANNOUNCED)
    known = {command.name for command in BY_NAME.values() if command.until >= newest_of_12}
    assert set(_stated()) == known
