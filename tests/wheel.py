"""`python -m tests.wheel`: build the wheel, install it into an empty environment, try it there from another folder."""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from tests.sources import PACKAGES, ROOT, modules


def build(folder: Path) -> Path:
    """Build the wheel into *folder* and return its path."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("petitbleu-*.whl"))


def check_contents(wheel: Path) -> None:
    """Every module is in it, and nothing that does not belong."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    due = {str(path.relative_to(ROOT)) for path in modules().values()}
    assert due <= names, f"missing: {sorted(due - names)}"
    tops = {name.partition("/")[0] for name in names}
    strange = {top for top in tops if top not in PACKAGES and not top.endswith(".dist-info")}
    assert not strange, f"does not belong: {strange}"


def try_installed(wheel: Path, folder: Path) -> None:
    """Install *wheel* into an environment of its own and run what a user would."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    command = [folder / "env" / "bin" / "petitbleu"]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    for arguments in (["--help"], ["demo", "--help"], ["init", "--print-config"]):
        subprocess.run([*command, *arguments], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def main() -> None:
    """Do it all in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        wheel = build(Path(name))
        check_contents(wheel)
        try_installed(wheel, Path(name))
        print(f"{wheel.name}: whole, and it runs installed")


if __name__ == "__main__":
    main()
