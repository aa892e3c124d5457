"""What the distribution is made of."""

import tomllib

from tests.sources import PACKAGES, ROOT, modules


def _project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def test_the_wheel_has_exactly_our_packages() -> None:
    project = _project()
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)  # type: ignore[index]


def test_there_is_one_command() -> None:
    assert _project()["project"]["scripts"] == {"petitbleu": "eas.cli.main:main"}  # type: ignore[index]


def test_every_folder_of_modules_is_a_package() -> None:
    for path in modules().values():
        assert (path.parent / "__init__.py").exists(), path.parent


def test_packages_do_no_work_when_imported() -> None:
    for name, path in modules().items():
        if path.name == "__init__.py":
            lines = [line for line in path.read_text().splitlines() if line.strip()]
            assert len(lines) < 12, f"{name} does more than to say what it is"
